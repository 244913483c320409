//! Guardrails: in a conversation, by themselves, and how their rules are set.

use bedrock_sim::{GuardrailRules, MaskedPhrase, Operation, Outcome, Scenario, Sim};
use serde_json::{Value, json};

use crate::client::{Answer, Event, SIGNED, TEXT, call, kinds, request, send, sim, text_of};

const MODEL: &str = "us.amazon.nova-micro-v1:0";
const GUARDRAIL: &str = "abc123";
const FORBIDDEN: &str = "SIMULATED FORBIDDEN TOPIC";
const MESSAGE: &str = "Sorry, the simulated guardrail blocked this.";
/// What the model says of `TEXT`, and is blocked here.
const PHRASE: &str = "four million euros";

fn guarded(more: Value) -> Value {
    let mut body = request();
    body["guardrailConfig"] = json!({"guardrailIdentifier": GUARDRAIL, "guardrailVersion": "DRAFT"});
    for (name, value) in more.as_object().unwrap() {
        body["guardrailConfig"][name] = value.clone();
    }
    body
}

fn saying(text: &str) -> Value {
    json!([{"role": "user", "content": [{"text": text}]}])
}

/// A guardrail that blocks what the model says, but not what it is asked.
fn block_output(sim: &Sim) {
    let rules = GuardrailRules { blocked_output: vec![PHRASE.into()], ..GuardrailRules::default() };
    sim.set_guardrail(GUARDRAIL, rules);
}

fn mask(phrase: &str, name: &str) -> MaskedPhrase {
    MaskedPhrase { phrase: phrase.into(), name: name.into() }
}

