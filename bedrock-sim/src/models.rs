//! Models: which ids exist, and what each model refuses.
//!
//! Owns the reading of model ids and ARNs, and the checks that a single model adds to the published
//! API. The facts stand in [`table`]. An id whose model cannot be read off it (an application
//! inference profile, a provisioned model) is taken on trust.
//! The one rule it protects: a request that AWS refuses for its model is refused with AWS's text.

mod id;
mod table;

use crate::errors::{ApiError, Refusal};
use crate::request::ConverseRequest;
use crate::scenario::Scenario;
use id::ModelId;
use table::{Model, Sampling};

/// More cache points than this are refused.
const MAX_CACHE_POINTS: usize = 4;
/// The shortest prefix that is cached by a model that is not known from its id.
const USUAL_MIN_CACHED_TOKENS: u64 = 1_024;

/// What comes before the text of a model's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Preamble {
    #[default]
    None,
    /// A reasoning block with a signature.
    Reasoning,
    /// An empty text block, then a reasoning block without a signature.
    EmptyTextAndReasoning,
}

/// Checks a Converse request against the limits of its model, and tells how the model begins.
pub(crate) fn check(model_id: &str, request: &ConverseRequest) -> Result<Preamble, Refusal> {
    if ModelId::parse(model_id) == Some(ModelId::Imported) {
        return Err(Refusal::validation(
            "This action doesn't support the model that you provided. Try again with a supported \
             text or chat model.",
        ));
    }
    let over_cap = |_: &str, _, cap| {
        Refusal::validation(format!(
            "The maximum tokens you requested exceed the model limit of {cap}. Try again with a \
             maximum tokens value lower than {cap}."
        ))
    };
    check_native(model_id, request, over_cap)
}

/// Checks a native request against the limits of its model, and tells how the model begins.
/// `over_cap` says of this model that more output tokens were asked for than its cap.
pub(crate) fn check_native(
    model_id: &str,
    request: &ConverseRequest,
    over_cap: impl Fn(&str, u64, u64) -> Refusal,
) -> Result<Preamble, Refusal> {
    let Some(model) = find(model_id)? else {
        return Ok(Preamble::None);
    };
    check_members(model, request)?;
    check_lengths(model, request, over_cap)?;
    Ok(model.preamble)
}

/// The base id that an id names, whether there is such a model or not.
pub(crate) fn base_of(model_id: &str) -> Option<&str> {
    match ModelId::parse(model_id) {
        Some(ModelId::Named { base, .. }) => Some(base),
        _ => None,
    }
}

/// Checks that there is such a model, for a request that is not known to be any model's.
pub(crate) fn check_id(model_id: &str) -> Result<(), Refusal> {
    find(model_id).map(|_| ())
}

/// The fewest tokens of a prefix that a model caches. None if it caches none.
pub(crate) fn min_cached_tokens(model_id: &str) -> Option<u64> {
    match find(model_id) {
        Ok(Some(model)) => model.min_cached_tokens,
        Ok(None) => Some(USUAL_MIN_CACHED_TOKENS),
        Err(_) => None,
    }
}

/// Checks that tokens can be counted for this model: base ids of Claude alone, and scenarios.
pub(crate) fn check_counting(model_id: &str) -> Result<(), Refusal> {
    if !model_id.starts_with("anthropic.claude-") && !model_id.starts_with("sim.") {
        return Err(Refusal::validation("The provided model doesn't support counting tokens."));
    }
    match find(model_id) {
        Ok(_) => Ok(()),
        // A model that answers through a profile alone still counts by its base id.
        Err(refusal) if refusal == ApiError::OnDemandUnsupported.refusal(model_id) => Ok(()),
        Err(refusal) => Err(refusal),
    }
}

/// The model of an id. Ok(None) stands for a model that cannot be known from its id.
fn find(model_id: &str) -> Result<Option<&'static Model>, Refusal> {
    let invalid = || ApiError::InvalidModelId.refusal(model_id);
    match ModelId::parse(model_id).ok_or_else(invalid)? {
        ModelId::Opaque | ModelId::Imported => Ok(None),
        ModelId::Simulated(name) => match Scenario::from_name(name) {
            Some(_) => Ok(None),
            None => Err(invalid()),
        },
        ModelId::Named { base, profile } => {
            let model = table::find(base).ok_or_else(invalid)?;
            if model.withdrawn {
                return Err(ApiError::EndOfLife.refusal(model_id));
            }
            if model.profile_only && !profile {
                return Err(ApiError::OnDemandUnsupported.refusal(model_id));
            }
            Ok(Some(model))
        }
    }
}

