//! What a request will take, before anything of it is done: calls, tokens, money, time.
//!
//! All of it is an estimate and is named one. Costs are those of the model that is
//! asked first; a fallback may cost more or less.

use std::time::Duration;

use super::estimator::Estimator;
use super::layout::{JOINED_PART_TOKENS, Layout, MERGE_TOKENS, SUMMED_UP_PART_TOKENS, groups};
use super::live::Limits;
use crate::domain::{Cost, Metered, OutputSize, TokenUsage};
use crate::routing::Chain;
use crate::tasks::{Part, Reduced};
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
    /// Of the answer, or of all suggestions together.
    pub output_tokens: u32,
    /// Of all calls; `None` when a price is missing.
    pub cost: Option<Cost>,
    /// The same with the margin of the estimate.
    pub most_cost: Option<Cost>,
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

/// What estimated tokens of this document are for the model that is asked first.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    pub document_tokens: u32,
    pub tokens_per_estimated: f64,
    /// How much more than expected it may be.
    pub margin: f64,
    /// What a prompt takes beside the document.
    pub rules_tokens: u32,
}

/// The summaries of a document's parts cannot be merged: two of them do not fit one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CannotMerge;

/// What a layout of a task will take.
pub(super) fn forecast(
    layout: &Layout,
    chain: &Chain,
    limits: Limits,
    scale: Scale,
    estimator: &Estimator,
) -> Result<Forecast, CannotMerge> {
    let parallel = u32::try_from(limits.max_parallel).unwrap_or(u32::MAX);
    let (waves, output, levels) = match layout {
        Layout::Single(call) | Layout::Checked { call, .. } => {
            let wave = wave(&[scale.document_tokens], call.request.output, 1, scale.rules_tokens);
            (vec![wave], call.request.output.expected_tokens, 0)
        }
        Layout::Several { task, first } => {
            let (count, each) = (task.suggestions(), first.request.output);
            let inputs: Vec<u32> = (0..count).map(|_| scale.document_tokens).collect();
            (
                vec![wave(&inputs, each, parallel, scale.rules_tokens)],
                each.expected_tokens.saturating_mul(count),
                0,
            )
        }
        Layout::Joined { task, parts } => {
            // Parts are about equal, so the mean speaks for all. It is written anew, so what a
            // token of the text is for the model, a token of the answer is, too.
            let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
            let tokens_each = scale.document_tokens / count.max(1);
            let each = parts
                .first()
                .map_or(NOTHING, |part| task.part_size(&Part { tokens: tokens_each, ..part.clone() }));
            let expected_tokens = scaled_up(each.expected_tokens.into(), scale.tokens_per_estimated);
            let expected_tokens = u32::try_from(expected_tokens).unwrap_or(u32::MAX);
            let each = OutputSize { expected_tokens, ..each };
            let rules = scale.rules_tokens.saturating_add(usual(JOINED_PART_TOKENS));
            (vec![wave(&tokens(parts), each, parallel, rules)], each.expected_tokens.saturating_mul(count), 0)
        }
        Layout::Reduced { task, parts, room } => {
            let (waves, levels) = reduced(task, parts, *room, parallel, scale)?;
            (waves, task.merge_size(scale.document_tokens, true).expected_tokens, levels)
        }
        Layout::Refined { task, parts } => {
            let answer = task.merge_size(scale.document_tokens, true).expected_tokens;
            let so_far = task.refine_size_of_others().expected_tokens;
            let rules =
                scale.rules_tokens.saturating_add(usual(SUMMED_UP_PART_TOKENS)).saturating_add(so_far);
            (vec![wave(&tokens(parts), task.refine_size_of_others(), 1, rules)], answer, 0)
        }
    };
    let model = &chain.stages[0].targets[0].target.model;
    let (mut usage, mut calls, mut time) = (TokenUsage::default(), 0_u32, Duration::ZERO);
    for wave in &waves {
        calls = calls.saturating_add(wave.calls);
        usage += TokenUsage {
            input_tokens: scaled_up(wave.input_tokens, scale.tokens_per_estimated),
            output_tokens: u64::from(wave.calls) * u64::from(wave.output_tokens_each),
            ..TokenUsage::default()
        };
        let rounds = wave.calls.div_ceil(wave.parallel.max(1));
        time += estimator.time(model, wave.output_tokens_each.into()).saturating_mul(rounds);
    }
    let cost =
        model.prices.and_then(|prices| prices.cost(&Metered { tokens: usage, terms: model.terms.service() }));
    Ok(Forecast {
        strategy: layout.strategy(),
        chunks: u32::try_from(layout.parts().len()).unwrap_or(u32::MAX).max(1),
        levels,
        model_calls: calls,
        input_tokens: u32::try_from(scaled_up(scale.document_tokens.into(), scale.tokens_per_estimated))
            .unwrap_or(u32::MAX),
        output_tokens: output,
        cost,
        most_cost: cost.map(|cost| cost.times(1.0 + scale.margin)),
        time,
    })
}

