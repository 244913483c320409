//! A real model behind the wire, with a stand-in for its server: what is passed on and what becomes
//! of its failures.

#[path = "llm/failures.rs"]
mod failures;

use std::time::Duration;

use bedrock_sim::{
    ApiError, ApiKey, Outcome, Scenario, Sim, StopReason, StreamError, Upstream, UpstreamClocks,
};
use serde_json::{Value, json};

use crate::client::{
    Answer, End, Event, Open, PATIENCE, call, converse, events, kinds, path, request, stream, text_of,
};
use crate::stand_in::{Asked, MODEL, StandIn, sim_of, sim_over};

const PIECES: [&str; 3] = ["Größe ", "zählt 🙂", " nicht."];

/// Clocks that no good answer meets.
fn short(clocks: UpstreamClocks) -> UpstreamClocks {
    UpstreamClocks { first_piece: Duration::from_millis(150), idle: Duration::from_millis(150), ..clocks }
}

async fn pair() -> (StandIn, Sim) {
    let stand_in = StandIn::start().await;
    let sim = sim_over(&stand_in, UpstreamClocks::default()).await;
    (stand_in, sim)
}

/// Calls, and has the stand-in deal with the request.
async fn answered(
    stand_in: &mut StandIn,
    calling: impl Future<Output = Answer>,
    deal: impl FnOnce(Asked),
) -> Answer {
    let (answer, ()) = tokio::join!(calling, async { deal(stand_in.next().await) });
    answer
}

fn usage_of(value: &Value) -> (i64, i64) {
    (value["usage"]["inputTokens"].as_i64().unwrap(), value["usage"]["outputTokens"].as_i64().unwrap())
}

#[tokio::test]
async fn a_whole_answer_is_the_models_text_with_its_own_count() {
    let (mut stand_in, sim) = pair().await;
    let answer = answered(&mut stand_in, converse(&sim, "sim.normal"), |asked| {
        assert_eq!(asked.body["model"], MODEL);
        assert_eq!(asked.body["messages"][0]["role"], "user");
        assert_eq!((&asked.body["stream"], asked.headers.get("authorization")), (&json!(true), None));
        asked.say(&PIECES);
    })
    .await;
    assert_eq!((answer.status, answer.header("x-bedrock-sim")), (200, Some("upstream")));
    let json = answer.json();
    assert_eq!(json["output"]["message"]["content"], json!([{"text": PIECES.concat()}]));
    assert_eq!((json["stopReason"].as_str(), usage_of(&json)), (Some("end_turn"), (11, 7)));
    let recorded = sim.calls().pop().unwrap();
    assert_eq!((recorded.outcome, recorded.text.as_deref()), (Outcome::Completed, Some(&*PIECES.concat())));
    assert_eq!((recorded.billed_input_tokens, recorded.billed_output_tokens), (11, 7));
}

#[tokio::test]
async fn a_stream_passes_each_piece_on_before_the_next_is_written() {
    let (mut stand_in, sim) = pair().await;
    let mut open = Open::stream(&sim, "us.amazon.nova-2-lite-v1:0").await;
    let writing = stand_in.next().await.write();
    writing.role();
    for (at, piece) in PIECES.iter().enumerate() {
        writing.text(piece);
        let so_far = PIECES[..=at].concat();
        let arrived = open.until(|answer| text_of(&events(&answer.body).0) == so_far).await;
        assert_eq!(arrived.status, 200);
    }
    writing.finish("stop");
    writing.usage(11, 7);
    writing.done();
    drop(writing);
    let whole = open.until(|answer| answer.end == End::Whole).await.events();
    assert_eq!(
        kinds(&whole),
        ["messageStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"]
    );
    assert_eq!(usage_of(&whole.last().unwrap().payload), (11, 7));
    let recorded = sim.calls().pop().unwrap();
    assert_eq!(
        (recorded.outcome, recorded.deltas_sent, recorded.billed_output_tokens),
        (Outcome::Completed, 3, 7)
    );
}

