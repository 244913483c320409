//! Connections to Bedrock: over TLS and HTTP/2, enough of them, and none that is dead.
//!
//! The simulator speaks TLS here and lets 100 calls share a connection, as AWS
//! does. Its certificate is trusted through the setting that operators use.

use std::sync::Arc;
use std::time::Duration;

use bedrock_sim::{Scenario, Sim, SimOptions, TlsIdentity};
use futures_util::StreamExt as _;
use redraft::domain::{Boundary, CallFailure, FencedDocument, ModelId, Prompt, Region};
use redraft::inference::bedrock::BedrockBackend;
use redraft::inference::{ModelBackend as _, ModelCall, ModelEvent, ModelStream};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::support::{FreezingRelay, RawUpstream, Request, TestApp, load, read_request};

const AUTHORITY: (&str, &str) = ("BEDROCK__CA_FILE", "bedrock-sim/tests/fixtures/tls/authority.pem");
const CHAIN: &[u8] = include_bytes!("../../bedrock-sim/tests/fixtures/tls/server.pem");
const KEY: &[u8] = include_bytes!("../../bedrock-sim/tests/fixtures/tls/server.key");

const CALLS_PER_CONNECTION: usize = 100;
const CALLS: usize = 500;
const PATIENCE: Duration = Duration::from_secs(30);
/// What "nothing more comes" is judged by: other calls needed a tenth of it.
const A_WHILE: Duration = Duration::from_secs(1);

pub async fn tls_sim() -> Sim {
    let tls = Some(TlsIdentity::from_pem(CHAIN, KEY));
    let max_concurrent_streams = u32::try_from(CALLS_PER_CONNECTION).unwrap();
    Sim::start(SimOptions { tls, max_concurrent_streams, ..SimOptions::default() }).await.unwrap()
}

async fn backend(endpoint: String, settings: &[(&str, &str)]) -> Arc<BedrockBackend> {
    let mut bedrock = load(settings).bedrock;
    bedrock.endpoint_url = Some(endpoint);
    Arc::new(BedrockBackend::connect(bedrock).await)
}

pub fn call(region: Option<&str>) -> ModelCall {
    let fence = Boundary::fixed("0000000000000000");
    ModelCall {
        model: ModelId::parse("us.amazon.nova-2-lite-v1:0").unwrap(),
        region: region.map(Region::new),
        prompt: Arc::new(Prompt {
            system: "Summarize the text.".to_owned(),
            shared_bytes: 0,
            quoted: 0..0,
            user: FencedDocument {
                before: String::new(),
                opening: format!("<{fence}>\n"),
                document: "A door. A key. A lock.".into(),
                closing: format!("\n</{fence}>"),
            },
            later: Vec::new(),
        }),
        max_tokens: 100,
        temperature: None,
        terms: Arc::default(),
        guardrail: None,
        cache_shared: false,
        output_schema: None,
        metadata: Arc::default(),
    }
}

/// Opens that many streams at once and returns each when its first word has come.
fn open(backend: &Arc<BedrockBackend>, count: usize) -> JoinSet<ModelStream> {
    let mut opening = JoinSet::new();
    for _ in 0..count {
        let backend = Arc::clone(backend);
        opening.spawn(async move {
            let mut stream = backend.stream(&call(None)).await.unwrap();
            while !matches!(stream.next().await.unwrap().unwrap(), ModelEvent::Text(_)) {}
            stream
        });
    }
    opening
}

/// A stream that has begun goes on until it is dropped.
fn never_ends() -> Scenario {
    Scenario::Stall { after_deltas: 1, for_ms: None }
}

#[tokio::test]
async fn five_hundred_streams_to_one_region_run_at_once() {
    let sim = tls_sim().await;
    sim.set_scenario("*", never_ends());
    let backend = backend(sim.endpoint_url(), &[AUTHORITY]).await;
    let streams = timeout(PATIENCE, open(&backend, CALLS).join_all()).await.expect("none waits for another");
    assert_eq!(streams.len(), CALLS);
    let connections = sim.connections_accepted();
    assert_eq!(connections, CALLS.div_ceil(64), "one handshake each, although all calls came at once");

    // A call gives its place back when its stream is dropped: nothing new is opened.
    drop(streams);
    let again = timeout(PATIENCE, open(&backend, CALLS).join_all()).await.expect("there is room again");
    assert_eq!((again.len(), sim.connections_accepted()), (CALLS, connections));
}

