//! The ZIP archive around a document.
//!
//! The one rule: bytes are counted as they are inflated. What an archive says about its
//! own sizes is a claim; a bomb lies. Only parts asked for by name are inflated, in
//! memory, so an archive that contains itself is as deep as any other.

use std::io::{Cursor, Read as _};

use zip::ZipArchive;
use zip::result::ZipError;

use crate::documents::error::Refusal;
use crate::documents::format::Charset;
use crate::documents::text;

const MAX_ENTRIES: usize = 2000;
const MAX_INFLATED_BYTES: u64 = 64 << 20;
/// XML packs 10 to 20 times smaller; nothing honest packs this well, unless it is short.
const MAX_RATIO: u64 = 200;
const RATIO_FREE_BYTES: u64 = 1 << 20;

pub(super) struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    left_bytes: u64,
}

impl<'a> Archive<'a> {
    /// Reads the list of entries.
    pub fn open(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|_| Refusal::Malformed)?;
        if zip.len() > MAX_ENTRIES {
            return Err(Refusal::Malformed);
        }
        Ok(Self { zip, left_bytes: MAX_INFLATED_BYTES })
    }

    /// One part as text, if the archive has it.
    pub fn part(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        let part = match self.zip.by_name(name) {
            Ok(part) => part,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(error) if is_lock(&error) => return Err(Refusal::Encrypted),
            Err(_) => return Err(Refusal::Malformed),
        };
        let ratio_bytes = part.compressed_size().saturating_mul(MAX_RATIO).max(RATIO_FREE_BYTES);
        let limit_bytes = ratio_bytes.min(self.left_bytes);
        let mut bytes = Vec::new();
        part.take(limit_bytes + 1).read_to_end(&mut bytes).map_err(|_| Refusal::Malformed)?;
        let inflated_bytes = bytes.len() as u64;
        if inflated_bytes > limit_bytes {
            return Err(Refusal::Malformed);
        }
        self.left_bytes -= inflated_bytes;
        // XML is UTF-8 unless a mark says UTF-16.
        let utf_8 = Charset::of_label("utf-8");
        Ok(Some(text::decode(&bytes, utf_8).text.into_owned()))
    }
}

fn is_lock(error: &ZipError) -> bool {
    match error {
        ZipError::InvalidPassword => true,
        ZipError::UnsupportedArchive(reason) => *reason == ZipError::PASSWORD_REQUIRED,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::{Archive, MAX_INFLATED_BYTES};
    use crate::documents::error::Refusal;

    fn archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in parts {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn a_part_is_text_in_either_of_xml_s_encodings() {
        let wide: Vec<u8> = "\u{FEFF}né".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let bytes = archive(&[("a", "né".as_bytes()), ("b", &wide)]);
        let mut archive = Archive::open(&bytes).unwrap();
        assert_eq!(archive.part("a").unwrap().as_deref(), Some("né"));
        assert_eq!(archive.part("b").unwrap().as_deref(), Some("né"));
        assert_eq!(archive.part("c").unwrap(), None);
    }

    #[test]
    fn a_part_that_packs_too_well_is_refused_unless_it_is_short() {
        let bytes = archive(&[("long", &[b' '; 3 << 20]), ("short", &[b' '; 1 << 20])]);
        let mut archive = Archive::open(&bytes).unwrap();
        assert_eq!(archive.part("long"), Err(Refusal::Malformed));
        assert!(archive.part("short").unwrap().is_some());
    }

    #[test]
    fn all_parts_share_one_limit() {
        let bytes = archive(&[("a", &[b' '; 1 << 20])]);
        let mut archive = Archive::open(&bytes).unwrap();
        for _ in 0..MAX_INFLATED_BYTES >> 20 {
            assert!(archive.part("a").unwrap().is_some());
        }
        assert_eq!(archive.part("a"), Err(Refusal::Malformed));
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        assert!(matches!(Archive::open(b"PK\x03\x04 and no more"), Err(Refusal::Malformed)));
    }
}
