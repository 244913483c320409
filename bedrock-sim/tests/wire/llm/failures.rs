//! A model server that refuses, breaks off, is silent or is not there.

use super::{answered, pair, short};
use crate::client::{Answer, End, Open, PATIENCE, call, converse, kinds, request, stream};
use crate::stand_in::{Asked, MODEL, StandIn, sim_of, sim_over};
use bedrock_sim::{Outcome, Upstream, UpstreamClocks};
use http::StatusCode;
use serde_json::json;

/// A text whose end the server does not give a good reason for is no answer.
#[tokio::test]
async fn an_end_without_a_reason_that_is_known_is_a_failure() {
    let (mut stand_in, sim) = pair().await;
    let ends: [fn(Asked); 4] = [
        |asked| asked.write().text("Half"),
        |asked| {
            let writing = asked.write();
            writing.text("Half");
            writing.done();
        },
        |asked| {
            let writing = asked.write();
            writing.text("Half");
            writing.finish("abort");
            writing.done();
        },
        |asked| {
            let writing = asked.write();
            writing.text("Half");
            writing.data(&json!({"error": {"message": "out of memory"}}));
        },
    ];
    for end in ends {
        let whole = answered(&mut stand_in, converse(&sim, "sim.normal"), end).await;
        assert_eq!((whole.status, failure(&whole)), (424, "ModelErrorException".to_owned()));
        let streamed = answered(&mut stand_in, stream(&sim, "sim.normal"), end).await.events();
        assert_eq!(
            kinds(&streamed),
            ["messageStart", "contentBlockDelta", "modelStreamErrorException"],
            "and no stop"
        );
        assert!(matches!(sim.calls().pop().unwrap().outcome, Outcome::Failed { status: 200, .. }));
    }
}

