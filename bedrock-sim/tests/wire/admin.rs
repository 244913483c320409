//! The admin calls under `/_sim`.

use bedrock_sim::{ApiError, Scenario, Sim, SimOptions};
use serde_json::{Value, json};

use crate::client::{Answer, call, converse, send, sim};

async fn admin(sim: &Sim, method: &str, target: &str, body: &str) -> Answer {
    send(sim.addr(), method, target, "", body.as_bytes()).await
}

async fn statuses(sim: &Sim, model: &str, count: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(converse(sim, model).await.status);
    }
    statuses
}

#[tokio::test]
async fn health_needs_no_credentials() {
    let sim = sim().await;
    let answer = admin(&sim, "GET", "/_sim/health", "").await;
    assert_eq!((answer.status, answer.json()), (200, json!({"status": "ok"})));
    assert!(sim.calls().is_empty(), "admin calls are not recorded");
}

#[tokio::test]
async fn calls_are_listed_and_cleared() {
    let sim = sim().await;
    converse(&sim, "sim.normal").await;
    let calls = admin(&sim, "GET", "/_sim/calls", "").await.json();
    assert_eq!(calls[0]["model_id"], "sim.normal");
    assert_eq!(calls[0]["request"]["messages"][0]["role"], "user");
    assert_eq!(admin(&sim, "DELETE", "/_sim/calls", "").await.status, 204);
    assert_eq!(admin(&sim, "GET", "/_sim/calls", "").await.json(), json!([]));
}

#[tokio::test]
async fn scenarios_are_set_by_name_by_parameters_and_in_sequence() {
    let sim = sim().await;
    let set = async |body: Value| {
        let answer = admin(&sim, "POST", "/_sim/scenarios", &body.to_string()).await;
        assert_eq!(answer.status, 204, "{answer:?}");
    };
    set(json!({"scenario": "throttling"})).await;
    assert_eq!(statuses(&sim, "sim.normal", 2).await, [429, 429]);
    set(
        json!({"model": "sim.normal", "scenario": {"kind": "error", "error": "internal-server"}, "times": 2}),
    )
    .await;
    assert_eq!(statuses(&sim, "sim.normal", 3).await, [500, 500, 429]);
    assert_eq!(admin(&sim, "DELETE", "/_sim/scenarios", "").await.status, 204);
    set(json!({"model": "sim.normal", "sequence": ["throttling", "normal", {"kind": "html-bad-gateway"}]}))
        .await;
    let listed = admin(&sim, "GET", "/_sim/scenarios", "").await.json();
    assert_eq!(listed["set"]["sim.normal"]["next"].as_array().unwrap().len(), 3);
    assert_eq!(listed["names"].as_array().unwrap().len(), Scenario::names().len());
    assert_eq!(statuses(&sim, "sim.normal", 4).await, [429, 200, 502, 200]);
}

