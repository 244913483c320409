//! The server as such: protocols, start and stop.

use std::io;

use bedrock_sim::{Outcome, Sim, SimOptions};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::{Open, PATIENCE, TEXT, converse, events, path, request, sim, text_of};

#[tokio::test]
async fn http_2_works_without_tls() {
    let sim = sim().await;
    let socket = TcpStream::connect(sim.addr()).await.unwrap();
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket));
    let (mut sender, connection) = handshake.await.unwrap();
    let connection = tokio::spawn(connection);
    let call = |model: &str| {
        Request::post(format!("{}{}", sim.endpoint_url(), path(model, "converse-stream")))
            .header("authorization", "Bearer key")
            .body(Full::new(Bytes::from(request().to_string())))
            .unwrap()
    };
    let answer = sender.send_request(call("sim.normal")).await.unwrap();
    assert_eq!(answer.status(), 200);
    let body = timeout(PATIENCE, answer.into_body().collect()).await.unwrap().unwrap().to_bytes();
    assert_eq!(text_of(&events(&body).0), TEXT);
    let stalled = sender.send_request(call("sim.stall")).await.unwrap();
    drop(stalled);
    let gone = sim.wait_for_call(|call| call.outcome == Outcome::ClientGone, PATIENCE).await;
    assert!(gone.is_some(), "a stream that is reset is a client that left");
    drop(sender);
    connection.abort();
}

#[tokio::test]
async fn many_calls_share_a_connection() {
    let sim = sim().await;
    let socket = TcpStream::connect(sim.addr()).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.unwrap();
    let connection = tokio::spawn(connection);
    for _ in 0..3 {
        sender.ready().await.unwrap();
        let call = Request::post(path("sim.normal", "converse"))
            .header("host", sim.addr().to_string())
            .header("authorization", "Bearer key")
            .body(Full::new(Bytes::from(request().to_string())))
            .unwrap();
        let answer = sender.send_request(call).await.unwrap();
        assert_eq!(answer.status(), 200);
        timeout(PATIENCE, answer.into_body().collect()).await.unwrap().unwrap();
    }
    assert_eq!(sim.calls().len(), 3);
    drop(sender);
    connection.abort();
}

async fn ends(open: &mut Open) -> bool {
    timeout(PATIENCE, open.read_to_end()).await.is_ok()
}

async fn refuses(address: std::net::SocketAddr) -> bool {
    match TcpStream::connect(address).await {
        Err(error) => error.kind() == io::ErrorKind::ConnectionRefused,
        // The listener may go a moment after the handle; then nothing is ever answered.
        Ok(mut socket) => timeout(PATIENCE, socket.read(&mut [0; 1])).await.is_ok(),
    }
}

#[tokio::test]
async fn stopping_ends_the_server_and_its_connections() {
    let sim = sim().await;
    let address = sim.addr();
    let mut open = Open::stream(&sim, "sim.stall").await;
    open.until_events(1).await;
    timeout(PATIENCE, sim.stop()).await.expect("stopping waits for nobody");
    assert!(ends(&mut open).await);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn dropping_ends_the_server_and_its_connections() {
    let sim = sim().await;
    let address = sim.addr();
    let mut open = Open::stream(&sim, "sim.stall").await;
    open.until_events(1).await;
    drop(sim);
    assert!(ends(&mut open).await);
    assert!(refuses(address).await);
}

#[tokio::test]
async fn two_simulators_know_nothing_of_each_other() {
    let (one, other) = (sim().await, sim().await);
    assert_ne!(one.addr(), other.addr());
    assert_eq!(one.endpoint_url(), format!("http://{}", one.addr()));
    converse(&one, "sim.normal").await;
    assert_eq!((one.calls().len(), other.calls().len()), (1, 0));
}

#[tokio::test]
async fn a_taken_port_is_an_error() {
    let sim = sim().await;
    let options = SimOptions { listen: sim.addr(), ..SimOptions::default() };
    assert_eq!(Sim::start(options).await.unwrap_err().kind(), io::ErrorKind::AddrInUse);
}
