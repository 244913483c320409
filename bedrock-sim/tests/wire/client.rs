//! A client that shows the bytes: it knows when a connection ended in the middle.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder};
use aws_smithy_types::event_stream::Message;
use bedrock_sim::{Sim, SimOptions};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// No wait in any test is longer than this.
pub const PATIENCE: Duration = Duration::from_secs(10);
pub const SIGNED: &str = "authorization: AWS4-HMAC-SHA256 \
    Credential=AKID/20261120/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=00\r\n";
pub const TEXT: &str = "The bridge is open to all cyclists of the city. It cost four million euros. \
    The mayor spoke of a good day for Graz.";

pub async fn sim() -> Sim {
    Sim::start(SimOptions::default()).await.unwrap()
}

pub fn request() -> Value {
    json!({"messages": [{"role": "user", "content": [{"text": TEXT}]}]})
}

pub fn path(model: &str, operation: &str) -> String {
    format!("/model/{}/{operation}", model.replace(':', "%3A").replace('/', "%2F"))
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The answer was whole.
    Whole,
    /// The connection ended in the middle of it.
    Cut,
    /// The connection was reset.
    Reset,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
    /// The sizes of the pieces the body came in.
    pub pieces: Vec<usize>,
    pub end: End,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn events(&self) -> Vec<Event> {
        let (events, rest) = events(&self.body);
        assert!(rest == 0, "{rest} bytes are left over");
        events
    }
}

/// An event of a stream, as far as tests look at it.
#[derive(Debug, Clone)]
pub struct Event {
    pub headers: Vec<(String, String)>,
    pub payload: Value,
}

impl Event {
    pub fn kind(&self) -> &str {
        let names = [":event-type", ":exception-type", ":error-code"];
        let header = self.headers.iter().find(|(name, _)| names.contains(&name.as_str()));
        &header.unwrap().1
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> Option<&str> {
        self.payload["delta"]["text"].as_str()
    }
}

/// The whole frames in `bytes`, and how many bytes are left over.
pub fn events(bytes: &[u8]) -> (Vec<Event>, usize) {
    let mut rest = bytes;
    let mut decoder = MessageFrameDecoder::new();
    let mut events = Vec::new();
    let mut left = bytes.len();
    while let Ok(DecodedFrame::Complete(message)) = decoder.decode_frame(&mut rest) {
        left = rest.len();
        events.push(event(&message));
    }
    (events, left)
}

fn event(message: &Message) -> Event {
    let headers = message
        .headers()
        .iter()
        .map(|header| {
            let value = header.value().as_string().unwrap().as_str().to_owned();
            (header.name().as_str().to_owned(), value)
        })
        .collect();
    let payload = serde_json::from_slice(message.payload()).unwrap_or(Value::Null);
    Event { headers, payload }
}

pub fn text_of(events: &[Event]) -> String {
    events.iter().filter_map(Event::text).collect()
}

pub fn kinds(events: &[Event]) -> Vec<&str> {
    let mut kinds: Vec<&str> = events.iter().map(Event::kind).collect();
    kinds.dedup();
    kinds
}

/// Calls an operation and reads the answer to the end of the connection.
pub async fn call(sim: &Sim, model: &str, operation: &str, body: &Value) -> Answer {
    let target = path(model, operation);
    send(sim.addr(), "POST", &target, SIGNED, body.to_string().as_bytes()).await
}

pub async fn converse(sim: &Sim, model: &str) -> Answer {
    call(sim, model, "converse", &request()).await
}

pub async fn stream(sim: &Sim, model: &str) -> Answer {
    call(sim, model, "converse-stream", &request()).await
}

pub async fn send(addr: SocketAddr, method: &str, target: &str, headers: &str, body: &[u8]) -> Answer {
    let headers = format!("{headers}connection: close\r\n");
    let mut open = Open::send(addr, method, target, &headers, body).await;
    timeout(PATIENCE, open.read_to_end()).await.expect("the answer ends in time")
}

/// A call whose answer is read bit by bit. Dropping it closes the connection.
#[derive(Debug)]
pub struct Open {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Open {
    pub async fn stream(sim: &Sim, model: &str) -> Self {
        Self::call(sim, model, "converse-stream").await
    }

    pub async fn call(sim: &Sim, model: &str, operation: &str) -> Self {
        Self::post(sim, &path(model, operation), request().to_string().as_bytes()).await
    }

    pub async fn post(sim: &Sim, target: &str, body: &[u8]) -> Self {
        Self::send(sim.addr(), "POST", target, SIGNED, body).await
    }

    pub async fn send(addr: SocketAddr, method: &str, target: &str, headers: &str, body: &[u8]) -> Self {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        let length = body.len();
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: {addr}\r\ncontent-length: {length}\r\n{headers}\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        Self { stream, received: Vec::new() }
    }

    /// Reads until the answer so far fulfils `predicate`.
    pub async fn until(&mut self, predicate: impl Fn(&Answer) -> bool) -> Answer {
        let reading = async {
            loop {
                if let Some(answer) = parse(&self.received, End::Cut).filter(|answer| predicate(answer)) {
                    return answer;
                }
                let count = self.read().await.unwrap();
                assert!(
                    count > 0,
                    "the connection ended early: {:?}",
                    String::from_utf8_lossy(&self.received)
                );
            }
        };
        timeout(PATIENCE, reading).await.expect("it arrives in time")
    }

    pub async fn until_events(&mut self, count: usize) -> Vec<Event> {
        let answer = self.until(|answer| events(&answer.body).0.len() >= count).await;
        events(&answer.body).0
    }

    pub async fn read_to_end(&mut self) -> Answer {
        let end = loop {
            match self.read().await {
                Ok(0) => break End::Cut,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break End::Reset,
                Err(error) => panic!("{error}"),
            }
        };
        let nothing = Answer { status: 0, head: String::new(), body: Vec::new(), pieces: Vec::new(), end };
        parse(&self.received, end).unwrap_or(nothing)
    }

    async fn read(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 4096];
        let count = self.stream.read(&mut buffer).await?;
        self.received.extend_from_slice(&buffer[..count]);
        Ok(count)
    }
}

/// The answer in the bytes so far; its end is `end` unless it is whole.
fn parse(received: &[u8], end: End) -> Option<Answer> {
    let head_length = received.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let head = String::from_utf8(received[..head_length].to_vec()).unwrap();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let mut answer = Answer { status, head, body: Vec::new(), pieces: Vec::new(), end };
    let mut rest = &received[head_length + 4..];
    if let Some(length) = answer.header("content-length") {
        let length: usize = length.parse().unwrap();
        answer.body = rest.to_vec();
        if rest.len() >= length {
            answer.end = End::Whole;
        }
        return Some(answer);
    }
    while let Some(line) = rest.windows(2).position(|bytes| bytes == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        if size == 0 {
            answer.end = End::Whole;
            break;
        }
        rest = &rest[line + 2..];
        let here = size.min(rest.len());
        answer.body.extend_from_slice(&rest[..here]);
        answer.pieces.push(here);
        rest = rest.get(size + 2..).unwrap_or_default();
    }
    Some(answer)
}
