//! Documents built in code, so that a test can spoil any part of one.

use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

const CONTENT_TYPES: &str = "<?xml version='1.0'?><Types/>";
const W: &str = "xmlns:w='http://schemas.openxmlformats.org/wordprocessingml/2006/main'";

/// A ZIP archive with these entries.
pub fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, content) in entries {
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A DOCX whose text is the rest of its own archive, with the directory that lists it.
///
/// Sizes and checksums are right, so nothing but its content speaks against it.
pub fn docx_that_holds_itself() -> Vec<u8> {
    // Bytes followed by their checksum have this one, whatever they are.
    const OWN_CHECKSUM: u32 = 0x2144_DF1C;
    let types = CONTENT_TYPES.as_bytes();
    let names = ["[Content_Types].xml", "word/document.xml"];
    let lengths = names.map(|name| u32::try_from(name.len()).unwrap());
    let own_size = 2 * 46 + lengths[0] + lengths[1] + 22 + 4;
    let sizes = [u32::try_from(types.len()).unwrap(), own_size];
    let checksums = [checksum(types), OWN_CHECKSUM];
    // From the version needed to the length of the extra field; stored, not packed.
    let about = |part: usize| {
        let head = [&[20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0][..], &checksums[part].to_le_bytes()].concat();
        let size = sizes[part].to_le_bytes();
        [&head[..], &size, &size, &lengths[part].to_le_bytes()].concat()
    };
    let local = |part: usize| [b"PK\x03\x04", &about(part)[..], names[part].as_bytes()].concat();
    let listed = |part: usize, offset: usize| {
        let place = [&[0; 10][..], &u32::try_from(offset).unwrap().to_le_bytes()].concat();
        [b"PK\x01\x02\x14\0", &about(part)[..], &place, names[part].as_bytes()].concat()
    };
    let first = [&local(0)[..], types].concat();
    let mut archive = [&first[..], &local(1)].concat();
    let start = archive.len();
    archive.extend([listed(0, 0), listed(1, first.len())].concat());
    let directory = [archive.len() - start, start].map(|number| u32::try_from(number).unwrap().to_le_bytes());
    archive.extend([b"PK\x05\x06\0\0\0\0\x02\0\x02\0", &directory.concat()[..], b"\x04\0"].concat());
    let checksum = checksum(&archive[start..]);
    archive.extend(checksum.to_le_bytes());
    assert_eq!(archive.len() - start, own_size as usize);
    archive
}

/// CRC-32, as ZIP has it.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xEDB8_8320 * (sum & 1)))
    })
}

/// A DOCX with this body and nothing beside it.
pub fn docx(body: &str) -> Vec<u8> {
    docx_with(body, &[])
}

/// A DOCX with this body and further parts in `word/`, each without its root's tags.
pub fn docx_with(body: &str, parts: &[(&str, &str)]) -> Vec<u8> {
    let document = format!("<?xml version='1.0'?><w:document {W}><w:body>{body}</w:body></w:document>");
    let parts: Vec<(String, String)> = parts
        .iter()
        .map(|(name, content)| (format!("word/{name}.xml"), format!("<w:{name} {W}>{content}</w:{name}>")))
        .collect();
    let mut entries =
        vec![("[Content_Types].xml", CONTENT_TYPES.as_bytes()), ("word/document.xml", document.as_bytes())];
    entries.extend(parts.iter().map(|(name, content)| (name.as_str(), content.as_bytes())));
    zip(&entries)
}

/// A PDF from its objects, numbered from 1; the first is the catalog.
pub fn pdf(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut file = b"%PDF-1.5\n".to_vec();
    let mut offsets = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        offsets.push(file.len());
        file.extend(format!("{} 0 obj\n", index + 1).into_bytes());
        file.extend(object);
        file.extend(b"\nendobj\n");
    }
    let table = file.len();
    file.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).into_bytes());
    for offset in offsets {
        file.extend(format!("{offset:010} 00000 n \n").into_bytes());
    }
    let size = objects.len() + 1;
    file.extend(format!("trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n").into_bytes());
    file
}

/// The objects of a PDF with one page: its content is object 4, further objects follow.
pub fn one_page(resources: &str, content: Vec<u8>) -> Vec<Vec<u8>> {
    let page = format!(
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << {resources} >> /Contents 4 0 R >>"
    );
    vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
        page.into_bytes(),
        content,
    ]
}

/// A stream object.
pub fn stream(extra: &str, data: &[u8]) -> Vec<u8> {
    let mut object = format!("<< /Length {} {extra} >>\nstream\n", data.len()).into_bytes();
    object.extend(data);
    object.extend(b"\nendstream");
    object
}

/// As many zero bytes, packed as PDF packs streams.
pub fn packed_zeros(count: usize) -> Vec<u8> {
    let archive = zip(&[("zeros", &vec![0; count])]);
    let mut reader = ZipArchive::new(Cursor::new(archive.as_slice())).unwrap();
    let (start, length) = {
        let entry = reader.by_index_raw(0).unwrap();
        (index(entry.data_start().unwrap()), index(entry.compressed_size()))
    };
    // The sum of zeros: one byte for each, and nothing.
    let checksum = u32::try_from(count % 65521).unwrap() << 16 | 1;
    [&[0x78, 0x9C], &archive[start..start + length], &checksum.to_be_bytes()].concat()
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap()
}
