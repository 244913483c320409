//! Records one model call exactly once, also when it is dropped half-way.

use std::sync::Arc;

use tokio::time::Instant;

use super::labels::{CallOutcome, CallStage};
use super::metrics::{Metrics, OPERATION, PROVIDER};
use crate::domain::{CallFailure, ModelId, TokenUsage};

/// A model call that runs. A record that is dropped without an end counts as cancelled.
pub struct CallRecord {
    metrics: Arc<Metrics>,
    model: ModelId,
    stage: CallStage,
    started: Instant,
    first_text: Option<Instant>,
    ended: bool,
}

impl CallRecord {
    /// Starts the clock.
    pub fn start(metrics: &Arc<Metrics>, model: &ModelId, stage: CallStage) -> Self {
        Self {
            metrics: Arc::clone(metrics),
            model: model.clone(),
            stage,
            started: Instant::now(),
            first_text: None,
            ended: false,
        }
    }

    /// The first piece of text has come.
    pub fn first_text(&mut self) {
        let now = Instant::now();
        self.first_text = Some(now);
        let model = self.model.as_str();
        self.metrics
            .time_to_first_chunk
            .with_label_values(&[OPERATION, PROVIDER, model, model])
            .observe((now - self.started).as_secs_f64());
    }

    /// The call gave an answer.
    #[expect(clippy::cast_precision_loss, reason = "token counts stay far below 2^52")]
    pub fn succeeded(mut self, usage: Option<&TokenUsage>) {
        let model = self.model.clone();
        let model = model.as_str();
        if let Some(usage) = usage {
            // The conventions count cached tokens as input.
            let input = usage.total_tokens().saturating_sub(usage.output_tokens);
            for (direction, tokens) in [("input", input), ("output", usage.output_tokens)] {
                self.metrics
                    .token_usage
                    .with_label_values(&[OPERATION, PROVIDER, model, model, direction])
                    .observe(tokens as f64);
            }
            if let Some(first) = self.first_text
                && usage.output_tokens > 1
            {
                let per_token = first.elapsed().as_secs_f64() / (usage.output_tokens - 1) as f64;
                self.metrics.time_per_output_token.with_label_values(&[model]).observe(per_token);
            }
        }
        self.end(CallOutcome::Ok, "");
    }

    /// The call failed.
    pub fn failed(mut self, failure: CallFailure) {
        self.end(CallOutcome::from(failure), failure.as_str());
    }

    fn end(&mut self, outcome: CallOutcome, error_type: &str) {
        self.ended = true;
        let model = self.model.as_str();
        self.metrics.model_calls.with_label_values(&[model, outcome.as_str(), self.stage.as_str()]).inc();
        self.metrics
            .operation_duration
            .with_label_values(&[OPERATION, PROVIDER, model, model, error_type])
            .observe(self.started.elapsed().as_secs_f64());
    }
}

impl Drop for CallRecord {
    fn drop(&mut self) {
        if !self.ended {
            self.end(CallOutcome::Cancelled, "cancelled");
        }
    }
}
