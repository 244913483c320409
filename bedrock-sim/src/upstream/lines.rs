//! The lines of an event stream: from bytes to what stands after `data:`.
//!
//! Owns the cutting of bytes into lines, and how much is kept of one that has no end. Comments and
//! other fields are skipped; an event of chat completions is one line.
//! The one rule it protects: what is kept is bounded.

use bytes::{Buf, BytesMut};

/// A line has at most this size.
const MAX_LINE_BYTES: usize = 1024 * 1024;

/// Bytes that are cut into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pending: BytesMut,
    /// How much of what is pending is known to hold no end of a line.
    searched: usize,
}

/// A line is larger than any that is read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Lines {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// What the next line of data says, once it is whole.
    pub(super) fn next_data(&mut self) -> Result<Option<BytesMut>, TooLong> {
        while let Some(end) = self.pending[self.searched..].iter().position(|byte| *byte == b'\n') {
            let mut line = self.pending.split_to(self.searched + end);
            self.pending.advance(1);
            self.searched = 0;
            if line.last() == Some(&b'\r') {
                line.truncate(line.len() - 1);
            }
            if line.starts_with(b"data:") {
                line.advance(b"data:".len());
                let blanks = line.iter().take_while(|byte| **byte == b' ').count();
                line.advance(blanks);
                return Ok(Some(line));
            }
        }
        self.searched = self.pending.len();
        if self.searched > MAX_LINE_BYTES { Err(TooLong) } else { Ok(None) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lines: &mut Lines) -> Vec<String> {
        let next = || lines.next_data().unwrap();
        std::iter::from_fn(next).map(|line| String::from_utf8(line.to_vec()).unwrap()).collect()
    }

    #[test]
    fn data_is_found_wherever_the_bytes_are_cut() {
        let stream =
            ": hello\r\ndata: one\r\n\r\nevent: x\ndata:two\n\nid\ndata:   three\n\ndata: unfinished";
        for size in 1..stream.len() {
            let mut lines = Lines::default();
            let mut found = Vec::new();
            for piece in stream.as_bytes().chunks(size) {
                lines.add(piece);
                found.extend(all(&mut lines));
            }
            assert_eq!(found, ["one", "two", "three"], "in pieces of {size}");
        }
    }

    #[test]
    fn a_line_without_end_is_given_up() {
        let mut lines = Lines::default();
        lines.add(&[b'x'; MAX_LINE_BYTES]);
        assert_eq!(lines.next_data(), Ok(None));
        lines.add(b"x");
        assert_eq!(lines.next_data(), Err(TooLong));
    }
}
