//! The file of certificate authorities that `bedrock.ca_file` or `AWS_CA_BUNDLE` names.
//!
//! Owns finding and reading it; what a certificate is, `inference` knows. The one
//! rule: a file that was named and cannot be used stops the start. Going on with
//! the system's authorities would fail later, at the first call.

use std::path::{Path, PathBuf};

use super::files::Files;
use super::layers::Origin;
use super::problems::Problems;
use crate::inference::bedrock::TrustedAuthorities;

/// Reads the file; `None` without one, or with a problem.
pub(super) fn load(
    file: &str,
    set_by: &Origin,
    files: &mut Files,
    problems: &mut Problems,
) -> Option<TrustedAuthorities> {
    if file.is_empty() {
        return None;
    }
    let path = path(file, set_by);
    match files
        .bytes(&path)
        .and_then(|pem| TrustedAuthorities::from_pem(&pem).map_err(|error| error.to_string()))
    {
        Ok(authorities) => Some(authorities),
        Err(reason) => {
            let message = format!("expected a file of certificates, {} {reason}", path.display());
            problems.add("bedrock.ca_file", set_by, message);
            None
        }
    }
}

fn path(file: &str, set_by: &Origin) -> PathBuf {
    match set_by {
        Origin::File(settings) => settings.parent().unwrap_or(Path::new("")).join(file),
        _ => Path::new(file).to_owned(),
    }
}