async fn converse(sim: &Sim, body: &Value) -> Value {
    let answer = call(sim, MODEL, "converse", body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

async fn stream(sim: &Sim, body: &Value) -> Vec<Event> {
    call(sim, MODEL, "converse-stream", body).await.events()
}

fn said(json: &Value) -> (&str, &str) {
    let content = json["output"]["message"]["content"].as_array().unwrap();
    assert_eq!(content.len(), 1);
    (json["stopReason"].as_str().unwrap(), content[0]["text"].as_str().unwrap())
}

fn refusal(answer: &Answer) -> (u16, String, String) {
    let kind = answer.header("x-amzn-errortype").unwrap().split(':').next().unwrap().to_owned();
    (answer.status, kind, answer.json()["message"].as_str().unwrap().to_owned())
}

async fn apply_to(sim: &Sim, id: &str, version: &str, body: &Value) -> Answer {
    let target = format!("/guardrail/{}/version/{version}/apply", id.replace(':', "%3A").replace('/', "%2F"));
    send(sim.addr(), "POST", &target, SIGNED, body.to_string().as_bytes()).await
}

async fn apply(sim: &Sim, source: &str, texts: &[&str]) -> Value {
    let content: Vec<Value> = texts.iter().map(|text| json!({"text": {"text": text}})).collect();
    let answer = apply_to(sim, GUARDRAIL, "1", &json!({"source": source, "content": content})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

async fn admin(sim: &Sim, method: &str, query: &str, body: &str) -> Answer {
    send(sim.addr(), method, &format!("/_sim/guardrails{query}"), "", body.as_bytes()).await
}

#[tokio::test]
async fn a_blocked_input_reaches_no_model_and_costs_nothing() {
    let sim = sim().await;
    let mut body = guarded(json!({}));
    body["messages"] = saying(&format!("Tell me of the {FORBIDDEN}."));
    let json = converse(&sim, &body).await;
    assert_eq!(said(&json), ("guardrail_intervened", MESSAGE));
    let nothing = json!({"inputTokens": 0, "outputTokens": 0, "serverToolUsage": {}, "totalTokens": 0});
    assert_eq!(json["usage"], nothing);
    let events = stream(&sim, &body).await;
    assert_eq!(
        kinds(&events),
        ["messageStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"]
    );
    assert_eq!((events[1].text(), events.len()), (Some(MESSAGE), 5), "the message is one delta");
    assert_eq!(events[3].payload["stopReason"], "guardrail_intervened");
    assert_eq!(events[4].payload["usage"], nothing);
    for record in sim.calls() {
        assert_eq!((record.billed_input_tokens, record.billed_output_tokens), (0, 0));
        assert_eq!((record.text.as_deref(), record.outcome), (Some(MESSAGE), Outcome::Completed));
    }
}

#[tokio::test]
async fn without_a_guardrail_nothing_is_blocked() {
    let sim = sim().await;
    let mut body = request();
    let marked = json!({"guardContent": {"text": {"text": FORBIDDEN, "qualifiers": ["guard_content"]}}});
    body["messages"][0]["content"] = json!([{"text": TEXT}, marked]);
    assert_eq!(converse(&sim, &body).await["stopReason"], "end_turn");
    body["guardrailConfig"] = json!({"trace": "enabled"});
    let json = converse(&sim, &body).await;
    assert_eq!((&json["stopReason"], &json["trace"]), (&json!("end_turn"), &Value::Null), "none is named");
}

#[tokio::test]
async fn where_parts_are_marked_the_others_are_not_looked_at() {
    let sim = sim().await;
    let marked = |text: &str| json!({"guardContent": {"text": {"text": text}}});
    let plain = |text: &str| json!({"text": text});
    let user = |content: Value| json!([{"role": "user", "content": content}]);
    let blocked = async |messages: Value, system: Value| {
        let mut body = guarded(json!({}));
        body["messages"] = messages;
        body["system"] = system;
        // The author is not to repeat the phrase.
        body["inferenceConfig"] = json!({"maxTokens": 1});
        converse(&sim, &body).await["stopReason"] == "guardrail_intervened"
    };
    let none = json!([]);
    assert!(blocked(user(json!([plain(FORBIDDEN)])), none.clone()).await);
    assert!(!blocked(user(json!([plain(FORBIDDEN), marked("fine")])), none.clone()).await);
    assert!(blocked(user(json!([plain("fine"), marked(FORBIDDEN)])), none.clone()).await);
    let earlier = json!([
        {"role": "user", "content": [plain(FORBIDDEN)]},
        {"role": "assistant", "content": [plain("No.")]},
        {"role": "user", "content": [plain("Why?")]},
    ]);
    assert!(blocked(earlier.clone(), none.clone()).await, "every message of the user counts");
    let mut by_model = earlier;
    by_model[0]["content"] = json!([plain("fine")]);
    by_model[1]["content"] = json!([plain(FORBIDDEN)]);
    assert!(!blocked(by_model, none).await, "what the model said counts not");
    let fine = || user(json!([plain("fine")]));
    assert!(!blocked(fine(), json!([plain(FORBIDDEN)])).await);
    assert!(blocked(fine(), json!([plain("Be kind."), marked(FORBIDDEN)])).await);
}

#[tokio::test]
async fn a_blocked_answer_is_replaced_and_paid_for() {
    let sim = sim().await;
    let free = converse(&sim, &request()).await["usage"].clone();
    block_output(&sim);
    let json = converse(&sim, &guarded(json!({}))).await;
    assert_eq!(said(&json), ("guardrail_intervened", MESSAGE));
    assert_eq!(json["usage"], free);
    let record = sim.calls().pop().unwrap();
    assert_eq!(json["usage"]["outputTokens"], record.billed_output_tokens);
    assert_eq!(record.text.as_deref(), Some(MESSAGE));
}

#[tokio::test]
async fn a_blocked_stream_tells_nothing_but_the_message_unless_it_is_asynchronous() {
    let sim = sim().await;
    let free = stream(&sim, &request()).await.last().unwrap().payload["usage"].clone();
    block_output(&sim);
    for mode in [json!({}), json!({"streamProcessingMode": "sync"})] {
        let events = stream(&sim, &guarded(mode)).await;
        assert_eq!((events[1].text(), events.len()), (Some(MESSAGE), 5));
        assert_eq!(events[3].payload["stopReason"], "guardrail_intervened");
        assert_eq!(events[4].payload["usage"], free);
        assert_eq!(sim.calls().pop().unwrap().billed_output_tokens, free["outputTokens"]);
    }
    let events = stream(&sim, &guarded(json!({"streamProcessingMode": "async"}))).await;
    let deltas: Vec<&str> = events.iter().filter_map(Event::text).collect();
    let (last, flowed) = deltas.split_last().unwrap();
    let phrase_end = TEXT.find(PHRASE).unwrap() + PHRASE.len();
    assert_eq!((*last, flowed.concat().as_str()), (MESSAGE, &TEXT[..phrase_end - 1]));
    assert!(flowed.len() > 2);
    assert_eq!(events[events.len() - 2].payload["stopReason"], "guardrail_intervened");
    let usage = &events.last().unwrap().payload["usage"];
    assert!(usage["outputTokens"].as_u64() < free["outputTokens"].as_u64());
    assert_eq!(sim.calls().pop().unwrap().billed_output_tokens, usage["outputTokens"]);
}

#[tokio::test]
async fn masked_phrases_become_tags_but_not_in_an_asynchronous_stream() {
    let sim = sim().await;
    let masked = vec![mask("Graz", "ADDRESS"), mask("mayor", "office")];
    sim.set_guardrail(GUARDRAIL, GuardrailRules { masked, ..GuardrailRules::default() });
    let expected = TEXT.replace("Graz", "{ADDRESS}").replace("mayor", "{office}");
    let json = converse(&sim, &guarded(json!({"trace": "enabled"}))).await;
    assert_eq!(said(&json), ("guardrail_intervened", expected.as_str()));
    let trace = &json["trace"]["guardrail"];
    assert_eq!(trace["actionReason"], "Guardrail masked.");
    let found = &trace["outputAssessments"][GUARDRAIL][0]["sensitiveInformationPolicy"];
    assert_eq!(
        found,
        &json!({
            "piiEntities": [{"action": "ANONYMIZED", "detected": true, "match": "Graz", "type": "ADDRESS"}],
            "regexes": [{"action": "ANONYMIZED", "detected": true, "match": "mayor", "name": "office"}],
        })
    );
    assert_eq!(trace["modelOutput"], json!([TEXT]));
    assert_eq!(text_of(&stream(&sim, &guarded(json!({}))).await), expected);
    let events = stream(&sim, &guarded(json!({"streamProcessingMode": "async"}))).await;
    assert_eq!(text_of(&events), TEXT);
    assert_eq!(events[events.len() - 2].payload["stopReason"], "end_turn");
}

/// The recorded answer of the real service has exactly these members.
#[tokio::test]
async fn the_trace_is_told_where_it_is_asked_for_and_has_the_shape_of_aws() {
    let sim = sim().await;
    let units = |words: u64| {
        json!({
            "automatedReasoningPolicies": 0,
            "automatedReasoningPolicyUnits": 0,
            "contentPolicyImageUnits": 0,
            "contentPolicyUnits": 0,
            "contextualGroundingPolicyUnits": 0,
            "sensitiveInformationPolicyFreeUnits": 0,
            "sensitiveInformationPolicyUnits": 0,
            "topicPolicyUnits": 0,
            "wordPolicyUnits": words,
        })
    };
    let assessment = |told: &Value, chars: usize| {
        let mut told = told.clone();
        assert!(told["invocationMetrics"]["guardrailProcessingLatency"].take().is_u64());
        let expected = json!({
            "appliedGuardrailDetails": {
                "guardrailArn": format!("arn:aws:bedrock:us-east-1:123456789012:guardrail/{GUARDRAIL}"),
                "guardrailId": GUARDRAIL,
                "guardrailOrigin": ["REQUEST"],
                "guardrailOwnership": "SELF",
                "guardrailVersion": "DRAFT",
            },
            "invocationMetrics": {
                "guardrailCoverage": {"textCharacters": {"guarded": chars, "total": chars}},
                "guardrailProcessingLatency": null,
                "usage": units(1),
            },
        });
        assert_eq!(told, expected);
    };
    for level in ["enabled", "enabled_full"] {
        let body = guarded(json!({"trace": level}));
        let whole = converse(&sim, &body).await["trace"].clone();
        let streamed = stream(&sim, &body).await.last().unwrap().payload["trace"].clone();
        for trace in [whole, streamed] {
            let trace = &trace["guardrail"];
            assert_eq!(trace["actionReason"], "No action.");
            assert_eq!(trace["modelOutput"], json!([]));
            assessment(&trace["inputAssessment"][GUARDRAIL], TEXT.len());
            assessment(&trace["outputAssessments"][GUARDRAIL][0], TEXT.len());
        }
    }
    for quiet in [json!({}), json!({"trace": "disabled"})] {
        assert!(converse(&sim, &guarded(quiet.clone())).await["trace"].is_null());
        assert!(stream(&sim, &guarded(quiet)).await.last().unwrap().payload["trace"].is_null());
    }
}

#[tokio::test]
async fn the_trace_of_a_block_holds_what_was_found() {
    let sim = sim().await;
    let found = |phrase: &str| json!({"customWords": [{"action": "BLOCKED", "detected": true, "match": phrase}], "managedWordLists": []});
    let mut body = guarded(json!({"trace": "enabled"}));
    let marked = json!({"guardContent": {"text": {"text": FORBIDDEN}}});
    body["messages"][0]["content"] = json!([{"text": TEXT}, marked]);
    let trace = converse(&sim, &body).await["trace"]["guardrail"].clone();
    assert_eq!(trace["actionReason"], "Guardrail blocked.");
    let input = &trace["inputAssessment"][GUARDRAIL];
    assert_eq!(input["wordPolicy"], found(FORBIDDEN));
    let chars = json!({"guarded": FORBIDDEN.len(), "total": FORBIDDEN.len() + TEXT.len()});
    assert_eq!(input["invocationMetrics"]["guardrailCoverage"]["textCharacters"], chars);
    assert!(trace["outputAssessments"].is_null() && trace["modelOutput"].is_null(), "no model ran");
    block_output(&sim);
    let trace = converse(&sim, &guarded(json!({"trace": "enabled"}))).await["trace"]["guardrail"].clone();
    assert_eq!(trace["outputAssessments"][GUARDRAIL][0]["wordPolicy"], found(PHRASE));
    assert_eq!(trace["modelOutput"], json!([TEXT]));
    assert!(trace["inputAssessment"][GUARDRAIL]["wordPolicy"].is_null());
}

#[tokio::test]
async fn the_input_of_a_tool_passes_unseen() {
    let sim = sim().await;
    block_output(&sim);
    let mut body = guarded(json!({}));
    let schema =
        json!({"type": "object", "properties": {"all": {"type": "array", "items": {"type": "string"}}}});
    let tool = json!({"toolSpec": {"name": "t", "inputSchema": {"json": schema}}});
    body["toolConfig"] = json!({"tools": [tool], "toolChoice": {"any": {}}});
    let json = converse(&sim, &body).await;
    assert_eq!(json["stopReason"], "tool_use");
    assert!(json.to_string().contains(PHRASE));
}

#[tokio::test]
async fn a_guardrail_that_does_not_exist_is_refused() {
    let sim = sim().await;
    let text = "The guardrail identifier or version provided in the request does not exist.".to_owned();
    let unknown = guarded(json!({"guardrailIdentifier": "unknownguardrail"}));
    let no_version = guarded(json!({"guardrailVersion": ""}));
    for body in [unknown, no_version] {
        for operation in ["converse", "converse-stream"] {
            let answer = call(&sim, MODEL, operation, &body).await;
            assert_eq!(refusal(&answer), (400, "ValidationException".to_owned(), text.clone()));
        }
    }
    let body = json!({"source": "INPUT", "content": [{"text": {"text": "x"}}]});
    let answer = apply_to(&sim, "unknownguardrail", "1", &body).await;
    assert_eq!(refusal(&answer), (404, "ResourceNotFoundException".to_owned(), text));
}

#[tokio::test]
async fn wrong_names_of_guardrails_break_the_published_patterns() {
    let sim = sim().await;
    let pattern = "failed to satisfy constraint: Member must satisfy regular expression pattern: (|";
    for (name, value) in [("guardrailIdentifier", "Not-an-id"), ("guardrailVersion", "01")] {
        let answer = call(&sim, MODEL, "converse", &guarded(json!({ name: value }))).await;
        let (status, kind, message) = refusal(&answer);
        assert_eq!((status, kind.as_str()), (400, "ValidationException"));
        assert!(
            message.contains(&format!("Value '{value}' at 'guardrailConfig.{name}' {pattern}")),
            "{message}"
        );
    }
    let body = json!({"source": "INPUT", "content": []});
    let (status, _, message) = refusal(&apply_to(&sim, "ABC", "x1", &body).await);
    assert!(status == 400 && message.starts_with("2 validation errors detected"), "{message}");
    let odd = guarded(json!({"streamProcessingMode": "later"}));
    let (status, _, message) = refusal(&call(&sim, MODEL, "converse-stream", &odd).await);
    assert!(status == 400 && message.contains("set: [sync, async]"), "{message}");
    assert_eq!(call(&sim, MODEL, "converse", &odd).await.status, 200, "an answer in one piece has no mode");
}

#[tokio::test]
async fn a_guardrail_is_applied_to_texts_alone() {
    let sim = sim().await;
    let masked = vec![mask("a@b.at", "EMAIL")];
    let blocked_output = vec!["secret".to_owned()];
    sim.set_guardrail(GUARDRAIL, GuardrailRules { masked, blocked_output, ..GuardrailRules::default() });
    let fine = apply(&sim, "INPUT", &["A secret.", &"x".repeat(1_000)]).await;
    let names: Vec<&String> = fine.as_object().unwrap().keys().collect();
    assert_eq!(names, ["action", "actionReason", "assessments", "guardrailCoverage", "outputs", "usage"]);
    assert_eq!((&fine["action"], &fine["actionReason"]), (&json!("NONE"), &json!("No action.")));
    assert_eq!(fine["outputs"], json!([]));
    assert_eq!(fine["guardrailCoverage"], json!({"textCharacters": {"guarded": 1_009, "total": 1_009}}));
    assert_eq!(
        (&fine["usage"]["wordPolicyUnits"], &fine["usage"]["sensitiveInformationPolicyUnits"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(fine["assessments"][0]["invocationMetrics"]["usage"], fine["usage"]);
    let blocked = apply(&sim, "OUTPUT", &["A secret of a@b.at.", "x"]).await;
    assert_eq!(
        (&blocked["action"], &blocked["outputs"]),
        (&json!("GUARDRAIL_INTERVENED"), &json!([{"text": MESSAGE}]))
    );
    assert_eq!(blocked["assessments"][0]["wordPolicy"]["customWords"][0]["match"], "secret");
    let masked = apply(&sim, "INPUT", &["Mail a@b.at.", "x"]).await;
    assert_eq!(masked["actionReason"], "Guardrail masked.");
    assert_eq!(masked["outputs"], json!([{"text": "Mail {EMAIL}."}, {"text": "x"}]));
    let record = sim.calls().pop().unwrap();
    assert_eq!((record.operation, record.model_id.as_str()), (Operation::ApplyGuardrail, GUARDRAIL));
    assert_eq!(record.guardrail_version.as_deref(), Some("1"));
    assert_eq!((record.outcome, record.billed_input_tokens), (Outcome::Completed, 0));
}

#[tokio::test]
async fn scenarios_hold_for_guardrails_by_their_identifier_and_by_the_star() {
    let sim = sim().await;
    let arn = format!("arn:aws:bedrock:us-east-1:123456789012:guardrail/{GUARDRAIL}");
    let body = json!({"source": "INPUT", "content": [{"text": {"text": FORBIDDEN}}]});
    sim.set_scenario_times(&arn, Scenario::HtmlBadGateway, 1);
    assert_eq!(apply_to(&sim, GUARDRAIL, "1", &body).await.status, 200);
    assert_eq!(apply_to(&sim, &arn, "1", &body).await.status, 502);
    let throttling: Scenario = bedrock_sim::ApiError::Throttling.into();
    sim.set_scenario("*", throttling);
    assert_eq!(apply_to(&sim, GUARDRAIL, "1", &body).await.status, 429);
    sim.set_scenario(
        "*",
        Scenario::StreamError { error: bedrock_sim::StreamError::Throttling, after_deltas: 0 },
    );
    assert_eq!(apply_to(&sim, GUARDRAIL, "1", &body).await.status, 200, "there is no stream to break");
    sim.set_scenario("*", Scenario::EndWithoutMessageStop { after_deltas: 0 });
    let half = apply_to(&sim, GUARDRAIL, "1", &body).await;
    assert!(serde_json::from_slice::<Value>(&half.body).is_err(), "{half:?}");
    let unsigned = format!("/guardrail/{GUARDRAIL}/version/1/apply");
    assert_eq!(send(sim.addr(), "POST", &unsigned, "", b"{}").await.status, 403);
}

#[tokio::test]
async fn rules_are_set_listed_and_forgotten_by_admin_calls() {
    let sim = sim().await;
    let blocks = async || apply(&sim, "INPUT", &["alpha"]).await["outputs"][0]["text"].clone();
    let set =
        json!({"guardrail": GUARDRAIL, "rules": {"blocked_input": ["alpha"], "input_message": "No alpha."}});
    assert_eq!(admin(&sim, "POST", "", &set.to_string()).await.status, 204);
    assert_eq!(blocks().await, "No alpha.");
    let all = json!({"rules": {"blocked_input": ["alpha"]}});
    assert_eq!(admin(&sim, "POST", "", &all.to_string()).await.status, 204);
    let listed = admin(&sim, "GET", "", "").await.json();
    assert_eq!(listed["set"]["*"]["output_message"], MESSAGE, "what is not given is as usual");
    assert_eq!(listed["set"][GUARDRAIL]["input_message"], "No alpha.");
    assert_eq!(listed["usual"]["blocked_output"], json!([FORBIDDEN]));
    assert_eq!(admin(&sim, "DELETE", &format!("?guardrail={GUARDRAIL}"), "").await.status, 204);
    assert_eq!(blocks().await, MESSAGE);
    assert_eq!(admin(&sim, "DELETE", "", "").await.status, 204);
    assert_eq!(blocks().await, Value::Null);
    sim.set_guardrail("*", serde_json::from_value(all["rules"].clone()).unwrap());
    assert_eq!(blocks().await, MESSAGE);
    sim.clear_guardrails();
    assert_eq!(blocks().await, Value::Null);
}

#[tokio::test]
async fn rules_that_are_not_understood_are_refused() {
    let sim = sim().await;
    for (body, expected) in [
        ("{}", "missing field `rules`"),
        (r#"{"rules": {"blocked": []}}"#, "unknown field `blocked`"),
        (r#"{"rules": {"masked": [{"phrase": "x"}]}}"#, "missing field `name`"),
        (r#"{"rules": {}, "id": "a"}"#, "unknown field `id`"),
    ] {
        let answer = admin(&sim, "POST", "", body).await;
        assert_eq!(answer.status, 400, "{body}");
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(expected), "{body}: {message}");
    }
    assert_eq!(admin(&sim, "GET", "", "").await.json()["set"], json!({}));
}
