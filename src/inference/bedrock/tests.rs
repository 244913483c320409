//! The adapter over the simulator: what only a real socket shows.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use bedrock_sim::{ApiError, Operation, Scenario, Sim, SimOptions};

use super::{BedrockBackend, BedrockSettings, CredentialsSource};
use crate::domain::{
    BaseModel, CallFailure, Exchange, FencedDocument, Guardrail, GuardrailStream, ModelId, OnBlock,
    OutputSchema, Prompt, Region, ServiceTier,
};
use crate::inference::{
    CallTerms, ModelBackend as _, ModelCall, ModelEvent, Screening, StopReason, StructuredOutput, Verdict,
};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

pub(super) async fn backend(sim: &Sim) -> BedrockBackend {
    backend_at(sim.endpoint_url()).await
}

async fn backend_at(endpoint_url: String) -> BedrockBackend {
    let settings = BedrockSettings {
        region: Some(Region::new("us-east-1")),
        other_regions: Vec::new(),
        endpoint_url: Some(endpoint_url),
        max_connections_per_region: NonZeroUsize::MIN,
        trusted_authorities: None,
        connect_timeout: Duration::from_secs(5),
        sign_in_timeout: Duration::from_secs(5),
        credentials: CredentialsSource::Simulator,
    };
    BedrockBackend::connect(settings).await
}

fn call(model: &str, accepts_system: bool) -> ModelCall {
    let user = FencedDocument {
        before: String::new(),
        opening: "<document-1a>\n".into(),
        document: "Die Brücke ist offen. The bridge is open; it cost four million.".into(),
        closing: "\n</document-1a>".into(),
    };
    ModelCall {
        model: ModelId::parse(model).unwrap(),
        region: None,
        prompt: Arc::new(Prompt {
            system: "Summarize the document in one sentence.".into(),
            shared_bytes: 0,
            quoted: 0..0,
            user,
            later: Vec::new(),
        }),
        max_tokens: 500,
        temperature: None,
        terms: Arc::new(CallTerms { accepts_system, ..CallTerms::default() }),
        guardrail: None,
        cache_shared: false,
        output_schema: None,
        metadata: Arc::default(),
    }
}

/// A call of a model whose tokens are counted by that id.
fn counted(model: &str, count_as: &str, accepts_system: bool) -> ModelCall {
    let count_as = Some(BaseModel::parse(count_as).unwrap());
    ModelCall {
        terms: Arc::new(CallTerms { accepts_system, count_as, ..CallTerms::default() }),
        ..call(model, accepts_system)
    }
}

#[tokio::test]
async fn a_count_is_the_input_that_the_same_prompt_is_billed_with() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let backend = backend(&sim).await;
    for system_turn in [true, false] {
        let call = counted("us.anthropic.claude-sonnet-4-6", "anthropic.claude-sonnet-4-6", system_turn);
        let count = backend.count_tokens(&call).await.unwrap();
        let billed = backend.complete(&call).await.unwrap().usage.unwrap();
        assert_eq!(count, billed.tokens.input_tokens);
    }
    let calls = sim.calls();
    let counted = calls.iter().find(|call| call.operation == Operation::CountTokens).unwrap();
    assert_eq!(counted.model_id, "anthropic.claude-sonnet-4-6", "profiles are not counted");
}

