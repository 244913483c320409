//! The service as a process of its own: start, readings from outside, end.
//!
//! Memory and descriptors are read from `/proc`, so that the test's own do not count.
//! The one rule it protects: the process never outlives the test, also when the test panics.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long the service may take to say where it listens, and to answer for its metrics.
const SOON: Duration = Duration::from_secs(20);
const KEPT_LOG_LINES: usize = 40;

/// A running `redraft serve`.
pub struct Service {
    child: Child,
    pub api: SocketAddr,
    ops: SocketAddr,
    last_lines: Arc<Mutex<VecDeque<String>>>,
}

/// What the process holds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reading {
    pub rss_bytes: u64,
    pub descriptors: usize,
    pub threads: usize,
}

impl Reading {
    /// The larger of each.
    pub fn max(self, other: Self) -> Self {
        Self {
            rss_bytes: self.rss_bytes.max(other.rss_bytes),
            descriptors: self.descriptors.max(other.descriptors),
            threads: self.threads.max(other.threads),
        }
    }
}

impl Service {
    /// Starts it against a simulator and waits until it listens.
    pub async fn start(endpoint_url: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_redraft"));
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", "/nonexistent")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "soak")
            .env("AWS_SECRET_ACCESS_KEY", "soak")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("REDRAFT__OPS__LISTEN", "127.0.0.1:0")
            .env("REDRAFT__BEDROCK__ENDPOINT_URL", endpoint_url)
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = child.stderr.take().unwrap();
        let last_lines = Arc::new(Mutex::new(VecDeque::new()));
        let (tell, told) = mpsc::sync_channel(1);
        let kept = Arc::clone(&last_lines);
        // It ends with the log, and the log with the process.
        std::thread::spawn(move || follow(log, &kept, &tell));
        let Ok((api, ops)) = told.recv_timeout(SOON) else {
            let _ended = child.kill();
            let _status = child.wait();
            panic!("the service does not listen: {last_lines:?}");
        };
        Self { child, api, ops, last_lines }
    }

    pub fn reading(&self) -> Reading {
        let process = format!("/proc/{}", self.child.id());
        let status = std::fs::read_to_string(format!("{process}/status")).unwrap();
        let number = |name: &str| -> u64 {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        Reading {
            rss_bytes: number("VmRSS:") * 1024,
            threads: usize::try_from(number("Threads:")).unwrap(),
            descriptors: std::fs::read_dir(format!("{process}/fd")).unwrap().count(),
        }
    }

    pub async fn metrics(&self) -> Exposition {
        let asking = async {
            let stream = TcpStream::connect(self.ops).await.unwrap();
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
            let request =
                hyper::Request::get("/metrics").header("host", "soak").body(Empty::<bytes::Bytes>::new());
            let answer = async {
                let answer = sender.send_request(request.unwrap()).await.unwrap();
                answer.into_body().collect().await.unwrap().to_bytes()
            };
            tokio::select! {
                text = answer => text,
                end = connection => panic!("the connection ended before the answer: {end:?}"),
            }
        };
        let text = timeout(SOON, asking).await.expect("metrics in time");
        Exposition(String::from_utf8(text.to_vec()).unwrap())
    }

    /// Asks it to stop and waits for its exit code; `None` when it does not end.
    pub fn terminate(&mut self, patience: Duration) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let waiting = std::thread::scope(|scope| {
            let (ended, end) = mpsc::sync_channel::<()>(1);
            // A process that hangs is killed, which is no exit code.
            scope.spawn(move || {
                if end.recv_timeout(patience).is_err() {
                    let _killed = Command::new("kill").args(["-KILL", &pid]).status();
                }
            });
            let status = self.child.wait().unwrap();
            let _told = ended.send(());
            status
        });
        waiting.code()
    }

    /// The end of its log.
    pub fn last_words(&self) -> String {
        let lines = self.last_lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already, which is what the test wants.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Reads the log to its end: a full pipe would stop the service.
fn follow(
    log: ChildStderr,
    kept: &Mutex<VecDeque<String>>,
    tell: &mpsc::SyncSender<(SocketAddr, SocketAddr)>,
) {
    for line in BufReader::new(log).lines().map_while(Result::ok) {
        if line.contains("redraft is listening") {
            let address = |name: &str| -> Option<SocketAddr> {
                line.split(&format!("\"{name}\":\"")).nth(1)?.split('"').next()?.parse().ok()
            };
            if let Some(addresses) = address("api").zip(address("ops")) {
                let _nobody_waits = tell.try_send(addresses);
            }
        }
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT_LOG_LINES {
            kept.pop_front();
        }
        kept.push_back(line);
    }
}

/// The text of `/metrics`.
pub struct Exposition(String);

impl Exposition {
    /// All series of a name, added up.
    pub fn sum(&self, name: &str) -> f64 {
        let values: Vec<f64> =
            self.series().filter(|(found, _)| *found == name).map(|(_, value)| value).collect();
        assert!(!values.is_empty(), "no series {name}");
        values.iter().sum()
    }

    /// Gauges that count work at hand, as far as they are not zero.
    pub fn gauges_of_work_above_zero(&self) -> Vec<String> {
        let of_work = |name: &str| {
            ["inflight", "in_flight", "queued", "waiting", "_active", "active_requests"]
                .iter()
                .any(|word| name.contains(word))
        };
        let gauges: Vec<&str> = self
            .0
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" gauge"))
            .filter(|name| of_work(name))
            .collect();
        assert!(gauges.len() >= 4, "the gauges of work have other names: {gauges:?}");
        let busy = self.series().filter(|(name, value)| gauges.contains(name) && *value != 0.0);
        busy.map(|(name, value)| format!("{name} {value}")).collect()
    }

    fn series(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            Some((series.split('{').next()?, value.parse().ok()?))
        })
    }
}
