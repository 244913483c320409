//! The adapter over the simulator: what only a real socket shows.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use bedrock_sim::{ApiError, Operation, Scenario, Sim, SimOptions};

use super::{BedrockBackend, BedrockSettings, CredentialsSource};
use crate::domain::{CallFailure, FencedDocument, ModelId, Prompt, Region};
use crate::inference::{CallTerms, ModelBackend as _, ModelCall};

pub(super) async fn backend(sim: &Sim) -> BedrockBackend {
    let settings = BedrockSettings {
        region: Some(Region::new("us-east-1")),
        other_regions: Vec::new(),
        endpoint_url: Some(sim.endpoint_url()),
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
            user,
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

#[tokio::test]
async fn a_count_is_the_input_that_the_same_prompt_is_billed_with() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let backend = backend(&sim).await;
    for system_turn in [true, false] {
        let call = call("us.anthropic.claude-sonnet-4-6", system_turn);
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
    for model in ["us.amazon.nova-micro-v1:0", "anthropic.claude-nine", arn] {
        let error = backend.count_tokens(&call(model, true)).await.unwrap_err();
        assert!(error.means_uncountable(), "{model}: {error}");
    }
    assert_eq!(sim.calls().len(), 2, "an ARN is not asked for");
    let claude = call("us.anthropic.claude-sonnet-4-6", true);
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
