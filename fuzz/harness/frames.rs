//! AWS event-stream frames, written and read by the book, apart from the SDK's own reader.
//!
//! A frame is a prelude (length, length of the headers, checksum), headers, a payload and a
//! checksum. The one rule it protects: the reader takes a frame only when both checksums hold.

/// A frame that arrived whole.
#[derive(Debug, PartialEq)]
pub struct Frame {
    /// Names and values of the headers that are strings.
    pub headers: Vec<(String, String)>,
    pub payload: Vec<u8>,
}

const PRELUDE_BYTES: usize = 12;
const CHECKSUM_BYTES: usize = 4;
const STRING_HEADER: u8 = 7;

impl Frame {
    pub fn event(kind: &str, payload: &[u8]) -> Self {
        Self::new(
            &[(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")],
            payload,
        )
    }

    pub fn exception(kind: &str, payload: &[u8]) -> Self {
        let headers = [
            (":exception-type", kind),
            (":content-type", "application/json"),
            (":message-type", "exception"),
        ];
        Self::new(&headers, payload)
    }

    pub fn new(headers: &[(&str, &str)], payload: &[u8]) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { headers, payload: payload.to_vec() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|(known, value)| (known == name).then_some(value.as_str()))
    }

    /// The frame's bytes. Names have at most 255 bytes here, values at most 65,535.
    pub fn write(&self) -> Vec<u8> {
        let mut headers = Vec::new();
        for (name, value) in &self.headers {
            headers.push(u8::try_from(name.len()).expect("a short name"));
            headers.extend_from_slice(name.as_bytes());
            headers.push(STRING_HEADER);
            headers.extend_from_slice(&u16::try_from(value.len()).expect("a short value").to_be_bytes());
            headers.extend_from_slice(value.as_bytes());
        }
        let total = PRELUDE_BYTES + headers.len() + self.payload.len() + CHECKSUM_BYTES;
        let word = |length: usize| u32::try_from(length).expect("a small frame").to_be_bytes();
        let mut frame = [word(total), word(headers.len())].concat();
        frame.extend_from_slice(&checksum(&frame).to_be_bytes());
        frame.extend_from_slice(&headers);
        frame.extend_from_slice(&self.payload);
        frame.extend_from_slice(&checksum(&frame).to_be_bytes());
        frame
    }
}

/// The frames at the beginning of `bytes`, up to the first that is broken.
pub fn read(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some((frame, rest)) = read_one(bytes) {
        frames.push(frame);
        bytes = rest;
    }
    frames
}

fn read_one(bytes: &[u8]) -> Option<(Frame, &[u8])> {
    let total = usize::try_from(word_at(bytes, 0)?).ok()?;
    let headers_length = usize::try_from(word_at(bytes, 4)?).ok()?;
    let frame = bytes.get(..total)?;
    let body_end = total.checked_sub(CHECKSUM_BYTES)?;
    let headers_end = PRELUDE_BYTES.checked_add(headers_length).filter(|end| *end <= body_end)?;
    let sound = word_at(frame, 8)? == checksum(&frame[..8])
        && word_at(frame, body_end)? == checksum(&frame[..body_end]);
    let headers = read_headers(&frame[PRELUDE_BYTES..headers_end])?;
    let payload = frame[headers_end..body_end].to_vec();
    sound.then_some((Frame { headers, payload }, &bytes[total..]))
}

fn read_headers(mut bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let mut headers = Vec::new();
    while !bytes.is_empty() {
        let name_length = usize::from(take(&mut bytes, 1)?[0]);
        let name = String::from_utf8(take(&mut bytes, name_length)?.to_vec()).ok()?;
        let kind = take(&mut bytes, 1)?[0];
        let length = match kind {
            0 | 1 => 0,
            2 => 1,
            3 => 2,
            4 => 4,
            5 | 8 => 8,
            9 => 16,
            6 | STRING_HEADER => usize::from(u16::from_be_bytes(take(&mut bytes, 2)?.try_into().ok()?)),
            _ => return None,
        };
        let value = take(&mut bytes, length)?;
        if kind == STRING_HEADER {
            headers.push((name, String::from_utf8(value.to_vec()).ok()?));
        }
    }
    Some(headers)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn word_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// CRC-32 as in zip and Ethernet.
fn checksum(bytes: &[u8]) -> u32 {
    let byte = |checksum: u32, byte: &u8| {
        (0..8).fold(checksum ^ u32::from(*byte), |checksum, _| {
            (checksum >> 1) ^ (0xedb8_8320 & (checksum & 1).wrapping_neg())
        })
    };
    !bytes.iter().fold(u32::MAX, byte)
}
