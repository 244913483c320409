//! How far a plan is from its limits, and what they let callers send.
//!
//! Owns the comparisons with limits and the quota that is promised. The rule it protects: a
//! number is compared with its margin, so that no model's own count turns a yes into a no.

use std::sync::Arc;

use super::{Order, PlanError};
use crate::domain::{Fences, InputSize, ModelId};
use crate::pipeline::choice::{ChainChoice, Preference};
use crate::pipeline::estimator::Estimator;
use crate::pipeline::forecast::Forecast;
use crate::pipeline::kept_parts::KeptParts;
use crate::pipeline::live::{Limits, Live};
use crate::tasks::{Fields, Task, Wanted};

/// Whether a number is so near a boundary that its margin may put it on the other side.
pub(super) fn is_close(with_margin: u32, boundary: u32, number: u32) -> bool {
    let margin = with_margin.saturating_sub(number);
    boundary > 0 && number.abs_diff(boundary) <= margin
}

/// How much more than expected a text may be for a model.
pub(super) fn margin(size: &InputSize, model: &ModelId) -> f64 {
    f64::from(size.at_most(model)) / f64::from(size.expected(model).max(1)) - 1.0
}

/// The refusal of a text that is too long. A conversation is told the tokens of all that was
/// said; `later_tokens` are those after the document.
pub(super) fn too_large(task: &Task, later_tokens: u32, requested: u32, quota: u32) -> PlanError {
    match task {
        Task::Summarize(_) | Task::Rephrase(_) | Task::Expand(_) | Task::Generate(_) | Task::Own(_) => {
            PlanError::InputTooLarge { requested, quota }
        }
        Task::Refine(_) => {
            let with_the_rest = |tokens: u32| tokens.saturating_add(later_tokens);
            let quota = (quota > 0).then(|| with_the_rest(quota));
            PlanError::ConversationTooLarge { requested: with_the_rest(requested), quota }
        }
    }
}

/// The limit that a plan with parts exceeds, if it does.
pub(super) fn beyond(forecast: &Forecast, limits: Limits, requested: u32, quota: u32) -> Option<PlanError> {
    let (chunks, max_chunks) = (forecast.chunks, limits.max_chunks);
    if chunks > max_chunks {
        return Some(PlanError::TooManyChunks { chunks, max_chunks, requested, quota });
    }
    let (cost, most_cost, max_cost) = (forecast.cost?, forecast.most_cost?, limits.max_cost);
    (most_cost > max_cost).then_some(PlanError::TooExpensive { cost, most_cost, max_cost })
}

/// The most tokens a document may have, for the task with its default options.
pub(in crate::pipeline) fn quota(
    wanted: &Wanted,
    live: &Arc<Live>,
    estimator: &Arc<Estimator>,
    kept: &Arc<KeptParts>,
    fences: &Arc<Fences>,
) -> u32 {
    // Short words, so that the promise holds for ordinary text: an answer's length follows words.
    const SAMPLE: &str = "a text of short words as most of us write it";
    let Some(task) = wanted.read(&mut Fields::new(wanted.sample(SAMPLE))) else { return 0 };
    let order = Order::new(&task, &ChainChoice::Preferred(Preference::Auto), live, estimator, kept, fences);
    let draft = order.and_then(|mut order| {
        order.look();
        order.full_draft()
    });
    draft.map_or(0, |draft| draft.quota)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "neither is negative, and a float that is too large becomes the largest number"
)]
pub(super) fn scaled(tokens: u32, factor: f64) -> u32 {
    (f64::from(tokens) * factor).floor() as u32
}
