//! Logs: one line a request with what an operator needs, and never a word of
//! the document, whatever the level.

use std::io;
use std::sync::{Arc, LazyLock, Mutex};

use bedrock_sim::{ApiError, Scenario};
use redraft::telemetry::{LogFormat, LogSettings, subscriber};
use serde_json::{Value, json};
use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{Request, TestApp};

/// Everything that was logged.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    pub fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// With one dispatcher alone, `tracing` decides for good by the first thread that comes to a place
/// whether anybody listens there, and threads of other tests come too. With two it asks them all.
static SECOND_DISPATCHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));

/// Runs `work` on this thread with everything it logs caught.
pub fn logged(filter: &str, work: impl Future<Output = ()>) -> Log {
    LazyLock::force(&SECOND_DISPATCHER);
    let log = Log::default();
    let settings = LogSettings { format: LogFormat::Json, filter: filter.to_owned() };
    let subscriber = subscriber(&settings, log.clone(), false).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tracing::subscriber::with_default(subscriber, || runtime.block_on(work));
    log
}

const MARKER: &str = "zebrafish-7741";

#[test]
fn no_word_of_a_document_is_ever_logged() {
    let log = logged("trace", async {
        let app = TestApp::start().await;
        let chain = app.default_chain().await;
        let text = format!("The {MARKER} swims. It is small. Nobody knows {MARKER} well.");
        let body = json!({"text": text, "context": MARKER, "shared_context": MARKER});
        for path in ["/v1/summarize", "/v1/rephrase", "/v1/expand", "/v1/summarize?stream=sse"] {
            assert_eq!(app.post(path, body.clone()).send().await.status, 200);
        }
        app.post("/v1/summarize", json!({"text": text, "type": MARKER, MARKER: 1})).send().await;
        app.post(&format!("/v1/summarize?{MARKER}=1"), body.clone()).send().await;
        let broken = Request::post(app.api, "/v1/summarize").header("content-type", "application/json");
        broken.body(format!("{{\"text\": \"{MARKER}")).send().await;
        for scenario in [
            Scenario::Error { error: ApiError::Validation },
            Scenario::CutMidFrame { after_deltas: 1 },
            Scenario::HtmlBadGateway,
        ] {
            app.sim.set_scenario(&chain.first, scenario);
            app.post("/v1/summarize", body.clone()).send().await;
            app.post("/v1/summarize?stream=sse", body.clone()).send().await;
        }
        assert!(app.stop().await);
    });
    let text = log.text();
    assert!(text.lines().count() >= 10, "something was logged: {text}");
    assert!(!text.contains(MARKER), "{:?}", text.lines().find(|line| line.contains(MARKER)));
    assert!(!text.contains("swims"));
}

#[test]
fn a_request_is_one_line_with_what_an_operator_needs() {
    let log = logged("info", async {
        let app = TestApp::start().await;
        let chain = app.default_chain().await;
        let body = json!({"text": "A red house. A blue house."});
        app.post("/v1/summarize", body.clone()).header("x-request-id", "one").send().await;
        app.fail(&chain.first, ApiError::AccessDenied);
        app.post("/v1/summarize?stream=sse", body.clone()).header("x-request-id", "two").send().await;
        app.fail("*", ApiError::ModelTimeout);
        app.post("/v1/summarize", body.clone()).header("x-request-id", "three").send().await;
        app.post("/v1/summarize", json!({})).header("x-request-id", "four").send().await;
        assert!(app.stop().await);
    });
    let lines = log.lines();
    let line = |id: &str| {
        let found: Vec<&Value> = lines.iter().filter(|line| line["request.id"] == id).collect();
        assert_eq!(found.len(), 1, "one line for {id}");
        found[0].clone()
    };
    let one = line("one");
    assert_eq!(
        (&one["task"], &one["outcome"], &one["attempts"]),
        (&json!("summarize"), &json!("ok"), &json!(1))
    );
    for member in
        ["model", "chain", "tokens.input", "tokens.output", "cost.usd", "time.total_ms", "generation.id"]
    {
        assert!(!one[member].is_null(), "{member} in {one}");
    }
    let two = line("two");
    assert_eq!(
        (&two["stream"], &two["fallback"], &two["attempts"]),
        (&json!("sse"), &json!(true), &json!(2))
    );
    assert!(two["time.first_token_ms"].is_number());
    let three = line("three");
    assert_eq!((&three["level"], &three["error"]), (&json!("WARN"), &json!("upstream_timeout")));
    assert!(three["cause"].as_str().unwrap().contains("model_timed_out"), "{three}");
    let four = line("four");
    assert_eq!((&four["outcome"], &four["error"]), (&json!("client_error"), &json!("validation_failed")));
}

#[test]
fn an_upstream_that_repeats_the_document_does_not_get_it_into_the_log() {
    let log = logged("trace", async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = listener.local_addr().unwrap();
        let echoing = tokio::spawn(echo(listener));
        let mut config = crate::support::load(&[]);
        config.bedrock.endpoint_url = Some(format!("http://{upstream}"));
        let app = redraft::app::App::build(&config).await.unwrap();
        let api = app.addresses().unwrap().public;
        let shutdown = tokio_util::sync::CancellationToken::new();
        let running = tokio::spawn(app.run(shutdown.clone()));
        for path in ["/v1/summarize", "/v1/summarize?stream=sse"] {
            let request = Request::post(api, path).header("content-type", "application/json");
            let body = json!({"text": format!("The {MARKER} swims.")}).to_string();
            let answer = request.body(body).send().await;
            assert!(!answer.text().contains(MARKER));
        }
        shutdown.cancel();
        assert!(running.await.unwrap());
        echoing.abort();
    });
    let text = log.text();
    assert!(text.contains("ValidationException"), "{text}");
    assert!(!text.contains(MARKER) && !text.contains("swims"), "{text}");
}

/// Refuses everything with a message that quotes what it was sent.
async fn echo(listener: tokio::net::TcpListener) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut seen = vec![0; 64 * 1024];
        let mut length = 0;
        while !String::from_utf8_lossy(&seen[..length]).contains("swims") {
            length += stream.read(&mut seen[length..]).await.unwrap();
        }
        // Words of every sub-case that is told apart by its text.
        let said = json!({"message": format!(
            "Invalid input, model identifier is invalid, input is too long near: The {MARKER} swims."
        )});
        let said = said.to_string();
        let answer = format!(
            "HTTP/1.1 400 Bad Request\r\nx-amzn-errortype: ValidationException\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{said}",
            said.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}
