//! What the service has learnt about its models: how they count tokens, how fast they are.
//!
//! Owns one entry per model, corrected by every exact count that comes back with an
//! answer. It lives as long as the process, whatever configuration is in effect. The
//! rule it protects: what is told is an estimate, and what is compared with a limit
//! is an estimate with its margin.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::chunk::{TextProfile, TokenRatios};
use crate::domain::{InputSize, ModelId, ModelTokens};
use crate::routing::{Chain, Model};
use crate::telemetry::Metrics;

/// What an ordinary call takes before its first word, and for each further one: 60 tokens a second.
const USUAL_FIRST_WORD: Duration = Duration::from_millis(600);
const USUAL_PER_TOKEN: Duration = Duration::from_micros(16_667);

/// How much one call changes what is known about a model's pace.
const PACE_STEP: f64 = 0.2;

/// What is left of the margin when a model itself has counted a text.
const COUNTED_MARGIN: f64 = 0.02;

/// Learns how models count and how fast they write.
pub(super) struct Estimator {
    learnt: RwLock<HashMap<ModelId, Learnt>>,
    metrics: Arc<Metrics>,
}

struct Learnt {
    ratios: TokenRatios,
    /// The time that calls take, as a multiple of the usual one.
    pace: f64,
}

/// How far a model's own count of a text is from its estimate.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Correction {
    model: ModelId,
    factor: f64,
}

impl Estimator {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { learnt: RwLock::default(), metrics }
    }

    /// The size of a text with this profile for each model of a chain.
    pub(super) fn size(
        &self,
        profile: &TextProfile,
        chain: &Chain,
        correction: Option<&Correction>,
    ) -> InputSize {
        let learnt = self.learnt.read().unwrap_or_else(PoisonError::into_inner);
        let mut sizes: Vec<ModelTokens> = Vec::with_capacity(chain.stages.len());
        for target in chain.targets() {
            let model = &target.model;
            if sizes.iter().any(|known| known.model == model.id) {
                continue;
            }
            let (expected, margin) = match learnt.get(&model.id) {
                Some(known) => (profile.tokens(&known.ratios), known.ratios.margin()),
                None => {
                    let ratios = TokenRatios::uniform(model.token_ratio);
                    (profile.tokens(&ratios), ratios.margin())
                }
            };
            sizes.push(ModelTokens {
                model: model.id.clone(),
                expected,
                at_most: with_margin(expected, margin),
            });
        }
        if let Some(correction) = correction {
            correct(&mut sizes, correction);
        }
        InputSize::of_models(sizes)
    }

    /// What follows from a model's own count of a text with this profile.
    #[expect(clippy::cast_precision_loss, reason = "token counts stay far below 2^52")]
    pub(super) fn correction(&self, profile: &TextProfile, model: &Model, tokens: u64) -> Correction {
        let learnt = self.learnt.read().unwrap_or_else(PoisonError::into_inner);
        let expected = match learnt.get(&model.id) {
            Some(known) => profile.tokens(&known.ratios),
            None => profile.tokens(&TokenRatios::uniform(model.token_ratio)),
        };
        Correction { model: model.id.clone(), factor: tokens as f64 / f64::from(expected.max(1)) }
    }

    /// Learns from a model's own count of a prompt with this profile.
    #[expect(clippy::cast_precision_loss, reason = "token counts stay far below 2^52")]
    pub(super) fn learn(&self, model: &Model, profile: &TextProfile, tokens: u64) {
        let base = profile.base_tokens();
        if base == 0 || tokens == 0 {
            return;
        }
        let error = self.update(model, |known| known.ratios.learn(profile, tokens));
        let labels = [model.id.as_str()];
        self.metrics.estimate_error.with_label_values(&labels).observe(error.abs());
        self.metrics.estimate_ratio.with_label_values(&labels).set(tokens as f64 / f64::from(base));
    }

    /// Learns from the time that a whole answer of so many tokens took. That of a streamed
    /// one is its reader's time, too.
    pub(super) fn timed(&self, model: &Model, output_tokens: u64, took: Duration) {
        let usual = usual_time(output_tokens).as_secs_f64();
        let pace = (took.as_secs_f64() / usual).clamp(0.01, 20.0);
        self.update(model, |known| known.pace += PACE_STEP * (pace - known.pace));
    }

    /// The time that a call of this model will take to write so many tokens.
    pub(super) fn time(&self, model: &Model, output_tokens: u64) -> Duration {
        let learnt = self.learnt.read().unwrap_or_else(PoisonError::into_inner);
        let pace = learnt.get(&model.id).map_or(1.0, |known| known.pace);
        usual_time(output_tokens).mul_f64(pace)
    }

    fn update<T>(&self, model: &Model, change: impl FnOnce(&mut Learnt) -> T) -> T {
        let mut learnt = self.learnt.write().unwrap_or_else(PoisonError::into_inner);
        let known = learnt.entry(model.id.clone());
        change(known.or_insert_with(|| Learnt { ratios: TokenRatios::uniform(model.token_ratio), pace: 1.0 }))
    }
}

