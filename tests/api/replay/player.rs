//! A server in Bedrock's place that plays captures, cut into pieces.

use std::fmt;
use std::sync::{Arc, Mutex};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::yield_now;

use super::capture::Capture;
use crate::support::{RawUpstream, read_request};

/// Where a body is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// Nowhere.
    Whole,
    /// After each byte.
    EachByte,
    /// At places that the seed chooses.
    Random { seed: u64 },
}

impl Split {
    fn pieces(self, body: &[u8]) -> Vec<&[u8]> {
        match self {
            Self::Whole => vec![body],
            Self::EachByte => body.chunks(1).collect(),
            Self::Random { seed } => {
                let mut random = StdRng::seed_from_u64(seed);
                let mut pieces = Vec::new();
                let mut rest = body;
                while !rest.is_empty() {
                    // Within a frame's prelude, in the middle of frames, and across several.
                    let most = [4, 60, 700][random.random_range(0..3)];
                    let (piece, more) = rest.split_at(random.random_range(1..=most.min(rest.len())));
                    pieces.push(piece);
                    rest = more;
                }
                pieces
            }
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => formatter.write_str("in one piece"),
            Self::EachByte => formatter.write_str("byte by byte"),
            Self::Random { seed } => write!(formatter, "cut at random, seed {seed}"),
        }
    }
}

/// The server. It answers every request with what plays now.
pub struct Player {
    upstream: RawUpstream,
    now: Arc<Mutex<Arc<[Vec<u8>]>>>,
}

impl Player {
    pub async fn start() -> Self {
        let now: Arc<Mutex<Arc<[Vec<u8>]>>> = Arc::new(Mutex::new(Arc::new([])));
        let playing = Arc::clone(&now);
        let upstream = RawUpstream::start(move |stream| answer(stream, Arc::clone(&playing))).await;
        Self { upstream, now }
    }

    pub fn url(&self) -> String {
        self.upstream.url("http")
    }

    /// From now on this body is the answer. Each piece is a chunk of its own, so the
    /// client's reader sees the cuts whatever the sockets join.
    pub fn put(&self, capture: &Capture, body: &[u8], split: Split) {
        let error_type = capture.error_type.iter().map(|name| format!("x-amzn-ErrorType: {name}\r\n"));
        let head = format!(
            "HTTP/1.1 {} Replayed\r\nx-amzn-RequestId: 00000000-replayed\r\n{}content-type: {}\r\n\
             transfer-encoding: chunked\r\n\r\n",
            capture.status,
            error_type.collect::<String>(),
            capture.content_type(),
        );
        let chunk = |piece: &[u8]| [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
        let pieces = split.pieces(body).into_iter().filter(|piece| !piece.is_empty()).map(chunk);
        let all = std::iter::once(head.into_bytes()).chain(pieces).chain([b"0\r\n\r\n".to_vec()]);
        *self.now.lock().unwrap() = all.collect();
    }
}

/// Answers request after request on one connection, as Bedrock does.
async fn answer(mut stream: TcpStream, playing: Arc<Mutex<Arc<[Vec<u8>]>>>) {
    stream.set_nodelay(true).unwrap();
    while !read_request(&mut stream).await.is_empty() {
        let pieces = Arc::clone(&playing.lock().unwrap());
        for piece in pieces.iter() {
            if stream.write_all(piece).await.is_err() {
                // The service has all it needs and is gone.
                return;
            }
            yield_now().await;
        }
    }
}

#[test]
fn a_split_loses_nothing_and_its_seed_tells_it() {
    let body: Vec<u8> = (0..2000_u32).map(|number| number.to_le_bytes()[0]).collect();
    for split in [Split::Whole, Split::EachByte, Split::Random { seed: 7 }] {
        assert_eq!(split.pieces(&body).concat(), body, "{split}");
    }
    let cut = |seed| Split::Random { seed }.pieces(&body).iter().map(|piece| piece.len()).collect::<Vec<_>>();
    assert_eq!(cut(7), cut(7));
    assert_ne!(cut(7), cut(8));
}
