//! The program with a real model behind it: its flags, its key, and TLS with the system's authorities.

use std::net::SocketAddr;
use std::process::{Output, Stdio};
use std::sync::Arc;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_util::task::AbortOnDropHandle;

use crate::client::{PATIENCE, SIGNED, path, request, send};
use crate::stand_in::{MODEL, StandIn};

const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls/authority.pem");
const CHAIN: &[u8] = include_bytes!("../fixtures/tls/server.pem");
const KEY: &[u8] = include_bytes!("../fixtures/tls/server.key");

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedrock-sim"));
    command.args(["--listen", "127.0.0.1:0"]).args(arguments).env_clear().kill_on_drop(true);
    command
}

/// Puts TLS before the stand-in.
async fn with_tls(stand_in: &StandIn) -> (SocketAddr, AbortOnDropHandle<()>) {
    let chain = CertificateDer::pem_slice_iter(CHAIN).collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = stand_in.router();
    let serving = tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let Ok(socket) = acceptor.accept(socket).await else { continue };
            let service = TowerToHyperService::new(router.clone());
            Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await.unwrap();
        }
    });
    (address, AbortOnDropHandle::new(serving))
}

#[tokio::test]
async fn a_model_behind_tls_writes_and_sees_the_key() {
    let mut stand_in = StandIn::start().await;
    let (tls, _serving) = with_tls(&stand_in).await;
    let url = format!("https://{tls}/v1/");
    let mut child = program(&["--llm", &url, "--llm-model", MODEL])
        .env("SSL_CERT_FILE", AUTHORITY)
        .env("BEDROCK_SIM_LLM_API_KEY", "sk-secret")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut told = String::new();
    while !told.contains("answers for every model id") {
        told += &timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().expect("a greeting");
        told.push('\n');
    }
    assert!(told.contains(&format!("{MODEL} at https://{tls}/v1")) && !told.contains("sk-secret"), "{told}");
    let address = told.split("http://").nth(1).unwrap().split_whitespace().next().unwrap();
    let (target, body) = (path("us.amazon.nova-2-lite-v1:0", "converse"), request().to_string());
    let calling = send(address.parse().unwrap(), "POST", &target, SIGNED, body.as_bytes());
    let (answer, ()) = tokio::join!(calling, async {
        let asked = stand_in.next().await;
        assert_eq!(asked.headers["authorization"], "Bearer sk-secret");
        asked.say(&["Hello."]);
    });
    assert_eq!(answer.json()["output"]["message"]["content"][0]["text"], "Hello.");
}

async fn refused(arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = program(arguments);
    let Output { status, stderr, .. } =
        timeout(PATIENCE, command.envs(variables.iter().copied()).output()).await.unwrap().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[tokio::test]
async fn what_cannot_be_an_upstream_is_told_at_the_start() {
    const URL: &str = "http://127.0.0.1:1/v1";
    let cases: [(&[&str], &str); 5] = [
        (&["--llm", URL], "--llm-model"),
        (&["--llm-model", "m"], "--llm"),
        (&["--llm", "127.0.0.1:1", "--llm-model", "m"], "begins with http:// or https://"),
        (
            &["--llm", "http://127.0.0.1:1/v1/chat/completions", "--llm-model", "m"],
            "without /chat/completions",
        ),
        (&["--llm", URL, "--llm-model", "m", "--first-delta-ms", "5"], "cannot be used with"),
    ];
    for (arguments, told) in cases {
        let (code, said) = refused(arguments, &[]).await;
        assert!(code == Some(2) && said.contains(told), "{arguments:?}: {said}");
    }
    let whole = ["--llm", URL, "--llm-model", "m"];
    let (code, said) = refused(&whole, &[("BEDROCK_SIM_LLM_API_KEY", "two words")]).await;
    assert!(code == Some(1) && said.contains("BEDROCK_SIM_LLM_API_KEY") && !said.contains("two"), "{said}");
    let secure = ["--llm", "https://127.0.0.1:1/v1", "--llm-model", "m"];
    let (code, said) = refused(&secure, &[("SSL_CERT_FILE", "/nowhere")]).await;
    assert!(code == Some(1) && said.contains("certificate authorities"), "{said}");
}