fn usual_time(output_tokens: u64) -> Duration {
    let tokens = u32::try_from(output_tokens).unwrap_or(u32::MAX);
    USUAL_FIRST_WORD.saturating_add(USUAL_PER_TOKEN.saturating_mul(tokens))
}

/// One model has counted the text. Vocabularies agree better about which text is long
/// than an estimate does, so its correction is a good one for the others, too.
fn correct(sizes: &mut [ModelTokens], correction: &Correction) {
    for size in sizes.iter_mut() {
        size.expected = scaled_up(size.expected, correction.factor);
        let margin = if size.model == correction.model { 0.0 } else { COUNTED_MARGIN };
        size.at_most = with_margin(size.expected, margin);
    }
}

fn with_margin(tokens: u32, margin: f64) -> u32 {
    scaled_up(tokens, 1.0 + margin)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "neither is negative, and a float that is too large becomes the largest number"
)]
fn scaled_up(tokens: u32, factor: f64) -> u32 {
    (f64::from(tokens) * factor).ceil() as u32
}

#[cfg(test)]
mod tests {
    use super::Estimator;
    use crate::chunk::TextProfile;
    use crate::routing::{Chain, Model, Stage, Target};
    use crate::telemetry::{MetricScope, Metrics};
    use std::sync::Arc;
    use std::time::Duration;

    fn model(id: &str, token_ratio: f64) -> Arc<Model> {
        Arc::new(Model { token_ratio, ..Model::sample(id, 1000, 1000) })
    }

    fn chain(models: &[Arc<Model>]) -> Chain {
        let target = |model: &Arc<Model>| Stage::of(Target { model: Arc::clone(model), region: None });
        Chain { name: "c".into(), stages: models.iter().map(target).collect(), guardrail: None }
    }

    fn estimator() -> Estimator {
        Estimator::new(Arc::new(Metrics::new(&MetricScope::default())))
    }

    const TEXT: &str = "The committee met in March and found that costs had risen since last year.";

    #[test]
    fn an_estimate_follows_what_the_model_counts_and_its_margin_shrinks() {
        let (estimator, model) = (estimator(), model("a.one", 1.0));
        let chain = chain(&[Arc::clone(&model)]);
        let profile = TextProfile::of(TEXT);
        let before = estimator.size(&profile, &chain, None);
        assert!(before.at_most(&model.id) > before.expected(&model.id));
        for _ in 0..40 {
            estimator.learn(&model, &profile, 30);
        }
        let after = estimator.size(&profile, &chain, None);
        assert!(after.expected(&model.id).abs_diff(30) <= 2, "{after:?}");
        let margin = |size: &crate::domain::InputSize| {
            f64::from(size.at_most(&model.id)) / f64::from(size.expected(&model.id))
        };
        assert!(margin(&after) < margin(&before), "{after:?}");
    }

    #[test]
    fn a_count_of_one_model_corrects_the_estimates_of_all() {
        let models = [model("a.one", 1.0), model("b.two", 1.5)];
        let (estimator, chain) = (estimator(), chain(&models));
        let profile = TextProfile::of(TEXT);
        let plain = estimator.size(&profile, &chain, None);
        let expected = plain.expected(&models[0].id);
        let correction = estimator.correction(&profile, &models[0], u64::from(expected) * 2);
        let size = estimator.size(&profile, &chain, Some(&correction));
        assert_eq!((size.expected(&models[0].id), size.at_most(&models[0].id)), (expected * 2, expected * 2));
        assert_eq!(size.expected(&models[1].id), plain.expected(&models[1].id) * 2);
    }

    #[test]
    fn the_time_of_a_call_follows_what_calls_took() {
        let (estimator, model) = (estimator(), model("a.one", 1.0));
        assert_eq!(estimator.time(&model, 60).as_millis(), 1600);
        for _ in 0..50 {
            estimator.timed(&model, 60, Duration::from_millis(160));
        }
        let learnt = estimator.time(&model, 60).as_millis();
        assert!((155..=170).contains(&learnt), "{learnt}");
    }
}