fn failure(answer: &Answer) -> String {
    let told = answer.header("x-amzn-errortype").unwrap_or_default();
    told.split(':').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_middle_is_a_failure() {
    let (mut stand_in, sim) = pair().await;
    let mut open = Open::stream(&sim, "sim.normal").await;
    let writing = stand_in.next().await.write();
    writing.text("Half");
    open.until_events(2).await;
    writing.cut();
    let cut = open.until(|answer| answer.end == End::Whole).await.events();
    assert_eq!(cut.last().unwrap().kind(), "modelStreamErrorException");
    let recorded = sim.calls().pop().unwrap();
    assert_eq!(recorded.text.as_deref(), Some("Half"), "what was sent is billed");
}

#[tokio::test]
async fn a_refusal_is_the_status_that_bedrock_has_for_it() {
    let (mut stand_in, sim) = pair().await;
    let cases = [
        (500, "{}", 424, "ModelErrorException"),
        (503, "{}", 503, "ServiceUnavailableException"),
        (429, "{}", 429, "ThrottlingException"),
        (404, "{}", 404, "ResourceNotFoundException"),
        (400, "This model's maximum context length is 4096 tokens.", 400, "ValidationException"),
    ];
    for (by_server, body, status, type_name) in cases {
        for operation in ["converse", "converse-stream"] {
            let body_of_call = request();
            let calling = call(&sim, "sim.normal", operation, &body_of_call);
            let answer = answered(&mut stand_in, calling, |asked| {
                asked.answer((StatusCode::from_u16(by_server).unwrap(), body));
            })
            .await;
            assert_eq!((answer.status, failure(&answer).as_str()), (status, type_name));
            let told = answer.json()["message"].as_str().unwrap().to_owned();
            assert!(!told.contains("4096"), "nothing of the server is quoted: {told}");
        }
    }
}

#[tokio::test]
async fn what_is_no_stream_of_chat_completions_is_a_failure() {
    let (mut stand_in, sim) = pair().await;
    let bodies =
        ["<html>hello</html>", "data: <html>\n\n", "data: {\"text\": \"hello\"}\n\ndata: [DONE]\n\n", ""];
    for body in bodies {
        let whole = answered(&mut stand_in, converse(&sim, "sim.normal"), |asked| asked.answer(body)).await;
        assert_eq!((whole.status, failure(&whole)), (424, "ModelErrorException".to_owned()), "{body:?}");
        let streamed =
            answered(&mut stand_in, stream(&sim, "sim.normal"), |asked| asked.answer(body)).await.events();
        assert_eq!(kinds(&streamed), ["modelStreamErrorException"], "it is the first event: {body:?}");
        assert_eq!(sim.calls().pop().unwrap().billed_input_tokens, 0, "and nothing is billed");
    }
}

#[tokio::test]
async fn a_server_that_is_silent_or_stands_still_is_given_up() {
    let mut stand_in = StandIn::start().await;
    let sim = sim_over(&stand_in, short(UpstreamClocks::default())).await;
    // Not a word.
    let (answer, asked) = tokio::join!(stream(&sim, "sim.normal"), stand_in.next());
    assert_eq!((answer.status, failure(&answer)), (408, "ModelTimeoutException".to_owned()));
    drop(asked);
    // Headers, and a role that says nothing.
    let (answer, writing) = tokio::join!(stream(&sim, "sim.normal"), async {
        let writing = stand_in.next().await.write();
        writing.role();
        writing
    });
    assert_eq!(kinds(&answer.events()), ["modelStreamErrorException"]);
    writing.left().await;
    // Half of a text.
    for operation in ["converse", "converse-stream"] {
        let body = request();
        let calling = call(&sim, "sim.normal", operation, &body);
        let (answer, writing) = tokio::join!(calling, async {
            let writing = stand_in.next().await.write();
            writing.text("Half");
            writing
        });
        if operation == "converse" {
            assert_eq!((answer.status, failure(&answer)), (408, "ModelTimeoutException".to_owned()));
        } else {
            assert_eq!(answer.events().last().unwrap().kind(), "modelStreamErrorException");
        }
        writing.left().await;
    }
}

/// An answer that has ended is whole, whatever comes in place of the count.
#[tokio::test]
async fn the_count_is_not_waited_for_without_end() {
    let mut stand_in = StandIn::start().await;
    let sim = sim_over(&stand_in, short(UpstreamClocks::default())).await;
    let (answer, writing) = tokio::join!(converse(&sim, "sim.normal"), async {
        let writing = stand_in.next().await.write();
        writing.text("All of it.");
        writing.finish("stop");
        writing
    });
    assert_eq!(answer.json()["output"]["message"]["content"][0]["text"], "All of it.");
    writing.left().await;
    let answer = answered(&mut stand_in, converse(&sim, "sim.normal"), |asked| {
        let writing = asked.write();
        writing.text("All of it.");
        writing.finish("stop");
        writing.bytes("data: <html>\n\n");
    })
    .await;
    assert_eq!(answer.json()["stopReason"], "end_turn");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_service_that_is_unavailable() {
    // No program takes port 1, and no test is given it.
    let upstream = Upstream::new("http://127.0.0.1:1/v1".parse().unwrap(), MODEL);
    let problem = upstream.problem(PATIENCE).await.unwrap();
    assert!(problem.contains("cannot be reached"), "{problem}");
    let sim = sim_of(upstream).await;
    for operation in ["converse", "converse-stream"] {
        let answer = call(&sim, "sim.normal", operation, &request()).await;
        assert_eq!((answer.status, failure(&answer)), (503, "ServiceUnavailableException".to_owned()));
    }
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_upstreams_call() {
    let (mut stand_in, sim) = pair().await;
    let mut open = Open::stream(&sim, "sim.normal").await;
    let writing = stand_in.next().await.write();
    writing.text("Half");
    open.until_events(2).await;
    drop(open);
    writing.left().await;
    let gone = sim.wait_for_call(|call| call.outcome == Outcome::ClientGone, PATIENCE).await.unwrap();
    assert_eq!(gone.text.as_deref(), Some("Half"));
    // Also one that waits for a whole answer.
    let open = Open::call(&sim, "sim.normal", "converse").await;
    let writing = stand_in.next().await.write();
    writing.text("Half");
    drop(open);
    writing.left().await;
}
