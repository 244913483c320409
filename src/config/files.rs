//! Files and folders that a configuration is read from, and whether they are still the same.
//!
//! A file is told from its later self by what the file system knows about it:
//! device, inode, size and times, through symbolic links, so that a replaced
//! file and a link that points elsewhere are seen. The one rule: a file is looked
//! at before it is read, so that no change is missed.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use toml::Table;

use super::layers::{Origin, parse_toml};
use super::problems::Problems;

/// A file and what it was like when it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    path: PathBuf,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Not there, or out of reach.
    Absent,
    Regular(Stamp),
    /// A pipe, a socket, a device: what was read from it is gone.
    Special,
    /// A folder, of which the files with such names count.
    Folder {
        extension: String,
        names: BTreeSet<OsString>,
    },
    /// What should be such a folder and cannot be read.
    NoFolder(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size_bytes: u64,
    /// Seconds and nanoseconds.
    contents_changed: (i64, i64),
    /// The same, of the contents, the name, the owner or the rights.
    anything_changed: (i64, i64),
}

impl SourceFile {
    /// Looks at the file that `path` leads to now.
    pub fn look_at(path: &Path) -> Self {
        let state = match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => State::Regular(Stamp::of(&metadata)),
            Ok(metadata) if metadata.is_dir() => State::Absent,
            Ok(_) => State::Special,
            Err(_) => State::Absent,
        };
        Self { path: path.to_owned(), state }
    }

    /// Looks at a folder and the names of its files that end so.
    fn look_at_folder(path: &Path, extension: &str) -> Self {
        let is_wanted = |name: &OsString| {
            let is_hidden = name.as_encoded_bytes().starts_with(b".");
            !is_hidden && Path::new(name).extension().is_some_and(|its_own| its_own == extension)
        };
        let names = std::fs::read_dir(path).and_then(|entries| {
            let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
            names.filter(|name| name.as_ref().map_or(true, is_wanted)).collect::<io::Result<_>>()
        });
        let extension = extension.to_owned();
        let state = match names {
            Ok(names) => State::Folder { extension, names },
            Err(_) => State::NoFolder(extension),
        };
        Self { path: path.to_owned(), state }
    }

    /// Looks at it once more.
    pub fn look_again(&self) -> Self {
        match &self.state {
            State::Folder { extension, .. } | State::NoFolder(extension) => {
                Self::look_at_folder(&self.path, extension)
            }
            State::Absent | State::Regular(_) | State::Special => Self::look_at(&self.path),
        }
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size_bytes: metadata.size(),
            contents_changed: (metadata.mtime(), metadata.mtime_nsec()),
            anything_changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Reads the files of one reading and remembers them.
pub(super) struct Files {
    occasion: Occasion,
    read: Vec<SourceFile>,
}

/// Whether the sources have been read before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    Start,
    Again,
}

impl Files {
    pub(super) fn new(occasion: Occasion) -> Self {
        Self { occasion, read: Vec::new() }
    }

    /// Reads a file as TOML, or tells why it cannot be read.
    pub(super) fn toml(&mut self, path: &Path, problems: &mut Problems) -> Option<Table> {
        let text = self.text(path, problems)?;
        parse_toml(&text, &Origin::File(path.to_owned()), problems)
    }

    /// Reads a file as text, or tells why it cannot be read.
    pub(super) fn text(&mut self, path: &Path, problems: &mut Problems) -> Option<String> {
        let not_text = |_| "is not text in UTF-8".to_owned();
        let text = self.bytes(path).and_then(|bytes| String::from_utf8(bytes).map_err(not_text));
        text.map_err(|reason| problems.add("", &Origin::File(path.to_owned()), reason)).ok()
    }

    /// The files of a folder whose names end so, by name. Hidden ones do not count: what
    /// editors and orchestrators put beside a file is none.
    ///
    /// # Errors
    /// Why it cannot be read, as the end of a sentence about it.
    pub(super) fn folder(&mut self, path: &Path, extension: &str) -> Result<Vec<PathBuf>, String> {
        let folder = SourceFile::look_at_folder(path, extension);
        let names = match &folder.state {
            State::Folder { names, .. } => Ok(names.iter().map(|name| path.join(name)).collect()),
            _ => Err("is no folder that can be read".to_owned()),
        };
        self.read.push(folder);
        names
    }

