//! Fits a request to a target: its output cap, its parameters, its context window.
//!
//! Each fallback goes through here again, so that the next model gets a request
//! that it accepts. A target that cannot hold the text is not called at all.

use std::sync::Arc;

use super::catalogue::{Chain, Model, Target};
use crate::domain::{Guardrail, InputSize, OutputSchema, OutputSize, Prompt, RequestMetadata};
use crate::inference::ModelCall;

/// What is asked of a chain, before any model is chosen.
#[derive(Debug, Clone)]
pub struct RouteRequest {
    pub prompt: Arc<Prompt>,
    /// Of the whole prompt.
    pub input: InputSize,
    pub output: OutputSize,
    pub temperature: f32,
    pub guardrail: Option<Arc<Guardrail>>,
    /// The size of the prompt's shared beginning, where it pays to have it remembered.
    pub cached_prefix: Option<InputSize>,
    pub output_schema: Option<Arc<OutputSchema>>,
    /// Whether the prompt tells the schema, so that a model may serve that cannot be held
    /// to one.
    pub tells_schema: bool,
    pub metadata: Arc<RequestMetadata>,
}

impl RouteRequest {
    /// A request that asks for nothing special, at temperature 0.
    pub fn of(prompt: Prompt, input: InputSize, output: OutputSize) -> Self {
        Self {
            prompt: Arc::new(prompt),
            input,
            output,
            temperature: 0.0,
            guardrail: None,
            cached_prefix: None,
            output_schema: None,
            tells_schema: false,
            metadata: Arc::default(),
        }
    }
}

/// A target cannot take the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text does not fit the model's context window or output limit")]
pub struct Misfit;

/// The call for this target.
pub(super) fn fit(request: &RouteRequest, target: &Target) -> Result<ModelCall, Misfit> {
    let model = &target.model;
    let room = room_for_output(request, model).filter(|_| can_serve(request, model)).ok_or(Misfit)?;
    let max_tokens = request.output.max_tokens.clamp(model.min_output_tokens.max(1), room);
    Ok(call(request, target, max_tokens))
}

/// The call for this target, of a size that was found elsewhere.
pub(super) fn call(request: &RouteRequest, target: &Target, max_tokens: u32) -> ModelCall {
    let model = &target.model;
    ModelCall {
        model: model.id.clone(),
        region: target.region.clone(),
        prompt: Arc::clone(&request.prompt),
        max_tokens,
        temperature: model.accepts_temperature.then_some(request.temperature),
        terms: Arc::clone(&model.terms),
        guardrail: request.guardrail.clone(),
        cache_shared: remembers_prefix(request, model),
        output_schema: request.output_schema.clone().filter(|_| model.terms.structured_output.is_some()),
        metadata: Arc::clone(&request.metadata),
    }
}

/// Whether the shared beginning is long enough for the model to remember it. A shorter
/// one is not even tried: the model would take it as any other text, or refuse.
fn remembers_prefix(request: &RouteRequest, model: &Model) -> bool {
    let prefix = request.cached_prefix.as_ref().map(|prefix| prefix.expected(&model.id));
    prefix.zip(model.cache_min_tokens).is_some_and(|(prefix, min)| prefix >= min)
}

/// Whether the model can do what the request needs, whatever its size.
fn can_serve(request: &RouteRequest, model: &Model) -> bool {
    (request.guardrail.is_none() || model.accepts_guardrail)
        && (request.output_schema.is_none()
            || request.tells_schema
            || model.terms.structured_output.is_some())
}

/// Whether the model can take the request.
pub(super) fn fits(request: &RouteRequest, model: &Model) -> bool {
    can_serve(request, model) && room_for_output(request, model).is_some()
}

/// Whether every target of the chain can take the request.
pub fn fits_all(request: &RouteRequest, chain: &Chain) -> bool {
    chain.targets().all(|target| fits(request, &target.model))
}

/// Whether some target of the chain can take the request.
pub fn fits_any(request: &RouteRequest, chain: &Chain) -> bool {
    chain.targets().any(|target| fits(request, &target.model))
}

/// What the model can write beside the prompt, if that is enough.
fn room_for_output(request: &RouteRequest, model: &Model) -> Option<u32> {
    let room =
        model.context_tokens.saturating_sub(request.input.at_most(&model.id)).min(model.max_output_tokens);
    let enough = request.output.expected_tokens <= room && room >= model.min_output_tokens.max(1);
    enough.then_some(room)
}

