//! What a request used, per model, and what that costs.
//!
//! The provider's own counts where it gave them; an estimate, marked as one,
//! where a call ended before it told. Calls that no model took cost nothing.

use std::sync::Arc;

use prometheus::IntCounterVec;

use crate::domain::{Cost, Metered, ModelId, TaskName, TokenUsage};
use crate::routing::Model;
use crate::telemetry::{Metrics, TokenDirection};

/// The tokens of one model within a request.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelUsage {
    pub model: ModelId,
    pub usage: TokenUsage,
    /// `None` when a price is missing.
    pub cost: Option<Cost>,
    /// Whether some of it is an estimate.
    pub estimated: bool,
}

/// One model's tokens, and what of them and of their cost is an estimate.
#[derive(Debug)]
struct Entry {
    told: ModelUsage,
    estimated_tokens: TokenUsage,
    estimated_cost: Cost,
}

/// The entries of one request.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: Vec<Entry>,
}

impl Ledger {
    /// Adds the tokens of one call.
    pub(super) fn add(&mut self, model: &Arc<Model>, metered: Metered, estimated: bool) {
        let cost = model.prices.and_then(|prices| prices.cost(&metered));
        let usage = metered.tokens;
        let entry = self.entry(&model.id);
        entry.told.usage += usage;
        entry.told.cost = entry.told.cost.zip(cost).map(|(known, more)| known.plus(more));
        entry.told.estimated |= estimated;
        if estimated {
            entry.estimated_tokens += usage;
            entry.estimated_cost = entry.estimated_cost.plus(cost.unwrap_or_default());
        }
    }

    fn entry(&mut self, model: &ModelId) -> &mut Entry {
        let known = self.entries.iter().position(|entry| entry.told.model == *model);
        let at = known.unwrap_or_else(|| {
            let usage = TokenUsage::default();
            let told =
                ModelUsage { model: model.clone(), usage, cost: Some(Cost::default()), estimated: false };
            let (estimated_tokens, estimated_cost) = (TokenUsage::default(), Cost::default());
            self.entries.push(Entry { told, estimated_tokens, estimated_cost });
            self.entries.len() - 1
        });
        &mut self.entries[at]
    }

    pub(super) fn by_model(&self) -> Vec<ModelUsage> {
        self.entries.iter().map(|entry| entry.told.clone()).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All tokens.
    pub(super) fn usage(&self) -> TokenUsage {
        let mut total = TokenUsage::default();
        self.entries.iter().for_each(|entry| total += entry.told.usage);
        total
    }

    /// The whole cost; `None` when any part of it is unknown.
    pub(super) fn cost(&self) -> Option<Cost> {
        self.entries.iter().try_fold(Cost::default(), |sum, entry| Some(sum.plus(entry.told.cost?)))
    }

    pub(super) fn estimated(&self) -> bool {
        self.entries.iter().any(|entry| entry.told.estimated)
    }

    /// Adds the entries to the service's counters. Called once per request.
    pub(super) fn count(&self, metrics: &Metrics, task: &TaskName) {
        for Entry { told, estimated_tokens, estimated_cost } in &self.entries {
            let labels = [task.as_str(), told.model.as_str()];
            count_tokens(&metrics.tokens, labels, &told.usage);
            count_tokens(&metrics.estimated_tokens, labels, estimated_tokens);
            match told.cost {
                Some(cost) => {
                    metrics.cost_usd.with_label_values(&labels).inc_by(cost.usd());
                    metrics.estimated_cost_usd.with_label_values(&labels).inc_by(estimated_cost.usd());
                }
                None => metrics.unpriced_requests.with_label_values(&[labels[1]]).inc(),
            }
        }
    }
}

fn count_tokens(counters: &IntCounterVec, [task, model]: [&str; 2], usage: &TokenUsage) {
    for (direction, tokens) in [
        (TokenDirection::Input, usage.input_tokens),
        (TokenDirection::Output, usage.output_tokens),
        (TokenDirection::CacheRead, usage.cache_read_input_tokens),
        (TokenDirection::CacheWrite, usage.cache_write_input_tokens),
    ] {
        if tokens > 0 {
            counters.with_label_values(&[task, model, direction.as_str()]).inc_by(tokens);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Ledger;
    use crate::domain::{PriceFactors, Prices, TokenUsage, UsdPerMillionTokens};
    use crate::routing::Model;
    use std::sync::Arc;

    fn model(id: &str, price: Option<f64>) -> Arc<Model> {
        let prices = price.and_then(UsdPerMillionTokens::new).map(|usd| Prices {
            input: usd,
            output: usd,
            cache_read: None,
            cache_write: None,
            factors: PriceFactors::default(),
        });
        Arc::new(Model { prices, ..Model::sample(id, 1000, 1000) })
    }

    const TEN: TokenUsage = TokenUsage {
        input_tokens: 10,
        output_tokens: 0,
        cache_read_input_tokens: 0,
        cache_write_input_tokens: 0,
    };

    #[test]
    fn calls_of_one_model_add_up_and_an_estimate_marks_the_whole() {
        let mut ledger = Ledger::default();
        let priced = model("a.b", Some(1.0));
        ledger.add(&priced, TEN.into(), false);
        ledger.add(&priced, TEN.into(), true);
        assert_eq!(ledger.usage().input_tokens, 20);
        assert_eq!(ledger.cost().unwrap().usd(), 20e-6);
        assert!(ledger.estimated());
    }

    #[test]
    fn one_unknown_price_makes_the_whole_cost_unknown() {
        let mut ledger = Ledger::default();
        ledger.add(&model("a.b", Some(1.0)), TEN.into(), false);
        ledger.add(&model("c.d", None), TEN.into(), false);
        assert_eq!(ledger.cost(), None);
        assert!(Ledger::default().cost().is_some_and(|cost| cost.usd() == 0.0));
    }
}