#[tokio::test]
async fn a_model_that_cannot_count_says_so_in_one_way() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let backend = backend(&sim).await;
    let arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6";
    for model in ["us.amazon.nova-micro-v1:0", arn] {
        let error = backend.count_tokens(&call(model, true)).await.unwrap_err();
        assert!(error.means_uncountable(), "{model}: {error}");
    }
    assert_eq!(sim.calls().len(), 0, "what is known not to count is not asked");
    let unknown = counted("us.anthropic.claude-nine", "anthropic.claude-nine", true);
    let error = backend.count_tokens(&unknown).await.unwrap_err();
    assert!(error.means_uncountable(), "{error}");
    assert_eq!(sim.calls().len(), 1);
    let profile = counted(arn, "anthropic.claude-sonnet-4-6", true);
    assert!(backend.count_tokens(&profile).await.unwrap() > 0, "an ARN is counted as its base model");
    let claude = counted("us.anthropic.claude-sonnet-4-6", "anthropic.claude-sonnet-4-6", true);
    for (error, kind, uncountable) in [
        (ApiError::NotAuthorized, CallFailure::AccessDenied, true),
        (ApiError::ResourceNotFound, CallFailure::ModelGone, true),
        (ApiError::ThrottlingRequests, CallFailure::Throttled, false),
        (ApiError::Validation, CallFailure::RequestRejected, false),
        (ApiError::ServiceUnavailable, CallFailure::Unavailable, false),
    ] {
        sim.set_scenario("*", Scenario::from(error));
        let failed = backend.count_tokens(&claude).await.unwrap_err();
        assert_eq!((failed.kind, failed.means_uncountable()), (kind, uncountable), "{failed}");
    }
}

/// A call whose answer was answered twice.
fn conversation(model: &str, accepts_system: bool) -> ModelCall {
    let call = call(model, accepts_system);
    let exchange = |answer: &str, wish: &str| Exchange { answer: answer.into(), wish: wish.into() };
    let later = vec![
        exchange("The bridge is open.", "Mention the price."),
        exchange("The bridge is open; it cost four million.", "As bullets."),
    ];
    ModelCall { prompt: Arc::new(Prompt { later, ..Prompt::clone(&call.prompt) }), ..call }
}

#[tokio::test]
async fn what_came_after_the_document_stands_in_turns_of_its_own() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let backend = backend(&sim).await;
    for system_turn in [true, false] {
        let call = conversation("us.anthropic.claude-sonnet-4-6", system_turn);
        let answer = backend.complete(&call).await.unwrap();
        assert_eq!(answer.text, "- The bridge is open; it cost four million.");
        assert_eq!(text_of(&told(&backend, &call).await), answer.text);
        let request = sim.calls().last().unwrap().request().clone();
        let messages = request["messages"].as_array().unwrap();
        let roles: Vec<&str> = messages.iter().map(|message| message["role"].as_str().unwrap()).collect();
        assert_eq!(roles, ["user", "assistant", "user", "assistant", "user"]);
        assert_eq!(messages[1]["content"], json!([{"text": "The bridge is open."}]));
        assert_eq!(messages[4]["content"], json!([{"text": "As bullets."}]));
        let rules = messages[0]["content"][0]["text"].as_str().unwrap().starts_with("Summarize");
        assert_eq!(rules, !system_turn, "rules without a place of their own lead the first turn");
    }
    let count_as = Some(BaseModel::parse("anthropic.claude-sonnet-4-6").unwrap());
    let call = conversation("us.anthropic.claude-sonnet-4-6", true);
    let call = ModelCall { terms: Arc::new(CallTerms { count_as, ..CallTerms::clone(&call.terms) }), ..call };
    let billed = backend.complete(&call).await.unwrap().usage.unwrap().tokens.input_tokens;
    assert_eq!(backend.count_tokens(&call).await.unwrap(), billed, "all turns are counted");
}

#[tokio::test]
async fn a_guardrail_is_shown_the_document_and_every_wish() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let backend = backend(&sim).await;
    let guardrail = Guardrail {
        name: "g".into(),
        id: "gr1".to_owned(),
        version: "1".to_owned(),
        stream: GuardrailStream::Sync,
        on_block: OnBlock::Refuse,
        trace: false,
    };
    let call = conversation("us.anthropic.claude-sonnet-4-6", true);
    let call = ModelCall { guardrail: Some(Arc::new(guardrail)), ..call };
    backend.complete(&call).await.unwrap();
    let request = sim.calls().last().unwrap().request().clone();
    let blocks = request["messages"].as_array().unwrap().iter();
    let blocks = blocks.flat_map(|message| message["content"].as_array().unwrap());
    let watched: Vec<&str> =
        blocks.filter_map(|block| block["guardContent"]["text"]["text"].as_str()).collect();
    assert_eq!(watched, [&*call.prompt.user.document, "Mention the price.", "As bullets."]);
}

