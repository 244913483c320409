//! Documents become text: bytes and a media type go in, text or Markdown comes out.
//!
//! Owns the formats, their readers, and the child process in which the risky ones run.
//! Who may send what, and how large a body may be, is decided elsewhere.
//!
//! The one rule: bytes of a stranger are parsed where they can do no harm. HTML, DOCX
//! and PDF are read by a child that has limits of memory and processor time, no
//! environment and no way to open a file or a socket, and that is killed when nobody
//! waits for it any more. Nothing about a document but its text ever comes back.

mod confine;
mod docx;
mod error;
mod extractor;
mod format;
mod html;
mod job;
mod markdown;
#[cfg(feature = "pdf")]
mod pdf;
#[cfg(feature = "pdf")]
mod pdf_text;
mod read;
mod report;
mod sandbox;
mod sniff;
mod text;

pub use confine::run as run_child;
pub use error::{Crash, ExtractError};
pub use extractor::{ExtractionPolicy, Extractor, this_program};
pub use format::{Charset, DocumentFormat};
pub use job::SUBCOMMAND;
pub use report::{Extracted, Note};
