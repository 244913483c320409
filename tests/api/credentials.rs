//! Credentials that come late, expire in flight, and are renewed: the binary as
//! an operator runs it, with the files that the AWS default chain reads.
//!
//! A process of its own for each test, because the chain reads the environment.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use bedrock_sim::{ApiError, Scenario, Sim, SimOptions};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{Answer, RawUpstream, Request, TestApp, read_request};
use crate::validation::assert_problem;

const PATIENCE: Duration = Duration::from_secs(20);

/// A credentials file of one test alone, removed at its end.
struct CredentialsFile(PathBuf);

impl CredentialsFile {
    fn named(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("redraft-{}-{name}", std::process::id())))
    }

    fn hold(&self, key: &str) {
        let text = format!("[default]\naws_access_key_id = {key}\naws_secret_access_key = secret\n");
        std::fs::write(&self.0, text).unwrap();
    }
}

impl Drop for CredentialsFile {
    fn drop(&mut self) {
        // A test that failed early has not written it.
        let _removed = std::fs::remove_file(&self.0);
    }
}

/// `redraft serve`, ended when it is dropped.
struct Service {
    child: Child,
    api: SocketAddr,
    /// Held open: a log that nobody can write to would end the process.
    _log: BufReader<ChildStderr>,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Service {
    fn start(endpoint: &str, credentials: &CredentialsFile) -> Self {
        let file = credentials.0.to_string_lossy().into_owned();
        Self::with(endpoint, &[("AWS_REGION", "us-east-1"), ("AWS_SHARED_CREDENTIALS_FILE", &file)])
    }

    /// With these variables and none else that would lead to credentials.
    fn with(endpoint: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_redraft"));
        command.args(["serve", "--listen", "127.0.0.1:0"]).env_clear().envs([
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", endpoint),
            ("HOME", "/nonexistent"),
            ("REDRAFT__OPS__LISTEN", "127.0.0.1:0"),
            ("REDRAFT__BEDROCK__SIGN_IN_RETRY_MS", "100"),
        ]);
        command.envs(variables.iter().copied());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("redraft is listening") {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "it starts");
        }
        let api = line.split("\"api\":\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
        Self { child, api, _log: log }
    }

    async fn summarize(&self) -> Answer {
        let request = Request::post(self.api, "/v1/summarize").header("content-type", "application/json");
        request.body(json!({"text": "A door. A key. A lock."}).to_string()).send().await
    }

    async fn becomes(&self, ready: bool) {
        ready_is(self.api, ready).await;
    }
}

/// Asks until readiness is as it should be.
async fn ready_is(api: SocketAddr, ready: bool) {
    let asking = async { while Request::get(api, "/readyz").send().await.status.is_success() != ready {} };
    timeout(PATIENCE, asking).await.unwrap_or_else(|_elapsed| panic!("/readyz says {ready} in time"));
}

#[tokio::test]
async fn credentials_that_appear_after_the_start_make_it_ready() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let file = CredentialsFile::named("late");
    let service = Service::start(&sim.endpoint_url(), &file);
    service.becomes(false).await;
    assert_problem(&service.summarize().await, 503, "all_models_unavailable");
    assert!(sim.calls().is_empty(), "nothing is sent that cannot be signed");
    file.hold("AKIDFIRST");
    service.becomes(true).await;
    assert_eq!(service.summarize().await.status, 200);
}

/// Takes no other key than this, as AWS does after the first has expired.
async fn accept_only(key: &str, stream: TcpStream) {
    accept_if(&format!("credential={}/", key.to_lowercase()), stream).await;
}

