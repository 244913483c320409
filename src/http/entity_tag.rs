//! Entity tags of files that are part of the binary.
//!
//! Owns how a tag is made and recognized. A tag is weak, because the same file is also sent
//! compressed.

use axum::http::header::IF_NONE_MATCH;
use axum::http::{HeaderMap, HeaderValue};

/// The tag of a file. FNV-1a: every build of the same file has to come to the same value, and
/// nobody gains by forging one.
pub(super) fn entity_tag(file: &[u8]) -> HeaderValue {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let tag = format!("W/\"{:016x}\"", file.iter().fold(0xcbf2_9ce4_8422_2325, step));
    HeaderValue::try_from(tag).expect("hexadecimal digits are header characters")
}

/// Whether the client has this version. Clients send back what they were given, whole.
pub(super) fn is_known(asked: &HeaderMap, tag: &HeaderValue) -> bool {
    let known = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known.flat_map(|list| list.split(',')).any(|one| one.trim().as_bytes() == tag.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::{entity_tag, is_known};
    use axum::http::header::IF_NONE_MATCH;
    use axum::http::{HeaderMap, HeaderValue};

    #[test]
    fn a_file_is_known_by_its_own_tag_among_others() {
        let (one, other) = (entity_tag(b"one"), entity_tag(b"other"));
        assert_eq!(entity_tag(b"one"), one);
        let asked = format!("\"x\", {}", one.to_str().unwrap());
        let asked = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::try_from(asked).unwrap())]);
        assert!(is_known(&asked, &one) && !is_known(&asked, &other));
        assert!(!is_known(&HeaderMap::new(), &one));
    }
}
