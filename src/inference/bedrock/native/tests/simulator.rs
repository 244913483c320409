//! Calls of every format over the simulator, which refuses any member that a family does
//! not know.

use std::sync::Arc;

use bedrock_sim::{ApiError, CallRecord, Operation, Scenario, Sim, SimOptions, StreamError};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use super::{OnBlock, assert_in_order, call, guardrail, text};
use crate::domain::{CallFailure, Metered, ModelId, RequestMetadata, ServiceTerms, ServiceTier};
use crate::inference::bedrock::BedrockBackend;
use crate::inference::bedrock::tests::backend;
use crate::inference::{
    BackendError, CallTerms, Completion, ModelBackend as _, ModelCall, ModelEvent, NativeFormat, StopReason,
};

/// Nobody can tell its family from its id, so the shape of the body decides.
const OPAQUE: &str = "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdefghijkl";
pub(super) const DOCUMENT: &str = concat!(
    "The bridge in Graz is open to cyclists since March. It cost four million euros. ",
    "Traffic on the old bridge fell by a third within a month.",
);

pub(super) fn model(format: NativeFormat) -> &'static str {
    match format {
        NativeFormat::AnthropicMessages => "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        NativeFormat::AmazonNova => "us.amazon.nova-micro-v1:0",
        NativeFormat::MetaLlama3 => "us.meta.llama3-3-70b-instruct-v1:0",
        NativeFormat::MetaLlama4 => "us.meta.llama4-scout-17b-instruct-v1:0",
        NativeFormat::Mistral => "mistral.mixtral-8x7b-instruct-v0:1",
        NativeFormat::Ai21Jamba => "ai21.jamba-1-5-mini-v1:0",
        NativeFormat::DeepSeek => "us.deepseek.r1-v1:0",
        NativeFormat::OpenAi => "openai.gpt-oss-120b-1:0",
        NativeFormat::AnthropicText
        | NativeFormat::AmazonTitanText
        | NativeFormat::MetaLlama2
        | NativeFormat::CohereCommand
        | NativeFormat::CohereCommandR
        | NativeFormat::Ai21Jurassic => OPAQUE,
    }
}

pub(super) struct Bench {
    pub(super) sim: Sim,
    backend: BedrockBackend,
}

impl Bench {
    pub(super) async fn start() -> Self {
        let sim = Sim::start(SimOptions::default()).await.unwrap();
        let backend = backend(&sim).await;
        Self { sim, backend }
    }

    /// The record of the last call.
    fn record(&self) -> CallRecord {
        self.sim.calls().pop().unwrap()
    }

    pub(super) async fn whole(&self, call: &ModelCall) -> Result<Completion, BackendError> {
        self.backend.complete(call).await
    }

    /// All events up to the end or the first error.
    pub(super) async fn events(&self, call: &ModelCall) -> (Vec<ModelEvent>, Option<BackendError>) {
        let mut stream = match self.backend.stream(call).await {
            Ok(stream) => stream,
            Err(error) => return (Vec::new(), Some(error)),
        };
        let mut events = Vec::new();
        while let Some(item) = stream.next().await {
            match item {
                Ok(event) => events.push(event),
                Err(error) => {
                    assert!(stream.next().await.is_none(), "nothing follows an error");
                    return (events, Some(error));
                }
            }
        }
        (events, None)
    }
}

pub(super) fn calls() -> impl Iterator<Item = (NativeFormat, ModelCall)> {
    NativeFormat::ALL.into_iter().map(|format| {
        let mut call = call(format, DOCUMENT);
        call.model = ModelId::parse(model(format)).unwrap();
        (format, call)
    })
}

fn streamed() -> impl Iterator<Item = (NativeFormat, ModelCall)> {
    calls().filter(|(format, _)| format.can_stream())
}

fn stop(events: &[ModelEvent]) -> Option<StopReason> {
    events.iter().find_map(|event| match event {
        ModelEvent::Stopped(reason) => Some(*reason),
        _ => None,
    })
}

fn usage(events: &[ModelEvent]) -> Option<Metered> {
    events.iter().find_map(|event| match event {
        ModelEvent::Usage(metered) => Some(*metered),
        _ => None,
    })
}