#[tokio::test]
async fn native_bodies_are_answered_in_their_own_words() {
    let (mut stand_in, sim) = pair().await;
    let claude = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
    let body = json!({
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 100,
        "system": "Be short.",
        "messages": [
            {"role": "user", "content": "One."},
            {"role": "assistant", "content": "Two."},
            {"role": "user", "content": "Three."},
        ],
    });
    let whole = answered(&mut stand_in, call(&sim, claude, "invoke", &body), |asked| {
        let texts: Vec<&str> = asked.body["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["content"].as_str().unwrap())
            .collect();
        assert_eq!(texts, ["Be short.", "One.", "Two.", "Three."]);
        assert_eq!(asked.body["max_tokens"], 100);
        asked.say(&PIECES);
    })
    .await;
    assert_eq!(whole.json()["content"][0]["text"], PIECES.concat());
    assert_eq!(whole.json()["usage"]["output_tokens"], 7);
    assert_eq!(whole.header("x-amzn-bedrock-input-token-count"), Some("11"));

    let streaming = call(&sim, claude, "invoke-with-response-stream", &body);
    let streamed = answered(&mut stand_in, streaming, |asked| asked.say(&PIECES)).await.events();
    let chunks: Vec<Value> = streamed.iter().map(chunk).collect();
    let text: String = chunks.iter().filter_map(|chunk| chunk["delta"]["text"].as_str()).collect();
    assert_eq!(text, PIECES.concat());
    let message_delta = chunks.iter().find(|chunk| chunk["type"] == "message_delta").unwrap();
    assert_eq!(message_delta["usage"]["output_tokens"], 7);
    let metrics = &chunks.last().unwrap()["amazon-bedrock-invocationMetrics"];
    assert_eq!((&metrics["inputTokenCount"], &metrics["outputTokenCount"]), (&json!(11), &json!(7)));
}

fn chunk(event: &Event) -> Value {
    let bytes = aws_smithy_types::base64::decode(event.payload["bytes"].as_str().unwrap()).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test]
async fn why_the_model_stopped_is_told_as_bedrock_tells_it() {
    let (mut stand_in, sim) = pair().await;
    for (word, reason) in
        [("stop", "end_turn"), ("length", "max_tokens"), ("content_filter", "content_filtered")]
    {
        let end = |asked: Asked| {
            let writing = asked.write();
            writing.text("Half");
            writing.finish(word);
            writing.done();
        };
        let whole = answered(&mut stand_in, converse(&sim, "sim.normal"), end).await;
        assert_eq!(whole.json()["stopReason"], reason);
        let streamed = answered(&mut stand_in, stream(&sim, "sim.normal"), end).await.events();
        let stop = streamed.iter().find(|event| event.kind() == "messageStop").unwrap();
        assert_eq!(stop.payload["stopReason"], reason);
        // Nobody counted, so the simulator does, by its own rule.
        assert_eq!(usage_of(&streamed.last().unwrap().payload).1, 1);
    }
}

#[tokio::test]
async fn reasoning_is_a_block_of_its_own_before_the_text() {
    let (mut stand_in, sim) = pair().await;
    let think = |member: &'static str| {
        move |asked: Asked| {
            let writing = asked.write();
            writing.choice(&json!({member: "Let me "}), None);
            writing.choice(&json!({member: "think."}), None);
            writing.text("So.");
            writing.choice(&json!({member: "Too late."}), None);
            writing.finish("stop");
            writing.done();
        }
    };
    for member in ["reasoning_content", "reasoning"] {
        let streamed = answered(&mut stand_in, stream(&sim, "sim.normal"), think(member)).await.events();
        let of_block = |index: u64| {
            let deltas = streamed.iter().filter(move |event| event.payload["contentBlockIndex"] == index);
            deltas.map(|event| event.payload["delta"].clone()).filter(|delta| !delta.is_null())
        };
        let reasoning: Vec<Value> = of_block(0).collect();
        assert_eq!(
            reasoning,
            [
                json!({"reasoningContent": {"text": "Let me "}}),
                json!({"reasoningContent": {"text": "think."}})
            ]
        );
        assert_eq!(of_block(1).collect::<Vec<_>>(), [json!({"text": "So."})]);
        let whole = answered(&mut stand_in, converse(&sim, "sim.normal"), think(member)).await;
        assert_eq!(whole.json()["output"]["message"]["content"], json!([{"text": "So."}]));
    }
}

#[tokio::test]
async fn a_forced_tool_gets_its_input_from_the_model() {
    let (mut stand_in, sim) = pair().await;
    let mut body = request();
    let schema = json!({"type": "object", "properties": {"title": {"type": "string"}}});
    body["toolConfig"] = json!({
        "tools": [{"toolSpec": {"name": "answer", "inputSchema": {"json": schema}}}],
        "toolChoice": {"tool": {"name": "answer"}},
    });
    let tell = |asked: Asked| {
        assert_eq!(asked.body["response_format"]["json_schema"]["schema"], schema);
        asked.say(&["{\"title\":", "\"Cats\"}"]);
    };
    let whole = answered(&mut stand_in, call(&sim, "sim.normal", "converse", &body), &tell).await.json();
    assert_eq!(whole["output"]["message"]["content"][0]["toolUse"]["input"], json!({"title": "Cats"}));
    assert_eq!(whole["stopReason"], "tool_use");
    let calling = call(&sim, "sim.normal", "converse-stream", &body);
    let streamed = answered(&mut stand_in, calling, &tell).await.events();
    assert_eq!(streamed[1].kind(), "contentBlockStart");
    let input: String =
        streamed.iter().filter_map(|event| event.payload["delta"]["toolUse"]["input"].as_str()).collect();
    assert_eq!(input, "{\"title\":\"Cats\"}");
    let stop = streamed.iter().find(|event| event.kind() == "messageStop").unwrap();
    assert_eq!(stop.payload["stopReason"], "tool_use");
}

