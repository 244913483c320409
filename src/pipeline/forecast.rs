//! What a request will take, before anything of it is done: calls, tokens, money, time.
//!
//! All of it is an estimate and is named one. Costs are those of the model that is
//! asked first; a fallback may cost more or less.

use std::time::Duration;

use super::estimator::Estimator;
use super::layout::{Layout, groups};
use super::live::Limits;
use crate::domain::{Cost, OutputSize, TokenUsage};
use crate::routing::Chain;
use crate::tasks::{Part, Summarize};
use crate::telemetry::Strategy;

/// What a request will take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    pub strategy: Strategy,
    /// Parts of the document; 1 when it is worked on at once.
    pub chunks: u32,
    /// Rounds of merging.
    pub levels: u32,
    pub model_calls: u32,
    /// Of the document, as the model that is asked first counts.
    pub input_tokens: u32,
    /// Of the answer.
    pub output_tokens: u32,
    /// Of all calls; `None` when a price is missing.
    pub cost: Option<Cost>,
    /// Without waiting for admission or for busy models.
    pub time: Duration,
}

/// Calls of equal size that can run side by side.
struct Wave {
    calls: u32,
    /// Estimated tokens of all prompts together.
    input_tokens: u64,
    output_tokens_each: u32,
    parallel: u32,
}

/// What one estimated token of this document is for the model that is asked first.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    pub document_tokens: u32,
    pub tokens_per_estimated: f64,
    /// What a prompt takes beside the document.
    pub rules_tokens: u32,
}

/// What a layout of a task will take.
pub(super) fn forecast(
    layout: &Layout,
    chain: &Chain,
    limits: Limits,
    scale: Scale,
    estimator: &Estimator,
) -> Forecast {
    let parallel = u32::try_from(limits.max_parallel).unwrap_or(u32::MAX);
    let (waves, output, levels) = match layout {
        Layout::Single(call) => {
            let wave = wave(&[scale.document_tokens], call.request.output, 1, scale);
            (vec![wave], call.request.output.expected_tokens, 0)
        }
        Layout::Joined { task, parts } => {
            let output = parts.iter().map(|part| task.output_size(part.tokens).expected_tokens);
            let output = output.fold(0_u32, u32::saturating_add);
            let count = u32::try_from(parts.len()).unwrap_or(u32::MAX).max(1);
            let each = OutputSize { expected_tokens: output / count, max_tokens: output / count };
            (vec![wave(&tokens(parts), each, parallel, scale)], output, 0)
        }
        Layout::Reduced { task, parts, room } => {
            let (waves, levels) = reduced(task, parts, *room, parallel, scale);
            (waves, task.merge_size(scale.document_tokens, true).expected_tokens, levels)
        }
        Layout::Refined { task, parts } => {
            let answer = task.merge_size(scale.document_tokens, true).expected_tokens;
            (vec![wave(&tokens(parts), task.refine_size_of_others(), 1, scale)], answer, 0)
        }
    };
    let model = &chain.stages[0].targets[0].target.model;
    let (mut usage, mut calls, mut time) = (TokenUsage::default(), 0_u32, Duration::ZERO);
    for wave in &waves {
        calls = calls.saturating_add(wave.calls);
        usage += TokenUsage {
            input_tokens: scaled(wave.input_tokens, scale.tokens_per_estimated),
            output_tokens: u64::from(wave.calls) * u64::from(wave.output_tokens_each),
            ..TokenUsage::default()
        };
        let rounds = wave.calls.div_ceil(wave.parallel.max(1));
        time += estimator.time(model, wave.output_tokens_each.into()).saturating_mul(rounds);
    }
    Forecast {
        strategy: layout.strategy(),
        chunks: u32::try_from(layout.parts().len()).unwrap_or(u32::MAX).max(1),
        levels,
        model_calls: calls,
        input_tokens: u32::try_from(scaled(scale.document_tokens.into(), scale.tokens_per_estimated))
            .unwrap_or(u32::MAX),
        output_tokens: output,
        cost: model.prices.and_then(|prices| prices.cost(&usage)),
        time,
    }
}

/// The rounds of a summary in parts, as long as every call writes what it is expected to.
fn reduced(task: &Summarize, parts: &[Part], room: u32, parallel: u32, scale: Scale) -> (Vec<Wave>, u32) {
    let mean = parts.first().map_or(0, |part| part.document_tokens / part.total.max(1));
    let mut each = task.part_size(mean);
    let mut waves = vec![wave(&tokens(parts), each, parallel, scale)];
    let mut levels = 1;
    let mut left = vec![each.expected_tokens; parts.len()];
    while left.iter().fold(0_u32, |sum, size| sum.saturating_add(*size)) > room {
        let sizes = groups(&left, room);
        if sizes.len() == left.len() {
            // It will not get shorter; the run says so.
            break;
        }
        let of_group =
            |count: &usize| u32::try_from(*count).unwrap_or(u32::MAX).saturating_mul(each.expected_tokens);
        let inputs: Vec<u32> = sizes.iter().map(of_group).collect();
        each = task.merge_size(room, false);
        waves.push(wave(&inputs, each, parallel, scale));
        left = vec![each.expected_tokens; inputs.len()];
        levels += 1;
    }
    let rest = left.iter().fold(0_u32, |sum, size| sum.saturating_add(*size));
    waves.push(wave(&[rest], task.merge_size(scale.document_tokens, true), 1, scale));
    (waves, levels)
}

fn wave(inputs: &[u32], output: OutputSize, parallel: u32, scale: Scale) -> Wave {
    let calls = u32::try_from(inputs.len()).unwrap_or(u32::MAX);
    let documents: u64 = inputs.iter().map(|tokens| u64::from(*tokens)).sum();
    let input_tokens = documents + u64::from(calls) * u64::from(scale.rules_tokens);
    Wave { calls, input_tokens, output_tokens_each: output.expected_tokens, parallel }
}

fn tokens(parts: &[Part]) -> Vec<u32> {
    parts.iter().map(|part| part.tokens).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "token counts stay far below 2^52 and are not negative"
)]
fn scaled(tokens: u64, factor: f64) -> u64 {
    (tokens as f64 * factor).ceil() as u64
}
