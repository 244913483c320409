//! A client for measurements: a steady rate of requests, or many streams held open at once.
//!
//! `load_client rate URL BODY_FILE PER_SECOND SECONDS whole|first` sends requests at fixed times and
//! prints percentiles of the time to the whole answer or to the first piece of text. The time runs
//! from when a request was due, so that a slow answer does not hide the ones behind it.
//! `load_client hold URL BODY_FILE STREAMS SECONDS` opens streams, waits for the first piece of text
//! of each, holds them, and prints how many were open. `benches/added_latency.sh` and
//! `benches/open_streams.sh` run it.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at, timeout, timeout_at};

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Sender = SendRequest<Full<Bytes>>;

const PATIENCE: Duration = Duration::from_secs(60);
const OPENED_PER_SECOND: u64 = 500;

/// What stands in a piece of text, in our events and in those of the bare handler.
const FIRST_TEXT: &[&[u8]] = &[b"event: delta", b"data: {\"text\""];

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["rate", url, body, per_second, seconds, until] => {
            rate(url, body, per_second, seconds, until == "first").await
        }
        ["hold", url, body, streams, seconds] => hold(url, body, streams, seconds).await,
        _ => Err(
            "usage: rate URL BODY_FILE PER_SECOND SECONDS whole|first, or hold URL BODY_FILE STREAMS SECONDS"
                .into(),
        ),
    };
    match outcome {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("load_client: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Where requests go, and the connections that wait for the next one.
#[derive(Clone)]
struct Target {
    address: SocketAddr,
    path: String,
    body: Bytes,
    idle: Arc<Mutex<Vec<Sender>>>,
}

impl Target {
    fn new(url: &str, body_file: &str) -> Result<Self, Failure> {
        let uri: Uri = url.parse()?;
        let address = uri.authority().ok_or("the URL has no address")?.as_str().parse()?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { address, path, body: Bytes::from(std::fs::read(body_file)?), idle: Arc::default() })
    }

    async fn ask(&self) -> Result<(Sender, Response<Incoming>), Failure> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut sender = match kept {
            Some(mut sender) => {
                sender.ready().await?;
                sender
            }
            None => self.connect().await?,
        };
        let request = Request::post(&self.path)
            .header("host", self.address.to_string())
            .header("content-type", "application/json")
            .body(Full::new(self.body.clone()))?;
        let response = sender.send_request(request).await?;
        if !response.status().is_success() {
            return Err(format!("status {}", response.status()).into());
        }
        Ok((sender, response))
    }

    async fn connect(&self) -> Result<Sender, Failure> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends when its sender and its answer are dropped.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }
}

async fn rate(
    url: &str,
    body: &str,
    per_second: &str,
    seconds: &str,
    first: bool,
) -> Result<String, Failure> {
    let target = Target::new(url, body)?;
    let (per_second, seconds): (u32, u32) = (per_second.parse()?, seconds.parse()?);
    let gap = Duration::from_secs(1) / per_second.max(1);
    let begins = Instant::now() + gap;
    let mut due = interval_at(begins, gap);
    let mut requests = JoinSet::new();
    for _ in 0..per_second * seconds {
        let at = due.tick().await;
        let target = target.clone();
        requests.spawn(async move { timeout(PATIENCE, time_one(&target, at, first)).await });
    }
    let (mut times, mut failed) = (Vec::new(), 0);
    while let Some(ended) = requests.join_next().await {
        match ended? {
            Ok(Ok(time)) => times.push(time),
            Ok(Err(_)) | Err(_) => failed += 1,
        }
    }
    times.sort_unstable();
    let at = |percent: usize| {
        let index = (times.len() * percent).div_ceil(100).max(1) - 1;
        times.get(index).map_or(0, Duration::as_micros)
    };
    Ok(format!("{} {} {} {failed}", at(50), at(99), times.len()))
}

/// The time from when the request was due to the first text or to the end of its answer.
async fn time_one(target: &Target, due: Instant, first: bool) -> Result<Duration, Failure> {
    let (sender, response) = target.ask().await?;
    let mut body = response.into_body();
    let mut time = None;
    while let Some(frame) = body.frame().await {
        let data = frame?.into_data().unwrap_or_default();
        if first && time.is_none() && holds_text(&data) {
            time = Some(due.elapsed());
        }
    }
    let time = if first { time.ok_or("a stream without text")? } else { due.elapsed() };
    target.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
    Ok(time)
}

async fn hold(url: &str, body: &str, streams: &str, seconds: &str) -> Result<String, Failure> {
    let target = Target::new(url, body)?;
    let (streams, seconds): (usize, u64) = (streams.parse()?, seconds.parse()?);
    let mut opening = interval_at(Instant::now(), Duration::from_secs(1) / u32::try_from(OPENED_PER_SECOND)?);
    let (told, mut tells) = tokio::sync::mpsc::channel(1024);
    let mut tasks = JoinSet::new();
    for _ in 0..streams {
        opening.tick().await;
        let (target, told) = (target.clone(), told.clone());
        tasks.spawn(async move { keep(&target, &told).await });
    }
    drop(told);
    let until = Instant::now() + PATIENCE;
    let mut open = 0;
    while open < streams {
        match timeout_at(until, tells.recv()).await {
            Ok(Some(())) => open += 1,
            Ok(None) | Err(_) => break,
        }
    }
    println!("open {open}");
    // Nobody ends while they are held, or it would be told.
    let mut ended = 0;
    let until = Instant::now() + Duration::from_secs(seconds);
    while let Ok(Some(end)) = timeout_at(until, tasks.join_next()).await {
        ended += 1;
        if let Ok(Err(error)) = end {
            eprintln!("load_client: a stream ended: {error}");
        }
    }
    Ok(format!("held {open} ended {ended}"))
}

/// Reads a stream to its end and tells when its first text came.
async fn keep(target: &Target, told: &tokio::sync::mpsc::Sender<()>) -> Result<(), Failure> {
    let (_sender, response) = target.ask().await?;
    let mut body = response.into_body();
    let mut has_text = false;
    while let Some(frame) = body.frame().await {
        let data = frame?.into_data().unwrap_or_default();
        if !has_text && holds_text(&data) {
            has_text = true;
            told.send(()).await?;
        }
    }
    Ok(())
}

fn holds_text(data: &[u8]) -> bool {
    FIRST_TEXT.iter().any(|mark| data.windows(mark.len()).any(|window| window == *mark))
}