fn assert_billed(usage: Option<Metered>, record: &CallRecord, format: NativeFormat) {
    let tokens = usage.unwrap_or_else(|| panic!("{format:?} told no usage")).tokens;
    let billed = (record.billed_input_tokens, record.billed_output_tokens);
    assert_eq!((tokens.input_tokens, tokens.output_tokens), billed, "{format:?}");
}

#[tokio::test]
async fn every_format_is_answered_whole() {
    let bench = Bench::start().await;
    for (format, call) in calls() {
        let answer = bench.whole(&call).await.unwrap_or_else(|error| panic!("{format:?}: {error}"));
        let record = bench.record();
        assert_eq!(record.operation, Operation::InvokeModel);
        assert_eq!(record.headers["content-type"], "application/json");
        assert_eq!(record.headers["accept"], "application/json");
        assert!(!answer.text.is_empty(), "{format:?}");
        assert_eq!(Some(answer.text.as_str()), record.text.as_deref(), "{format:?}");
        assert_eq!(answer.stop_reason, StopReason::EndTurn, "{format:?}");
        assert_billed(answer.usage, &record, format);
    }
}

#[tokio::test]
async fn every_format_that_can_is_streamed() {
    let bench = Bench::start().await;
    for (format, call) in streamed() {
        let whole = bench.whole(&call).await.unwrap().text;
        let (events, error) = bench.events(&call).await;
        assert_eq!(error, None, "{format:?}");
        let record = bench.record();
        assert_eq!(record.operation, Operation::InvokeModelWithResponseStream);
        assert_eq!(record.headers["x-amzn-bedrock-accept"], "application/json");
        assert_in_order(&events, format);
        assert_eq!(text(&events), whole, "{format:?}");
        assert!(events.len() > 4, "{format:?} comes in pieces");
        assert_eq!(stop(&events), Some(StopReason::EndTurn), "{format:?}");
        assert_billed(usage(&events), &record, format);
        let thinks = matches!(format, NativeFormat::DeepSeek | NativeFormat::OpenAi);
        assert_eq!(events.contains(&ModelEvent::Thinking), thinks, "{format:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_said_to_be_cut() {
    let bench = Bench::start().await;
    for (format, mut call) in calls() {
        call.max_tokens = 3;
        let answer = bench.whole(&call).await.unwrap();
        assert_eq!(answer.stop_reason, StopReason::MaxTokens, "{format:?}");
        assert_billed(answer.usage, &bench.record(), format);
        if format.can_stream() {
            let (events, _) = bench.events(&call).await;
            assert_eq!(stop(&events), Some(StopReason::MaxTokens), "{format:?}");
            assert_eq!(text(&events), answer.text, "{format:?}");
        }
    }
}

#[tokio::test]
async fn reasoning_is_told_as_thinking_where_a_model_shows_it() {
    let bench = Bench::start().await;
    bench.sim.set_scenario("*", Scenario::Reasoning);
    for (format, call) in streamed() {
        let (events, error) = bench.events(&call).await;
        assert_eq!(error, None, "{format:?}");
        assert_eq!(Some(text(&events)), bench.record().text, "{format:?}");
        let shows = [NativeFormat::AnthropicMessages, NativeFormat::AmazonNova, NativeFormat::DeepSeek];
        let thinks = shows.contains(&format) || format == NativeFormat::OpenAi;
        assert_eq!(events.contains(&ModelEvent::Thinking), thinks, "{format:?}");
    }
}

#[tokio::test]
async fn refusals_of_both_operations_have_their_kinds() {
    let bench = Bench::start().await;
    let cases = [
        (ApiError::Throttling, CallFailure::Throttled),
        (ApiError::ThrottlingPerDay, CallFailure::DailyQuotaUsedUp),
        (ApiError::ModelNotReady, CallFailure::NotReady),
        (ApiError::ServiceQuotaExceeded, CallFailure::AccountQuotaExceeded),
        (ApiError::ModelError, CallFailure::ModelFailed),
        (ApiError::ModelTimeout, CallFailure::ModelTimedOut),
        (ApiError::ServiceUnavailable, CallFailure::Unavailable),
        (ApiError::InternalServer, CallFailure::Unavailable),
        (ApiError::AccessDenied, CallFailure::AccessDenied),
        (ApiError::EndOfLife, CallFailure::ModelGone),
        (ApiError::InputTooLong, CallFailure::InputTooLong),
        (ApiError::Validation, CallFailure::RequestRejected),
    ];
    for (refusal, kind) in cases {
        bench.sim.set_scenario("*", Scenario::from(refusal));
        for (format, call) in calls() {
            let error = bench.whole(&call).await.unwrap_err();
            assert_eq!(error.kind, kind, "{format:?}: {error}");
            if format.can_stream() {
                let error = bench.backend.stream(&call).await.err().unwrap();
                assert_eq!(error.kind, kind, "{format:?}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn exceptions_in_the_stream_have_their_kinds() {
    let bench = Bench::start().await;
    for (error, kind) in [
        (StreamError::InternalServer, CallFailure::Unavailable),
        (StreamError::ModelStreamError, CallFailure::ModelFailed),
        (StreamError::Validation, CallFailure::InputTooLong),
        (StreamError::Throttling, CallFailure::Throttled),
        (StreamError::ServiceUnavailable, CallFailure::Unavailable),
        (StreamError::ModelTimeout, CallFailure::ModelTimedOut),
        (StreamError::Unmodelled, CallFailure::BadResponse),
    ] {
        for (format, call) in streamed() {
            for after_deltas in [0, 3] {
                bench.sim.set_scenario("*", Scenario::StreamError { error, after_deltas });
                let (events, failed) = bench.events(&call).await;
                let failed = failed.unwrap_or_else(|| panic!("{format:?}, {error:?}"));
                assert_eq!(failed.kind, kind, "{format:?}: {failed}");
                assert_eq!(stop(&events), None, "{format:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_stream_that_breaks_before_the_stop_is_no_answer() {
    let bench = Bench::start().await;
    let cut = CallFailure::StreamCut;
    for (scenario, kind) in [
        (Scenario::CutMidFrame { after_deltas: 3 }, cut),
        (Scenario::CutBetweenFrames { after_deltas: 3 }, cut),
        (Scenario::ResetMidStream { after_deltas: 3 }, cut),
        (Scenario::EndWithoutMessageStop { after_deltas: 3 }, cut),
        (Scenario::CorruptCrc { after_deltas: 3 }, CallFailure::BadResponse),
        (Scenario::GarbageFrames { after_deltas: Some(3) }, CallFailure::BadResponse),
        (Scenario::GarbageFrames { after_deltas: None }, CallFailure::BadResponse),
        (Scenario::JsonInsteadOfStream, CallFailure::BadResponse),
    ] {
        bench.sim.set_scenario("*", scenario.clone());
        for (format, call) in streamed() {
            let (events, error) = bench.events(&call).await;
            let error = error.unwrap_or_else(|| panic!("{format:?}, {scenario:?}"));
            assert_eq!(error.kind, kind, "{format:?}, {scenario:?}: {error}");
            assert_eq!(stop(&events), None, "{format:?}, {scenario:?}");
        }
    }
}

#[tokio::test]
async fn a_whole_answer_that_is_none_is_a_bad_response() {
    let bench = Bench::start().await;
    let garbage = Scenario::GarbageFrames { after_deltas: None };
    for scenario in [Scenario::EmptyJson, garbage] {
        bench.sim.set_scenario("*", scenario.clone());
        for (format, call) in calls() {
            let error = bench.whole(&call).await.unwrap_err();
            assert_eq!(error.kind, CallFailure::BadResponse, "{format:?}, {scenario:?}: {error}");
        }
    }
}

#[tokio::test]
async fn what_comes_after_the_stop_changes_nothing_but_the_usage() {
    let bench = Bench::start().await;
    for (format, call) in streamed() {
        bench.sim.set_scenario("*", Scenario::Normal);
        let whole = bench.whole(&call).await.unwrap().text;
        for scenario in [Scenario::EndWithoutMetadata, Scenario::DuplicateStop, Scenario::TextAfterStop] {
            bench.sim.set_scenario("*", scenario.clone());
            let (events, error) = bench.events(&call).await;
            assert_eq!(error, None, "{format:?}, {scenario:?}");
            assert_in_order(&events, format);
            assert_eq!(stop(&events), Some(StopReason::EndTurn), "{format:?}, {scenario:?}");
            let told = text(&events);
            match scenario {
                Scenario::TextAfterStop => assert!(told.len() < whole.len() && whole.starts_with(&told)),
                _ => assert_eq!(told, whole, "{format:?}, {scenario:?}"),
            }
        }
    }
}

#[tokio::test]
async fn no_count_is_believed_that_cannot_be_one() {
    let bench = Bench::start().await;
    bench.sim.set_scenario("*", Scenario::WrongUsage { input_tokens: -7, output_tokens: -1 });
    for (format, call) in calls() {
        assert_eq!(bench.whole(&call).await.unwrap().usage, None, "{format:?}");
        if format.can_stream() {
            assert_eq!(usage(&bench.events(&call).await.0), None, "{format:?}");
        }
    }
}

#[tokio::test]
async fn an_empty_answer_is_one_without_text() {
    let bench = Bench::start().await;
    for scenario in [Scenario::EmptyContent, Scenario::EmptyText] {
        bench.sim.set_scenario("*", scenario);
        for (format, call) in calls() {
            assert_eq!(bench.whole(&call).await.unwrap().text, "", "{format:?}");
            if format.can_stream() {
                let (events, error) = bench.events(&call).await;
                assert_eq!((text(&events), error), (String::new(), None), "{format:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_a_call_asks_for_besides_the_prompt_stands_in_headers() {
    let bench = Bench::start().await;
    for (format, mut call) in calls() {
        bench.whole(&call).await.unwrap();
        let plain = bench.record().headers;
        assert!(plain.keys().all(|name| !name.starts_with("x-amzn-bedrock-")), "{format:?}: {plain:?}");

        call.guardrail = Some(guardrail(OnBlock::Refuse));
        call.metadata = Arc::new(RequestMetadata::default().with("tenant", "a").with("task", "summarize"));
        let terms = CallTerms {
            service_tier: ServiceTier::Flex,
            optimized_latency: true,
            ..CallTerms::clone(&call.terms)
        };
        call.terms = Arc::new(terms);
        let served = bench.whole(&call).await.unwrap().usage.unwrap().terms;
        assert_eq!(served, ServiceTerms { tier: ServiceTier::Flex, optimized_latency: true });
        assert_asked(&bench.record());
        if format.can_stream() {
            let (events, error) = bench.events(&call).await;
            assert_eq!(error, None, "{format:?}");
            assert_eq!(usage(&events).unwrap().terms, served);
            assert_asked(&bench.record());
        }
    }
}

fn assert_asked(record: &CallRecord) {
    let header = |name: &str| record.headers[&format!("x-amzn-bedrock-{name}")].as_str();
    assert_eq!(header("guardrailidentifier"), "gr1abc2def3g");
    assert_eq!(header("guardrailversion"), "3");
    assert_eq!(header("trace"), "ENABLED");
    assert_eq!(header("service-tier"), "flex");
    assert_eq!(header("performanceconfig-latency"), "optimized");
    let metadata: Value = serde_json::from_str(header("request-metadata")).unwrap();
    assert_eq!(metadata, json!({ "tenant": "a", "task": "summarize" }));
}

#[tokio::test]
async fn the_suffix_of_the_guardrails_tags_is_new_in_every_call_and_stands_around_the_document() {
    let bench = Bench::start().await;
    let mut suffixes = Vec::new();
    for (format, mut call) in calls() {
        call.guardrail = Some(guardrail(OnBlock::Refuse));
        bench.whole(&call).await.unwrap();
        let record = bench.record();
        let body = record.request();
        let suffix = body["amazon-bedrock-guardrailConfig"]["tagSuffix"].as_str().unwrap().to_owned();
        assert!((1..=20).contains(&suffix.len()) && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let tag = format!("amazon-bedrock-guardrails-guardContent_{suffix}>");
        let tagged = format!("<{tag}\\n{DOCUMENT}</{tag}");
        assert!(body.to_string().contains(&tagged), "{format:?}: {body}");
        assert_eq!(body.to_string().matches(&tag).count(), 2, "{format:?}");
        suffixes.push(suffix);
    }
    suffixes.sort_unstable();
    suffixes.dedup();
    assert_eq!(suffixes.len(), NativeFormat::ALL.len());
}