#[tokio::test]
async fn scenarios_spoil_a_real_models_answer_too() {
    let (mut stand_in, sim) = pair().await;
    // Refusals and empty streams ask nobody.
    let unasked = [
        Scenario::from(ApiError::Throttling),
        Scenario::StreamError { error: StreamError::Throttling, after_deltas: 0 },
        Scenario::GarbageFrames { after_deltas: None },
        Scenario::EmptyContent,
    ];
    for scenario in unasked {
        sim.set_scenario("*", scenario.clone());
        stream(&sim, "us.amazon.nova-2-lite-v1:0").await;
        assert!(stand_in.is_quiet(), "{scenario:?}");
    }
    // What breaks off in the middle ends the upstream's call.
    for scenario in [
        Scenario::StreamError { error: StreamError::ModelStreamError, after_deltas: 2 },
        Scenario::CutMidFrame { after_deltas: 2 },
        Scenario::ResetMidStream { after_deltas: 2 },
        Scenario::EndWithoutMessageStop { after_deltas: 2 },
    ] {
        sim.set_scenario("*", scenario.clone());
        let (answer, writing) = tokio::join!(stream(&sim, "us.amazon.nova-2-lite-v1:0"), async {
            let writing = stand_in.next().await.write();
            PIECES.iter().for_each(|piece| writing.text(piece));
            writing
        });
        writing.left().await;
        let (told, _) = events(&answer.body);
        assert_eq!(text_of(&told), PIECES[..2].concat(), "{scenario:?}");
        assert!(!kinds(&told).contains(&"messageStop"), "{scenario:?}");
        assert_eq!(sim.calls().pop().unwrap().text.as_deref(), Some(&*PIECES[..2].concat()));
    }
    // What changes the end or needs the whole.
    sim.set_scenario("*", Scenario::StopReason { reason: StopReason::ContentFiltered });
    let calling = stream(&sim, "us.amazon.nova-2-lite-v1:0");
    let told = answered(&mut stand_in, calling, |asked| asked.say(&PIECES)).await.events();
    let stop = told.iter().find(|event| event.kind() == "messageStop").unwrap();
    assert_eq!(stop.payload["stopReason"], "content_filtered");
    sim.set_scenario("*", Scenario::HugeDelta { bytes: 100_000 });
    let calling = stream(&sim, "us.amazon.nova-2-lite-v1:0");
    let told = answered(&mut stand_in, calling, |asked| asked.say(&PIECES)).await.events();
    assert!(text_of(&told).len() >= 100_000);
}

/// A guardrail looks at the whole of an answer before any of it is sent.
#[tokio::test]
async fn a_guardrail_blocks_what_a_real_model_says() {
    let (mut stand_in, sim) = pair().await;
    let mut body = request();
    body["guardrailConfig"] = json!({"guardrailIdentifier": "abc", "guardrailVersion": "1"});
    let target = path("us.amazon.nova-2-lite-v1:0", "converse-stream");
    let mut open = Open::post(&sim, &target, body.to_string().as_bytes()).await;
    let writing = stand_in.next().await.write();
    writing.text("A SIMULATED FORBIDDEN ");
    writing.text("TOPIC.");
    writing.finish("stop");
    writing.done();
    drop(writing);
    let told = open.until(|answer| answer.end == End::Whole).await.events();
    assert_eq!(text_of(&told), "Sorry, the simulated guardrail blocked this.");
}

#[tokio::test]
async fn a_key_is_shown_to_the_server_and_a_missing_model_is_told() {
    let mut stand_in = StandIn::start().await;
    assert_eq!(stand_in.upstream.problem(PATIENCE).await, None);
    let other = Upstream { model: "large".to_owned(), ..stand_in.upstream.clone() };
    let problem = other.problem(PATIENCE).await.unwrap();
    assert!(problem.contains("has no model large. It has: small:1b."), "{problem}");
    let api_key = ApiKey::new("sk-secret");
    let sim = sim_of(Upstream { api_key, ..stand_in.upstream.clone() }).await;
    answered(&mut stand_in, converse(&sim, "sim.normal"), |asked| {
        assert_eq!(asked.headers["authorization"], "Bearer sk-secret");
        asked.say(&PIECES);
    })
    .await;
}