/// Takes requests whose head holds this, in lower case.
async fn accept_if(wanted: &str, mut stream: TcpStream) {
    let head = read_request(&mut stream).await;
    let (status, kind, body) = if head.contains(wanted) {
        let content = json!([{"text": "A door, a key and a lock."}]);
        let message = json!({"role": "assistant", "content": content});
        let usage = json!({"inputTokens": 9, "outputTokens": 9, "totalTokens": 18});
        (
            200,
            "",
            json!({"output": {"message": message}, "stopReason": "end_turn", "usage": usage, "metrics": {"latencyMs": 1}}),
        )
    } else {
        (
            403,
            "x-amzn-errortype: ExpiredTokenException\r\n",
            json!({"message": "The security token is expired"}),
        )
    };
    let body = body.to_string();
    let answer = format!(
        "HTTP/1.1 {status} X\r\n{kind}content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn a_file_that_was_renewed_replaces_credentials_that_expired() {
    let upstream = RawUpstream::start(|stream| accept_only("AKIDSECOND", stream)).await;
    let file = CredentialsFile::named("renewed");
    file.hold("AKIDFIRST");
    let service = Service::start(&upstream.url("http"), &file);
    service.becomes(true).await;
    assert_problem(&service.summarize().await, 503, "all_models_unavailable");
    service.becomes(false).await;
    file.hold("AKIDSECOND");
    let renewed = async { while service.summarize().await.status != 200 {} };
    timeout(PATIENCE, renewed).await.expect("the new key is used without a restart");
    service.becomes(true).await;
}

#[tokio::test]
async fn a_call_is_signed_anew_when_its_credentials_were_renewed_meanwhile() {
    let upstream = RawUpstream::start(|stream| accept_only("AKIDSECOND", stream)).await;
    let file = CredentialsFile::named("meanwhile");
    file.hold("AKIDFIRST");
    let service = Service::start(&upstream.url("http"), &file);
    service.becomes(true).await;
    file.hold("AKIDSECOND");
    let answer = service.summarize().await;
    assert_eq!(answer.status, 200, "no caller sees that the first key has expired: {}", answer.text());
    assert_eq!(answer.json()["attempts"].as_array().unwrap().len(), 1);
    service.becomes(true).await;
}

#[tokio::test]
async fn a_profile_brings_keys_and_region() {
    let upstream = RawUpstream::start(|stream| accept_only("AKIDWORK", stream)).await;
    let file = CredentialsFile::named("profile");
    let text =
        "[profile work]\nregion = eu-west-1\naws_access_key_id = AKIDWORK\naws_secret_access_key = secret\n";
    std::fs::write(&file.0, text).unwrap();
    let variables = [("AWS_CONFIG_FILE", &*file.0.to_string_lossy()), ("AWS_PROFILE", "work")];
    let service = Service::with(&upstream.url("http"), &variables);
    service.becomes(true).await;
    assert_eq!(service.summarize().await.status, 200);
}

#[tokio::test]
async fn a_bearer_token_takes_the_place_of_keys() {
    let upstream =
        RawUpstream::start(|stream| accept_if("authorization: bearer key-of-bedrock", stream)).await;
    let variables = [("AWS_REGION", "us-east-1"), ("AWS_BEARER_TOKEN_BEDROCK", "key-of-bedrock")];
    let service = Service::with(&upstream.url("http"), &variables);
    service.becomes(true).await;
    assert_eq!(service.summarize().await.status, 200);
}

/// Stands in for STS, which gives keys for a web identity.
async fn give_keys(mut stream: TcpStream) {
    let head = read_request(&mut stream).await;
    assert!(head.starts_with("post / "), "{head}");
    let body = "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
        <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>AKIDROLE</AccessKeyId>\
        <SecretAccessKey>secret</SecretAccessKey><SessionToken>session</SessionToken>\
        <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>\
        <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></AssumeRoleWithWebIdentityResponse>";
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes()).await.unwrap();
}

// The service asks for keys before it listens, and this thread waits until it does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_web_identity_is_exchanged_for_keys_as_on_kubernetes() {
    let upstream = RawUpstream::start(|stream| accept_only("AKIDROLE", stream)).await;
    let sts = RawUpstream::start(give_keys).await;
    let token = CredentialsFile::named("token");
    std::fs::write(&token.0, "a.web.token").unwrap();
    let service = Service::with(
        &upstream.url("http"),
        &[
            ("AWS_REGION", "us-east-1"),
            ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/redraft"),
            ("AWS_ROLE_SESSION_NAME", "redraft"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", &token.0.to_string_lossy()),
            ("AWS_ENDPOINT_URL_STS", &sts.url("http")),
        ],
    );
    service.becomes(true).await;
    assert_eq!(service.summarize().await.status, 200);
}

#[tokio::test]
async fn credentials_that_expire_in_flight_fail_their_call_and_it_recovers_by_itself() {
    let app = TestApp::start().await;
    let chain = app.default_chain().await;
    ready_is(app.api, true).await;
    app.sim.set_scenario_times("*", Scenario::Error { error: ApiError::ExpiredToken }, 1);
    let body = json!({"text": "A door. A key. A lock."});
    let failed = app.post("/v1/summarize", body.clone()).send().await;
    let problem = assert_problem(&failed, 503, "all_models_unavailable");
    assert_eq!(problem["attempts"][0]["error"], "credentials_rejected");
    assert_eq!(app.models_called(), [chain.first], "no other model is asked with the same credentials");
    ready_is(app.api, false).await;
    assert_eq!(app.metric("redraft_ready", &[]).await, 0.0);
    let answer = app.post("/v1/summarize", body).send().await;
    assert_eq!(answer.status, 200, "calls are still made: {}", answer.text());
    ready_is(app.api, true).await;
}