#[tokio::test]
async fn five_hundred_answers_to_callers_are_written_at_once() {
    let settings = [AUTHORITY, ("CLOCKS__FIRST_EVENT_MS", "60000"), ("CLOCKS__IDLE_MS", "60000")];
    let app = TestApp::over(tls_sim().await, &settings).await;
    app.sim.set_scenario("*", never_ends());
    let mut opening = JoinSet::new();
    for _ in 0..CALLS {
        let request = app.post("/v1/summarize?stream=sse", json!({"text": "A door. A key. A lock."}));
        opening.spawn(async move {
            let mut stream = request.patience(PATIENCE).open().await;
            stream.read_until(|text| text.contains("event: delta")).await;
            stream
        });
    }
    let streams = timeout(2 * PATIENCE, opening.join_all()).await.expect("none waits for another");
    assert_eq!(streams.len(), CALLS);
    let chain = app.default_chain().await;
    let first = [("model", &*chain.first), ("region", "own")];
    assert_eq!(app.metric("redraft_target_in_flight", &first).await, 500.0, "all by the first model");
    drop(streams);
    while app.metric("redraft_target_in_flight", &first).await > 0.0 {}
}

#[tokio::test]
async fn over_one_connection_calls_beyond_the_servers_limit_wait_for_others_to_end() {
    let sim = tls_sim().await;
    sim.set_scenario("*", never_ends());
    let one = ("BEDROCK__MAX_CONNECTIONS_PER_REGION", "1");
    let backend = backend(sim.endpoint_url(), &[AUTHORITY, one]).await;
    let mut opening = open(&backend, CALLS);
    let mut streams = Vec::new();
    for _ in 0..CALLS_PER_CONNECTION {
        streams.push(timeout(PATIENCE, opening.join_next()).await.unwrap().unwrap().unwrap());
    }
    assert!(timeout(A_WHILE, opening.join_next()).await.is_err(), "this is what more connections are for");
    streams.pop();
    let next = timeout(PATIENCE, opening.join_next()).await.expect("one ended, so the next begins");
    assert!(next.unwrap().is_ok());
    assert_eq!(sim.connections_accepted(), 1);
}

