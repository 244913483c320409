//! A catalogue for a demo in which one model of the user's own answers for all of them.
//!
//! Owns what of the entries is then no longer true. The one rule: nothing is told or
//! relied on that holds for the model on Bedrock alone.

use std::sync::Arc;

use crate::routing::{Catalogue, Chain, Model, Stage, Target, WeightedTarget};

/// The same names and chains, with what one model can do: its context, no price, and
/// nothing that it is known to remember.
pub(in crate::config) fn served_by_one(catalogue: Catalogue, context_tokens: u32) -> Catalogue {
    let model = |model: &Arc<Model>| {
        let context_tokens = model.context_tokens.min(context_tokens);
        Arc::new(Model {
            context_tokens,
            // A prompt needs room as well.
            max_output_tokens: model.max_output_tokens.min(context_tokens / 2),
            cache_min_tokens: None,
            prices: None,
            ..Model::clone(model)
        })
    };
    let weighted = |weighted: &WeightedTarget| WeightedTarget {
        target: Target { model: model(&weighted.target.model), ..weighted.target.clone() },
        ..weighted.clone()
    };
    let stage = |stage: &Stage| Stage { targets: stage.targets.iter().map(weighted).collect() };
    let chain = |chain: &Arc<Chain>| {
        let stages = chain.stages.iter().map(stage).collect();
        Arc::new(Chain { stages, ..Chain::clone(chain) })
    };
    Catalogue {
        models: catalogue.models.iter().map(model).collect(),
        chains: catalogue.chains.iter().map(|(name, of)| (Arc::clone(name), chain(of))).collect(),
        ..catalogue
    }
}

#[cfg(test)]
mod tests {
    use super::served_by_one;
    use crate::config::{CalendarDate, Environment, RunMode, Sources, load_on};

    #[test]
    fn no_entry_promises_more_than_the_one_model_has() {
        let sources = |mode| Sources {
            mode,
            file: None,
            listen: None,
            environment: Environment::from_iter::<[(&str, &str); 0]>([]),
        };
        let load = |mode| load_on(&sources(mode), CalendarDate::new(2026, 11, 20)).ok().unwrap();
        let usual = load(RunMode::Demo).config.catalogue;
        let local = load(RunMode::DemoWithLlm { context_tokens: 4096 }).config.catalogue;
        assert_eq!(*local, served_by_one(usual.as_ref().clone(), 4096));
        let of_chains = local.chains.values().flat_map(|chain| chain.targets()).map(|target| &target.model);
        for model in local.models.iter().chain(of_chains) {
            assert!(model.context_tokens <= 4096 && model.max_output_tokens <= 2048, "{}", model.id);
            assert!(model.prices.is_none() && model.cache_min_tokens.is_none(), "{}", model.id);
        }
        let names = |catalogue: &crate::routing::Catalogue| {
            catalogue.models.iter().map(|model| model.id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(&local), names(&usual));
    }
}