/// The largest document that a model can take together with its rules, which have so
/// many tokens of the model's own, and with the answer that `answer_for` says the
/// document needs; in estimated tokens, of which each is `tokens_per_estimated` of the
/// model's own. Zero when there is none.
pub fn room_for_document(
    model: &Model,
    rules_tokens: u32,
    tokens_per_estimated: f64,
    answer_for: impl Fn(u32) -> OutputSize,
) -> u32 {
    let fits = |document: u32| {
        let needed = answer_for(document).expected_tokens.max(model.min_output_tokens);
        let tokens = f64::from(document) * tokens_per_estimated + f64::from(rules_tokens) + f64::from(needed);
        needed <= model.max_output_tokens && tokens <= f64::from(model.context_tokens)
    };
    // `answer_for` grows with its document, so the boundary can be halved towards.
    let (mut low, mut high) = (0, model.context_tokens.saturating_mul(2));
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if fits(middle) { low = middle } else { high = middle - 1 }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::{Misfit, RouteRequest, fit, room_for_document};
    use crate::domain::{Guardrail, GuardrailStream, InputSize, OnBlock, OutputSchema, OutputSize, Prompt};
    use crate::inference::{CallTerms, StructuredOutput};
    use crate::routing::{Model, Target};
    use std::sync::Arc;

    fn target(context_tokens: u32, max_output_tokens: u32, accepts_temperature: bool) -> Target {
        let sample = Model::sample("a.model", context_tokens, max_output_tokens);
        let model = Model { min_output_tokens: 16, accepts_temperature, ..sample };
        Target { model: Arc::new(model), region: None }
    }

    fn request(input_tokens: u32, expected_tokens: u32) -> RouteRequest {
        let output = OutputSize { expected_tokens, max_tokens: expected_tokens * 3 / 2 };
        RouteRequest::of(Prompt::of_document("x".into()), InputSize::of_any_model(input_tokens), output)
    }

    #[test]
    fn the_output_cap_and_the_parameters_follow_the_model() {
        let call = fit(&request(100, 1000), &target(100_000, 1200, false)).unwrap();
        assert_eq!((call.max_tokens, call.temperature), (1200, None));
        let call = fit(&request(100, 1000), &target(100_000, 64_000, true)).unwrap();
        assert_eq!((call.max_tokens, call.temperature), (1500, Some(0.0)));
        let call = fit(&request(100, 2), &target(100_000, 64_000, true)).unwrap();
        assert_eq!(call.max_tokens, 16);
    }

    #[test]
    fn a_model_that_cannot_hold_or_write_the_text_is_a_misfit() {
        assert_eq!(fit(&request(9_500, 600), &target(10_000, 5_000, true)).unwrap_err(), Misfit);
        assert_eq!(fit(&request(100, 600), &target(10_000, 500, true)).unwrap_err(), Misfit);
    }

    #[test]
    fn a_model_that_cannot_do_what_is_needed_is_a_misfit() {
        let able = target(100_000, 5_000, true);
        let terms = CallTerms { structured_output: Some(StructuredOutput::Tool), ..CallTerms::default() };
        let with = |model: Model| Target { model: Arc::new(model), region: None };
        let unwatchable = with(Model { accepts_guardrail: false, ..Model::clone(&able.model) });
        let structured = with(Model { terms: Arc::new(terms), ..Model::clone(&able.model) });
        let schema = OutputSchema::new("x", serde_json::json!({"type": "object"})).unwrap();
        let data = RouteRequest { output_schema: Some(Arc::new(schema)), ..request(100, 50) };
        assert_eq!(fit(&data, &able).unwrap_err(), Misfit);
        assert!(fit(&data, &structured).unwrap().output_schema.is_some());
        let told = RouteRequest { tells_schema: true, ..data };
        assert!(fit(&told, &structured).unwrap().output_schema.is_some());
        assert!(fit(&told, &able).unwrap().output_schema.is_none());
        let guardrail = Guardrail {
            name: "g".into(),
            id: "g".to_owned(),
            version: "1".to_owned(),
            stream: GuardrailStream::Sync,
            on_block: OnBlock::Refuse,
            trace: false,
        };
        let watched = RouteRequest { guardrail: Some(Arc::new(guardrail)), ..request(100, 50) };
        assert_eq!(fit(&watched, &unwatchable).unwrap_err(), Misfit);
        assert!(fit(&watched, &able).unwrap().guardrail.is_some());
    }

    #[test]
    fn a_beginning_is_remembered_only_by_models_that_do_and_only_above_their_minimum() {
        let plain = target(100_000, 5_000, true);
        let remembers = Model { cache_min_tokens: Some(1024), ..Model::clone(&plain.model) };
        let remembers = Target { model: Arc::new(remembers), region: None };
        for (prefix_tokens, remembered) in [(1023, false), (1024, true)] {
            let prefix = InputSize::of_any_model(prefix_tokens);
            let request = RouteRequest { cached_prefix: Some(prefix), ..request(2000, 50) };
            assert_eq!(fit(&request, &remembers).unwrap().cache_shared, remembered);
            assert!(!fit(&request, &plain).unwrap().cache_shared);
        }
        assert!(!fit(&request(2000, 50), &remembers).unwrap().cache_shared);
    }

    #[test]
    fn the_quota_is_the_largest_input_that_still_fits() {
        let model = target(2_000, 400, true).model;
        let as_long_as_the_input = |input: u32| OutputSize { expected_tokens: input, max_tokens: input };
        assert_eq!(room_for_document(&model, 0, 1.0, as_long_as_the_input), 400);
        let short = |_| OutputSize { expected_tokens: 100, max_tokens: 150 };
        assert_eq!(room_for_document(&model, 0, 1.0, short), 1_900);
        assert_eq!(room_for_document(&model, 300, 1.0, short), 1_600);
        assert_eq!(room_for_document(&model, 0, 1.25, short), 1_520);
        assert_eq!(room_for_document(&model, 0, 0.5, short), 3_800);
        let too_long = |_| OutputSize { expected_tokens: 500, max_tokens: 750 };
        assert_eq!(room_for_document(&model, 0, 1.0, too_long), 0);
    }
}