/// A server that knows no HTTP/2, as many TLS proxies do. It answers only when
/// that many calls have come.
async fn http_1_only(calls: usize) -> RawUpstream {
    let chain = CertificateDer::pem_slice_iter(CHAIN).collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let tls = TlsAcceptor::from(Arc::new(config));
    let all_are_here = Arc::new(Barrier::new(calls));
    RawUpstream::start(move |stream| {
        let (tls, all_are_here) = (tls.clone(), Arc::clone(&all_are_here));
        async move {
            let mut stream = tls.accept(stream).await.unwrap();
            read_request(&mut stream).await;
            all_are_here.wait().await;
            let body = json!({"message": "Model not found."}).to_string();
            let head = format!(
                "HTTP/1.1 404 Not Found\r\nx-amzn-errortype: ResourceNotFoundException\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all(&[head, body].concat().into_bytes()).await.unwrap();
        }
    })
    .await
}

#[tokio::test]
async fn a_server_without_http_2_gets_a_connection_for_each_call_whatever_the_bound() {
    const AT_ONCE: usize = 40;
    let upstream = http_1_only(AT_ONCE).await;
    let one = ("BEDROCK__MAX_CONNECTIONS_PER_REGION", "1");
    let backend = backend(upstream.url("https"), &[AUTHORITY, one]).await;
    let mut calls = JoinSet::new();
    for _ in 0..AT_ONCE {
        let backend = Arc::clone(&backend);
        calls.spawn(async move { backend.complete(&call(None)).await.unwrap_err().kind });
    }
    let answers = timeout(PATIENCE, calls.join_all()).await.expect("none waits for another");
    assert_eq!(answers, [CallFailure::ModelGone; AT_ONCE]);
    assert_eq!(upstream.connections_accepted(), AT_ONCE);
}

#[tokio::test]
async fn when_a_connection_cannot_be_opened_all_that_wait_for_it_fail_with_it() {
    // It takes connections, and says nothing that TLS could understand.
    let upstream = RawUpstream::start(|mut stream| async move {
        stream.write_all(b"220 mail.example ESMTP\r\n").await.unwrap();
    })
    .await;
    let backend = backend(upstream.url("https"), &[AUTHORITY]).await;
    let mut calls = JoinSet::new();
    for _ in 0..40 {
        let backend = Arc::clone(&backend);
        calls.spawn(async move { backend.complete(&call(None)).await.unwrap_err().kind });
    }
    let answers = timeout(PATIENCE, calls.join_all()).await.expect("they fail together");
    assert_eq!(answers, [CallFailure::Unreachable; 40]);
    assert_eq!(upstream.connections_accepted(), 1, "one attempt for all");
}

#[tokio::test]
async fn the_whole_service_answers_over_tls_and_reuses_its_connection() {
    let app = TestApp::over(tls_sim().await, &[AUTHORITY]).await;
    for path in ["/v1/summarize", "/v1/summarize?stream=sse", "/v1/rephrase"] {
        let answer = app.post(path, json!({"text": "A door. A key. A lock."})).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(app.sim.connections_accepted(), 1);
    assert!(Request::get(app.api, "/readyz").send().await.status.is_success());
}

#[tokio::test]
async fn a_server_whose_authority_is_not_trusted_is_unreachable() {
    let sim = tls_sim().await;
    let backend = backend(sim.endpoint_url(), &[]).await;
    let error = timeout(PATIENCE, backend.complete(&call(None))).await.unwrap().unwrap_err();
    assert_eq!(error.kind, CallFailure::Unreachable, "{error}");
    assert!(error.cause.contains("certificate"), "the log says why: {error}");
    assert!(sim.calls().is_empty());
}

/// Waits on paused time, so that only the waits of this process pass.
async fn give_up_after(backend: &BedrockBackend, time: Duration) {
    tokio::time::pause();
    assert!(timeout(time, backend.complete(&call(None))).await.is_err(), "nothing comes back");
    tokio::time::resume();
}

#[tokio::test]
async fn a_connection_that_fell_silent_takes_one_call_with_it_and_no_second() {
    let sim = tls_sim().await;
    let relay = FreezingRelay::to(sim.addr()).await;
    let backend = backend(relay.url("https"), &[AUTHORITY]).await;
    backend.complete(&call(None)).await.unwrap();
    relay.freeze();
    give_up_after(&backend, Duration::from_secs(6)).await;
    assert_eq!(relay.connections_accepted(), 1);
    timeout(PATIENCE, backend.complete(&call(None))).await.expect("over a new connection").unwrap();
    assert_eq!(relay.connections_accepted(), 2);
}

#[tokio::test]
async fn a_caller_who_leaves_early_condemns_no_connection() {
    let sim = tls_sim().await;
    let backend = backend(sim.endpoint_url(), &[AUTHORITY]).await;
    backend.complete(&call(None)).await.unwrap();
    sim.set_scenario("*", Scenario::SlowHeaders { wait_ms: 600_000 });
    give_up_after(&backend, Duration::from_secs(4)).await;
    sim.clear_scenarios();
    backend.complete(&call(None)).await.unwrap();
    assert_eq!(sim.connections_accepted(), 1);
}

#[tokio::test]
async fn regions_are_served_side_by_side_and_more_can_be_added() {
    let sim = tls_sim().await;
    let backend = backend(sim.endpoint_url(), &[AUTHORITY]).await;
    let (oregon, ireland) = (Region::new("us-west-2"), Region::new("eu-west-1"));
    let error = backend.complete(&call(Some("us-west-2"))).await.unwrap_err();
    assert!(error.cause.contains("no client exists"), "{error}");
    backend.serve_regions(std::slice::from_ref(&oregon));
    backend.complete(&call(Some("us-west-2"))).await.unwrap();
    backend.serve_regions(&[ireland]);
    for region in [None, Some("us-east-1"), Some("us-west-2"), Some("eu-west-1")] {
        backend.complete(&call(region)).await.unwrap_or_else(|error| panic!("{region:?}: {error}"));
    }
}