/// Everything that a stream tells.
async fn told(backend: &BedrockBackend, call: &ModelCall) -> Vec<ModelEvent> {
    backend.stream(call).await.unwrap().map(Result::unwrap).collect().await
}

fn text_of(events: &[ModelEvent]) -> String {
    let text = |event: &ModelEvent| match event {
        ModelEvent::Text(text) => Some(text.clone()),
        _ => None,
    };
    events.iter().filter_map(text).collect()
}

#[tokio::test]
async fn data_of_a_given_shape_comes_by_a_schema_or_by_a_tool_whole_and_in_pieces() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let backend = backend(&sim).await;
    let properties =
        json!({"headline": {"type": "string"}, "points": {"type": "array", "items": {"type": "string"}}});
    let schema = json!({"type": "object", "properties": properties, "required": ["headline", "points"]});
    let schema = Arc::new(OutputSchema::new("summary", schema).unwrap());
    for way in [StructuredOutput::JsonSchema, StructuredOutput::Tool] {
        let terms = CallTerms { structured_output: Some(way), ..CallTerms::default() };
        let call = ModelCall {
            terms: Arc::new(terms),
            output_schema: Some(Arc::clone(&schema)),
            ..call("us.anthropic.claude-sonnet-4-6", true)
        };
        let answer = backend.complete(&call).await.unwrap();
        let events = told(&backend, &call).await;
        assert_eq!(answer.stop_reason, StopReason::EndTurn, "{way:?}");
        assert!(events.contains(&ModelEvent::Stopped(StopReason::EndTurn)), "{way:?}");
        let data = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(data(&answer.text), data(&text_of(&events)), "{way:?}");
        assert!(data(&answer.text)["headline"].is_string() && data(&answer.text)["points"].is_array());
        let request = sim.calls().last().unwrap().request().clone();
        assert_eq!(request.get("toolConfig").is_some(), way == StructuredOutput::Tool);
        assert_eq!(request.get("outputConfig").is_some(), way == StructuredOutput::JsonSchema);
    }
}

/// Names a simulator whose log is held to AWS's model afterwards: `tests/conformance/run.sh`.
const OTHER_SIMULATOR: &str = "REDRAFT_CONFORMANCE_ENDPOINT";

#[tokio::test]
async fn structured_calls_get_data_from_any_simulator_by_any_name() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let other = std::env::var_os(OTHER_SIMULATOR).map(|url| url.into_string().unwrap());
    let endpoint = other.unwrap_or_else(|| sim.endpoint_url());
    let backend = backend_at(endpoint).await;
    let point =
        json!({"type": "object", "properties": {"text": {"type": "string", "description": "ä \"b\""}}});
    let properties = json!({"headline": {"type": "string"}, "points": {"type": "array", "items": point}});
    let schema = json!({"type": "object", "properties": properties, "required": ["headline", "points"], "title": null});
    for (model, way) in [
        ("us.anthropic.claude-sonnet-4-6", StructuredOutput::JsonSchema),
        ("us.anthropic.claude-sonnet-4-6", StructuredOutput::Tool),
        ("mistral.mistral-large-3-675b-instruct", StructuredOutput::JsonSchema),
        ("us.mistral.pixtral-large-2502-v1:0", StructuredOutput::Tool),
    ] {
        for name in ["A", &"social-post_".repeat(6)[..64]] {
            let terms = CallTerms { structured_output: Some(way), ..CallTerms::default() };
            let schema = OutputSchema::new(name, schema.clone()).unwrap();
            let call = ModelCall {
                terms: Arc::new(terms),
                output_schema: Some(Arc::new(schema)),
                ..call(model, true)
            };
            let whole = backend.complete(&call).await.unwrap().text;
            for text in [whole, text_of(&told(&backend, &call).await)] {
                let data: Value = serde_json::from_str(&text).unwrap();
                assert!(
                    data["headline"].is_string() && data["points"].is_array(),
                    "{model}, {way:?}: {text}"
                );
            }
        }
    }
}