fn check_members(model: &Model, request: &ConverseRequest) -> Result<(), Refusal> {
    let inference = &request.inference;
    let sampling =
        [("temperature", "temperature", inference.temperature), ("topP", "top_p", inference.top_p)];
    match model.sampling {
        Sampling::Free => {}
        Sampling::OneOfTwo => {
            if inference.temperature.is_some() && inference.top_p.is_some() {
                return Err(Refusal::validation(
                    "`temperature` and `top_p` cannot both be specified for this model. Please \
                     use only one.",
                ));
            }
        }
        Sampling::Deprecated => {
            if let Some((_, name, _)) = sampling.iter().find(|(_, _, value)| value.is_some()) {
                return Err(Refusal::validation(format!("`{name}` is deprecated for this model.")));
            }
        }
        Sampling::Unsupported => {
            if let Some((name, _, _)) = sampling.iter().find(|(_, _, value)| value.is_some()) {
                return Err(unsupported_field(name));
            }
        }
    }
    if !model.stop_sequences && !inference.stop_sequences.is_empty() {
        return Err(unsupported_field("stopSequences"));
    }
    if !model.system && !request.system.is_empty() {
        return Err(Refusal::validation(
            "This model doesn't support system messages. Try again without a system message or \
             use a model that supports system messages.",
        ));
    }
    if !model.tools && request.tools.are_given {
        return Err(Refusal::validation("This model doesn't support tool use."));
    }
    if !model.output_schema && request.output_schema.is_some() {
        return Err(unsupported_field("outputConfig.textFormat"));
    }
    if model.min_cached_tokens.is_none() && request.has_cache_point {
        return Err(Refusal::new(
            403,
            "AccessDeniedException",
            "You invoked an unsupported model or your request did not allow prompt caching. See \
             the documentation for more information.",
        ));
    }
    let cache_points = request.cache_points.len();
    if cache_points > MAX_CACHE_POINTS {
        return Err(Refusal::validation(format!(
            "The model returned the following errors: A maximum of {MAX_CACHE_POINTS} blocks with \
             cache_control may be provided. Found {cache_points}."
        )));
    }
    if !model.prefill && request.ends_with_assistant {
        return Err(Refusal::validation(
            "This model does not support assistant message prefill. The conversation must end \
             with a user message.",
        ));
    }
    Ok(())
}

fn check_lengths(
    model: &Model,
    request: &ConverseRequest,
    over_cap: impl Fn(&str, u64, u64) -> Refusal,
) -> Result<(), Refusal> {
    if let Some(max_tokens) = request.inference.max_tokens {
        let cap = model.max_output_tokens;
        if max_tokens > cap {
            return Err(over_cap(model.id, max_tokens, cap));
        }
        let least = model.min_max_tokens;
        if max_tokens < least {
            return Err(Refusal::validation(format!(
                "The model returned the following errors: Invalid 'max_output_tokens': integer \
                 below minimum value. Expected a value >= {least}, but got {max_tokens} instead."
            )));
        }
    }
    let (input, most) = (request.input_tokens, model.context_tokens);
    if input > most {
        return Err(match model.is_claude() {
            true => Refusal::validation(format!("prompt is too long: {input} tokens > {most} maximum")),
            false => ApiError::InputTooLong.refusal(model.id),
        });
    }
    Ok(())
}