/// What is usually needed of a reserve that is always enough.
const fn usual(reserve_tokens: u32) -> u32 {
    reserve_tokens / 2
}

const NOTHING: OutputSize = OutputSize { expected_tokens: 0, max_tokens: 0 };

/// The rounds of a summary in parts, as long as every call writes what it is expected to.
fn reduced(
    task: &Reduced,
    parts: &[Part],
    room: u32,
    parallel: u32,
    scale: Scale,
) -> Result<(Vec<Wave>, u32), CannotMerge> {
    let part_rules = scale.rules_tokens.saturating_add(usual(SUMMED_UP_PART_TOKENS));
    let merge_rules = scale.rules_tokens.saturating_add(usual(MERGE_TOKENS));
    let mean = parts.first().map_or(0, |part| part.document_tokens / part.total.max(1));
    let each = task.part_size(mean);
    let mut waves = vec![wave(&tokens(parts), each, parallel, part_rules)];
    let mut levels = 1;
    let mut left = vec![each.expected_tokens.saturating_add(LABEL_TOKENS); parts.len()];
    while sum(&left) > room {
        let sizes = groups(&left, room);
        let inputs = grouped(&left, &sizes);
        let merged = task.merge_size(room, false);
        let next = vec![merged.expected_tokens.saturating_add(LABEL_TOKENS); inputs.len()];
        if sizes.len() == left.len() || sum(&next) >= sum(&left) {
            return Err(CannotMerge);
        }
        waves.push(wave(&inputs, merged, parallel, merge_rules));
        left = next;
        levels += 1;
    }
    let answer = task.merge_size(scale.document_tokens, true);
    waves.push(wave(&[sum(&left)], answer, 1, merge_rules));
    Ok((waves, levels))
}

/// What the line takes that says where a summary belongs.
const LABEL_TOKENS: u32 = 20;

fn sum(sizes: &[u32]) -> u32 {
    sizes.iter().fold(0_u32, |sum, size| sum.saturating_add(*size))
}

/// The sizes of groups of so many in a row.
fn grouped(sizes: &[u32], counts: &[usize]) -> Vec<u32> {
    let mut rest = sizes;
    let mut groups = Vec::with_capacity(counts.len());
    for count in counts {
        let (group, others) = rest.split_at((*count).min(rest.len()));
        groups.push(sum(group));
        rest = others;
    }
    groups
}

fn wave(inputs: &[u32], output: OutputSize, parallel: u32, rules_tokens: u32) -> Wave {
    let calls = u32::try_from(inputs.len()).unwrap_or(u32::MAX);
    let documents: u64 = inputs.iter().map(|tokens| u64::from(*tokens)).sum();
    let input_tokens = documents + u64::from(calls) * u64::from(rules_tokens);
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
fn scaled_up(tokens: u64, factor: f64) -> u64 {
    (tokens as f64 * factor).ceil() as u64
}