#[tokio::test]
async fn nothing_is_said_of_terms_that_are_the_usual_ones() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let backend = backend(&sim).await;
    let usual = call("us.amazon.nova-pro-v1:0", true);
    backend.complete(&usual).await.unwrap();
    let terms =
        CallTerms { service_tier: ServiceTier::Priority, optimized_latency: true, ..CallTerms::default() };
    let other = ModelCall { terms: Arc::new(terms), ..usual };
    let whole = backend.complete(&other).await.unwrap().usage.unwrap();
    let events = told(&backend, &other).await;
    assert_eq!((whole.terms.tier, whole.terms.optimized_latency), (ServiceTier::Priority, true));
    assert_eq!(events.last(), Some(&ModelEvent::Usage(whole)));
    let requests: Vec<Value> = sim.calls().iter().map(|call| call.request().clone()).collect();
    for member in ["serviceTier", "performanceConfig", "requestMetadata", "guardrailConfig", "toolConfig"] {
        assert_eq!(requests[0].get(member), None, "{member}");
    }
    for request in &requests[1..] {
        assert_eq!(request["serviceTier"]["type"], "priority");
        assert_eq!(request["performanceConfig"]["latency"], "optimized");
    }
}

#[tokio::test]
async fn the_shared_beginning_is_marked_and_the_rest_follows_word_for_word() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let backend = backend(&sim).await;
    let plain = call("us.anthropic.claude-sonnet-4-6", true);
    let prompt = Prompt { shared_bytes: 23, ..Prompt::clone(&plain.prompt) };
    let marked = ModelCall { prompt: Arc::new(prompt), cache_shared: true, ..plain.clone() };
    backend.complete(&plain).await.unwrap();
    backend.complete(&marked).await.unwrap();
    let system = |index: usize| sim.calls()[index].request()["system"].as_array().unwrap().clone();
    assert_eq!(system(0).len(), 1);
    let blocks = system(1);
    assert_eq!(blocks[1], json!({"cachePoint": {"type": "default"}}));
    let together = [blocks[0]["text"].as_str().unwrap(), blocks[2]["text"].as_str().unwrap()].concat();
    assert_eq!(together, plain.prompt.system);
    let without_system = CallTerms { accepts_system: false, ..CallTerms::default() };
    backend.complete(&ModelCall { terms: Arc::new(without_system), ..marked }).await.unwrap();
    assert_eq!(sim.calls()[2].request().get("system"), None);
}

#[tokio::test]
async fn a_guardrail_that_does_not_exist_is_a_fault_of_the_catalogue() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let backend = backend(&sim).await;
    let guardrail = Arc::new(Guardrail {
        name: "gone".into(),
        id: "unknownguardrail".to_owned(),
        version: "1".to_owned(),
        stream: GuardrailStream::Sync,
        on_block: OnBlock::Refuse,
        trace: false,
    });
    let watched =
        ModelCall { guardrail: Some(Arc::clone(&guardrail)), ..call("us.amazon.nova-pro-v1:0", true) };
    assert_eq!(backend.complete(&watched).await.unwrap_err().kind, CallFailure::ParameterRejected);
    let screening = Screening { guardrail, region: None, text: "A door.".into() };
    assert_eq!(backend.screen(&screening).await.unwrap_err().kind, CallFailure::ModelGone);
    let known = Guardrail { id: "gr1".to_owned(), ..Guardrail::clone(&screening.guardrail) };
    let screening = Screening { guardrail: Arc::new(known), ..screening };
    assert_eq!(backend.screen(&screening).await, Ok(Verdict::Passed));
}