fn unsupported_field(name: &str) -> Refusal {
    Refusal::validation(format!("This model doesn't support the {name} field. Remove {name} and try again."))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn checked(model_id: &str, more: &Value) -> Result<Preamble, String> {
        let mut body = json!({"messages": [{"role": "user", "content": [{"text": "Hello."}]}]});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let request = ConverseRequest::read(model_id, body.to_string().as_bytes()).unwrap();
        check(model_id, &request).map_err(|refusal| refusal.message)
    }

    #[test]
    fn each_limit_of_a_model_has_the_text_of_aws() {
        let sampling = json!({"inferenceConfig": {"temperature": 0.5}});
        let both = json!({"inferenceConfig": {"temperature": 0.5, "topP": 0.9}});
        let top_p = json!({"inferenceConfig": {"topP": 0.9}});
        let stops = json!({"inferenceConfig": {"stopSequences": ["x"]}});
        let cache = json!({"system": [{"text": "s"}, {"cachePoint": {"type": "default"}}]});
        let tokens = |max: u64| json!({"inferenceConfig": {"maxTokens": max}});
        let cases = [
            ("us.anthropic.claude-opus-4-7", &sampling, "`temperature` is deprecated"),
            ("us.anthropic.claude-sonnet-5", &sampling, "`temperature` is deprecated"),
            ("global.anthropic.claude-haiku-5-5", &top_p, "`top_p` is deprecated"),
            ("openai.gpt-6-sol", &sampling, "This model doesn't support the temperature field."),
            ("openai.gpt-6-sol", &stops, "This model doesn't support the stopSequences field."),
            ("us.anthropic.claude-sonnet-4-6", &both, "cannot both be specified"),
            ("amazon.nova-micro-v1:0", &tokens(10_001), "exceed the model limit of 10000."),
            ("openai.gpt-6-luna", &tokens(3), "Expected a value >= 16, but got 3"),
            ("openai.gpt-oss-120b-1:0", &cache, "did not allow prompt caching"),
            ("mistral.mistral-7b-instruct-v0:2", &cache, "doesn't support system messages"),
        ];
        for (model_id, more, expected) in cases {
            let message = checked(model_id, more).unwrap_err();
            assert!(message.contains(expected), "{model_id}: {message}");
        }
    }

    #[test]
    fn what_a_model_allows_is_allowed() {
        let both = json!({"inferenceConfig": {"temperature": 0.5, "topP": 0.9}});
        let one = json!({"inferenceConfig": {"temperature": 0.5, "maxTokens": 64_000}});
        let cache = json!({"system": [{"text": "s"}, {"cachePoint": {"type": "default"}}]});
        assert_eq!(checked("us.amazon.nova-pro-v1:0", &both), Ok(Preamble::None));
        assert_eq!(checked("us.anthropic.claude-sonnet-4-6", &one), Ok(Preamble::None));
        assert_eq!(checked("us.anthropic.claude-sonnet-4-6", &cache), Ok(Preamble::None));
        let reasoning = Ok(Preamble::Reasoning);
        assert_eq!(checked("us.anthropic.claude-sonnet-5-5", &json!({})), reasoning);
        let gpt_oss = Ok(Preamble::EmptyTextAndReasoning);
        assert_eq!(checked("openai.gpt-oss-20b-1:0", &json!({})), gpt_oss);
    }

    #[test]
    fn converse_refuses_imported_models() {
        let arn = "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl";
        assert!(checked(arn, &json!({})).unwrap_err().contains("doesn't support the model"));
        assert!(check_id(arn).is_ok());
    }

    #[test]
    fn prefill_is_refused_by_newer_claude() {
        let prefill = json!({"messages": [
            {"role": "user", "content": [{"text": "Hello."}]},
            {"role": "assistant", "content": [{"text": "Well"}]},
        ]});
        let message = checked("us.anthropic.claude-sonnet-4-6", &prefill).unwrap_err();
        assert!(message.contains("does not support assistant message prefill"));
        assert!(checked("us.anthropic.claude-haiku-4-5-20251001-v1:0", &prefill).is_ok());
    }

    #[test]
    fn ids_that_cannot_be_called_are_refused() {
        let cases = [
            ("us.does-not-exist-model-v1:0", "The provided model identifier is invalid."),
            ("sim.no-such-scenario", "The provided model identifier is invalid."),
            ("no spaces allowed", "The provided model identifier is invalid."),
            ("anthropic.claude-haiku-5-5", "on-demand throughput isn\u{2019}t supported"),
            ("anthropic.claude-3-haiku-20240307-v1:0", "reached the end of its life"),
            ("us.amazon.nova-premier-v1:0", "reached the end of its life"),
        ];
        for (model_id, expected) in cases {
            let message = checked(model_id, &json!({})).unwrap_err();
            assert!(message.contains(expected), "{model_id}: {message}");
        }
    }

    #[test]
    fn too_long_a_prompt_is_refused_in_the_words_of_its_family() {
        let long = "word ".repeat(40_000);
        let more = json!({"messages": [{"role": "user", "content": [{"text": long}]}]});
        assert_eq!(
            checked("qwen.qwen3-32b-v1:0", &more).unwrap_err(),
            "Input is too long for requested model."
        );
        let longer = "word ".repeat(200_000);
        let more = json!({"messages": [{"role": "user", "content": [{"text": longer}]}]});
        assert_eq!(
            checked("us.anthropic.claude-haiku-4-5-20251001-v1:0", &more).unwrap_err(),
            "prompt is too long: 250003 tokens > 200000 maximum"
        );
    }

    #[test]
    fn tokens_are_counted_for_base_ids_of_claude_alone() {
        assert!(check_counting("anthropic.claude-haiku-4-5-20251001-v1:0").is_ok());
        assert!(check_counting("anthropic.claude-sonnet-5-5").is_ok());
        assert!(check_counting("sim.normal").is_ok());
        for model_id in ["us.anthropic.claude-haiku-4-5-20251001-v1:0", "amazon.nova-micro-v1:0"] {
            assert_eq!(
                check_counting(model_id).unwrap_err().message,
                "The provided model doesn't support counting tokens."
            );
        }
        let unknown = check_counting("anthropic.claude-nine").unwrap_err();
        assert_eq!(unknown.message, "The provided model identifier is invalid.");
    }
}
