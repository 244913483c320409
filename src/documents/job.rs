//! One reading job as the arguments of a process.
//!
//! Both sides are written here: [`Job::arguments`] is what the parent passes and
//! [`Job::parse`] what the child reads. Only numbers and names from closed lists pass.

use std::ffi::OsString;

use super::format::{Charset, DocumentFormat};

/// The hidden subcommand that reads a document from standard input.
pub const SUBCOMMAND: &str = "__extract";

/// How far the child has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It was just started: set the limits and begin again under them.
    Confine,
    /// The limits hold since the first instruction: read.
    Read,
}

/// What the child is to read, and what it may use up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Job {
    pub step: Step,
    pub format: DocumentFormat,
    pub size_bytes: usize,
    pub max_text_bytes: usize,
    pub max_memory_bytes: u64,
    pub max_cpu_seconds: u64,
}

const NO_CHARSET: &str = "-";

impl Job {
    /// The subcommand and its arguments.
    pub fn arguments(&self) -> Vec<OsString> {
        let step = match self.step {
            Step::Confine => "confine",
            Step::Read => "read",
        };
        let charset = match self.format {
            DocumentFormat::PlainText { charset }
            | DocumentFormat::Markdown { charset }
            | DocumentFormat::Html { charset, .. } => charset,
            DocumentFormat::Pdf | DocumentFormat::Docx => None,
        };
        let words = [
            SUBCOMMAND.to_owned(),
            step.to_owned(),
            self.format.media_type().to_owned(),
            charset.map_or(NO_CHARSET, Charset::name).to_owned(),
            self.size_bytes.to_string(),
            self.max_text_bytes.to_string(),
            self.max_memory_bytes.to_string(),
            self.max_cpu_seconds.to_string(),
        ];
        words.into_iter().map(OsString::from).collect()
    }

    /// Reads what follows the subcommand.
    pub fn parse(arguments: &[OsString]) -> Option<Self> {
        let [step, media_type, charset, size, text, memory, cpu] = arguments else {
            return None;
        };
        let step = match step.to_str()? {
            "confine" => Step::Confine,
            "read" => Step::Read,
            _ => return None,
        };
        let charset = match charset.to_str()? {
            NO_CHARSET => String::new(),
            name => format!("; charset={name}"),
        };
        let format = DocumentFormat::of_media_type(&format!("{}{charset}", media_type.to_str()?))?;
        Some(Self {
            step,
            format,
            size_bytes: size.to_str()?.parse().ok()?,
            max_text_bytes: text.to_str()?.parse().ok()?,
            max_memory_bytes: memory.to_str()?.parse().ok()?,
            max_cpu_seconds: cpu.to_str()?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Job, SUBCOMMAND, Step};
    use crate::documents::format::{Charset, DocumentFormat};

    #[test]
    fn a_job_survives_the_command_line() {
        let charset = Charset::of_label("shift_jis");
        for format in [
            DocumentFormat::Pdf,
            DocumentFormat::Docx,
            DocumentFormat::Html { charset, is_xhtml: false },
            DocumentFormat::Html { charset: None, is_xhtml: true },
        ] {
            for step in [Step::Confine, Step::Read] {
                let job = Job {
                    step,
                    format,
                    size_bytes: 1,
                    max_text_bytes: 2,
                    max_memory_bytes: 3,
                    max_cpu_seconds: 4,
                };
                let arguments = job.arguments();
                assert_eq!(arguments[0], SUBCOMMAND);
                assert_eq!(Job::parse(&arguments[1..]), Some(job));
            }
        }
        assert_eq!(Job::parse(&[]), None);
    }
}