    /// Reads a file.
    ///
    /// # Errors
    /// Why it cannot be read, as the end of a sentence about it.
    pub(super) fn bytes(&mut self, path: &Path) -> Result<Vec<u8>, String> {
        let file = SourceFile::look_at(path);
        // A pipe would be empty now, which reads as no settings at all, or never end.
        let gone = file.state == State::Special && self.occasion == Occasion::Again;
        self.read.push(file);
        if gone {
            return Err("is no regular file, so it can be read only once, at the start".to_owned());
        }
        read_bounded(path).map_err(|error| format!("cannot be read: {error}"))
    }

    /// Every file that was asked for, also those that could not be read.
    pub(super) fn finish(self) -> Vec<SourceFile> {
        self.read
    }
}

/// Reads up to a bound that no configuration comes near: a file that was put in
/// its place by mistake must not take the memory of requests.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    const MOST_BYTES: u64 = 16 * 1024 * 1024;
    let mut bytes = Vec::new();
    let read = File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if u64::try_from(read).is_ok_and(|read| read <= MOST_BYTES) {
        return Ok(bytes);
    }
    Err(io::Error::new(io::ErrorKind::FileTooLarge, "it has more than 16 MiB"))
}

#[cfg(test)]
mod tests {
    use super::{Files, Occasion, SourceFile};
    use crate::config::problems::Problems;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::{Path, PathBuf};

    /// A folder of one test alone, removed at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("redraft-files-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn every_way_to_change_a_file_is_seen() {
        let folder = Folder::new("changes");
        let path = folder.0.join("settings.toml");
        let absent = SourceFile::look_at(&path);
        assert_eq!(absent, absent.look_again());
        fs::write(&path, "a = 1").unwrap();
        let written = absent.look_again();
        assert_ne!(written, absent);
        assert_eq!(written, written.look_again(), "a look changes nothing");
        assert_eq!(fs::read_to_string(&path).unwrap(), "a = 1");
        assert_eq!(written, written.look_again(), "nor does reading");
        fs::write(&path, "a = 12").unwrap();
        let longer = written.look_again();
        assert_ne!(longer, written);
        let other = folder.0.join("other.toml");
        fs::write(&other, "a = 34").unwrap();
        fs::rename(&other, &path).unwrap();
        let replaced = longer.look_again();
        assert_ne!(replaced, longer, "another file of the same size");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_ne!(replaced.look_again(), replaced, "what could not be read can be read now");
        fs::remove_file(&path).unwrap();
        assert_eq!(replaced.look_again(), absent);
    }

    #[test]
    fn a_file_that_no_configuration_can_be_is_not_read_into_memory() {
        let folder = Folder::new("huge");
        let path = folder.0.join("settings.toml");
        for (size_bytes, cause) in [
            (16 << 20, "line 1, column 1"),
            ((16 << 20) + 1, "more than 16 MiB"),
            (1 << 40, "more than 16 MiB"),
        ] {
            fs::File::create(&path).unwrap().set_len(size_bytes).unwrap();
            let mut problems = Problems::default();
            assert!(Files::new(Occasion::Again).toml(&path, &mut problems).is_none());
            assert!(problems.to_string().contains(cause), "{problems}");
        }
    }

    #[test]
    fn a_link_that_leads_elsewhere_is_another_file() {
        // As Kubernetes swaps a ConfigMap: the name stays, a folder behind it changes.
        let folder = Folder::new("links");
        for version in ["v1", "v2"] {
            fs::create_dir(folder.0.join(version)).unwrap();
            fs::write(folder.0.join(version).join("settings.toml"), "a = 1").unwrap();
        }
        symlink("v1", folder.0.join("data")).unwrap();
        symlink("data/settings.toml", folder.0.join("settings.toml")).unwrap();
        let first = SourceFile::look_at(&folder.0.join("settings.toml"));
        symlink("v2", folder.0.join("new")).unwrap();
        fs::rename(folder.0.join("new"), folder.0.join("data")).unwrap();
        assert_ne!(first.look_again(), first);
    }

    #[test]
    fn what_is_no_regular_file_is_read_once() {
        let device = Path::new("/dev/null");
        let mut problems = Problems::default();
        assert!(Files::new(Occasion::Start).toml(device, &mut problems).is_some());
        assert!(problems.is_empty());
        let mut again = Files::new(Occasion::Again);
        assert!(again.toml(device, &mut problems).is_none());
        assert_eq!(
            problems.to_string(),
            "file /dev/null: is no regular file, so it can be read only once, at the start"
        );
        assert_eq!(again.finish(), [SourceFile::look_at(device)]);
    }
}