#[tokio::test]
async fn a_mix_spoils_some_calls_and_the_log_names_what_each_got() {
    let sim = sim().await;
    let mix = json!({"kind": "mix", "percent": 40, "of": ["throttling", "html-bad-gateway"], "seed": 5});
    let answer = admin(&sim, "POST", "/_sim/scenarios", &json!({"scenario": mix}).to_string()).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    let seen = statuses(&sim, "sim.normal", 60).await;
    for status in [200, 429, 502] {
        assert!(seen.contains(&status), "{status} is missing in {seen:?}");
    }
    let calls = admin(&sim, "GET", "/_sim/calls", "").await.json();
    let named: Vec<u16> = calls
        .as_array()
        .unwrap()
        .iter()
        .map(|call| match call["scenario"]["kind"].as_str().unwrap() {
            "normal" => 200,
            "error" => 429,
            "html-bad-gateway" => 502,
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(named, seen);
    let again = Sim::start(SimOptions::default()).await.unwrap();
    again.set_scenario("*", serde_json::from_value(mix).unwrap());
    assert_eq!(statuses(&again, "sim.normal", 60).await, seen, "the seed decides, not chance");
}

#[tokio::test]
async fn calls_with_a_certain_text_are_refused_and_the_others_answered() {
    let sim = sim().await;
    let scenario = json!({"kind": "error-when", "contains": "Chapter 7", "error": "throttling"});
    let answer = admin(&sim, "POST", "/_sim/scenarios", &json!({"scenario": scenario}).to_string()).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    let turn = |role: &str, text: &str| json!({"role": role, "content": [{"text": text}]});
    let seven = turn("user", "<document-1a>\nChapter 7 is short.\n</document-1a>");
    let eight = turn("user", "Chapter 8 is long.");
    let earlier = json!([seven, turn("assistant", "Chapter 7."), eight]);
    for operation in ["converse", "converse-stream"] {
        let status = async |messages: Value, system: &str| {
            let body = json!({"messages": messages, "system": [{"text": system}]});
            call(&sim, "sim.normal", operation, &body).await.status
        };
        assert_eq!(status(json!([seven]), "Summarize.").await, 429);
        assert_eq!(status(json!([eight]), "Chapter 7 is said to be short.").await, 200);
        assert_eq!(status(earlier.clone(), "Summarize.").await, 200, "the last user message decides");
        assert_eq!(status(json!([seven]), "Summarize.").await, 429, "for good");
    }
    let counting = json!({"input": {"converse": {"messages": [seven]}}});
    assert_eq!(call(&sim, "sim.normal", "count-tokens", &counting).await.status, 200);
    let got: Vec<Scenario> = sim.calls().into_iter().take(2).map(|call| call.scenario).collect();
    assert_eq!(got, [Scenario::from(ApiError::Throttling), Scenario::Normal]);
    sim.set_scenario("*", Scenario::ErrorWhen { contains: "seven".into(), error: ApiError::AccessDenied });
    let body = json!({"messages": [turn("user", "Of seven.")]});
    assert_eq!(call(&sim, "sim.normal", "converse", &body).await.status, 403);
}

#[tokio::test]
async fn scenarios_of_one_model_are_cleared_alone() {
    let sim = sim().await;
    sim.set_scenario("sim.normal", Scenario::HtmlBadGateway);
    sim.set_scenario("sim.empty-text", Scenario::HtmlBadGateway);
    assert_eq!(admin(&sim, "DELETE", "/_sim/scenarios?model=sim.normal", "").await.status, 204);
    assert_eq!(statuses(&sim, "sim.normal", 1).await, [200]);
    assert_eq!(statuses(&sim, "sim.empty-text", 1).await, [502]);
}

#[tokio::test]
async fn a_body_that_is_not_understood_changes_nothing_and_is_told_why() {
    let sim = sim().await;
    let cases = [
        ("", "the body is not understood"),
        ("[]", "the body is not understood"),
        (r#"{"model":"*"}"#, "give either `scenario`"),
        (r#"{"scenario":"throttling","times":0}"#, "give either `scenario`"),
        (r#"{"scenario":"throttling","sequence":["normal"]}"#, "give either `scenario`"),
        (r#"{"sequence":[]}"#, "give either `scenario`"),
        (r#"{"scenario":"no-such-thing"}"#, "there is no scenario named \"no-such-thing\""),
        (r#"{"scenario":{"kind":"stall"}}"#, "the scenario is not understood: missing field `after_deltas`"),
        (
            r#"{"scenario":{"kind":"trickle","gap_ms":1,"x":2}}"#,
            "the scenario is not understood: unknown field `x`",
        ),
        (r#"{"scenario":{"kind":"mix","percent":10,"of":["stahl"]}}"#, "no scenario named \"stahl\""),
        (r#"{"scenario":{"kind":"flapping","fail":1,"of":0,"error":"throttling"}}"#, "not understood"),
        (r#"{"sequence":["throttling","no-such-thing"]}"#, "there is no scenario named"),
        (r#"{"scenario":"throttling","tmies":2}"#, "unknown field `tmies`"),
    ];
    for (body, expected) in cases {
        let answer = admin(&sim, "POST", "/_sim/scenarios", body).await;
        assert_eq!(answer.status, 400, "{body}");
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(expected), "{body}: {message}");
    }
    assert_eq!(statuses(&sim, "sim.normal", 1).await, [200]);
}
