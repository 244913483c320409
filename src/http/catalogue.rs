//! The catalogue as the service tells it: models with what they can do and cost,
//! chains, and which chain serves which task.
//!
//! Nothing here is secret: an ARN is shown without its account, and of a guardrail
//! only its name in the catalogue.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::chat::MODEL_PREFIX;
use crate::domain::{BaseModel, Prices, Region, ServiceTier, TaskName};
use crate::pipeline::{Catalogue, Chain, Model, WeightedTarget};

/// A model of the catalogue.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Model)]
pub(super) struct ModelBody<'a> {
    /// The id that is sent to Bedrock; of an ARN, its resource alone.
    pub id: &'a str,
    pub name: &'a str,
    /// Models of one maker and one line: `claude`, `nova`, `llama` and so on; `other` when it is not known.
    pub family: &'a str,
    /// The foundation model behind the id; `null` when it is not known.
    #[schema(required)]
    pub base_model: Option<&'a str>,
    /// Where it can be called from; empty when that is not known.
    pub regions: Vec<&'a str>,
    /// Input and output together.
    pub context_tokens: u32,
    pub max_output_tokens: u32,
    /// The fewest it is asked for.
    pub min_output_tokens: u32,
    /// Its tokens for one estimated token, before anything was learnt about it.
    pub token_ratio: f64,
    /// `converse`, or `invoke` for the model's own body.
    pub api: &'a str,
    /// That body's name; `null` with `converse`.
    #[schema(required)]
    pub native_format: Option<&'a str>,
    pub accepts_temperature: bool,
    /// Whether it takes rules in a place of their own.
    pub accepts_system: bool,
    /// Whether a guardrail can watch its calls.
    pub accepts_guardrail: bool,
    /// Whether its answers can come in pieces.
    pub streams: bool,
    /// How it is made to answer with data: `json_schema` or `tool`; `null` when it cannot be.
    #[schema(required)]
    pub structured_output: Option<&'a str>,
    /// The fewest tokens of a prompt's beginning that it remembers; `null` when it is not asked to.
    #[schema(required)]
    pub cache_min_tokens: Option<u32>,
    /// Whether its input tokens hold the cached ones, too.
    pub input_tokens_include_cached: bool,
    /// The tier that it is asked for: `default`, `priority`, `flex` or `reserved`.
    pub service_tier: &'a str,
    /// Tiers besides the usual one, and what they do to the price.
    pub service_tiers: Vec<TierBody<'a>>,
    /// `standard`, or `optimized` for faster hardware.
    pub latency: &'a str,
    /// What faster hardware does to the price; `null` when it cannot run on it.
    #[schema(required)]
    pub optimized_latency_price_factor: Option<f64>,
    /// `null` when prices are not known.
    #[schema(required)]
    pub usd_per_million_tokens: Option<PricesBody>,
    /// After this day it answers no more; `null` when no such day is known.
    #[schema(required, format = Date)]
    pub end_of_life: Option<String>,
}

/// A tier that a model can be served on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ModelTier)]
pub(super) struct TierBody<'a> {
    pub tier: &'a str,
    /// Twice the price is 2.
    pub price_factor: f64,
}

/// Prices in USD per million tokens; `null` where not known.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Prices)]
pub(super) struct PricesBody {
    pub input: f64,
    pub output: f64,
    #[schema(required)]
    pub cache_read: Option<f64>,
    #[schema(required)]
    pub cache_write: Option<f64>,
}

/// A model in a region: one thing that can be called.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Target)]
pub(super) struct TargetBody<'a> {
    pub model: &'a str,
    /// The region, where it is another than the service's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub region: Option<&'a str>,
    /// Its share of the stage's calls, in proportion to the others.
    pub weight: u32,
}

/// An ordered list of stages.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Chain)]
pub(super) struct ChainBody<'a> {
    pub name: &'a str,
    /// Model ids in the order in which they are asked, each once.
    pub models: Vec<&'a str>,
    /// The next stage is asked when the one before fails; calls are balanced over the targets of one.
    pub stages: Vec<Vec<TargetBody<'a>>>,
    /// The guardrail that watches its calls, unless the task has one of its own; `null` when there is none.
    #[schema(required)]
    pub guardrail: Option<&'a str>,
    /// Tasks that use this chain when the request names none.
    pub default_for: Vec<&'a str>,
}

/// What a task uses.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TaskUse)]
pub(super) struct TaskBody<'a> {
    pub task: &'a str,
    /// The chain when the request names none.
    pub chain: &'a str,
    /// The guardrail that watches its calls, whichever chain serves it; `null` when it has none of its own.
    #[schema(required)]
    pub guardrail: Option<&'a str>,
}

/// A task, as OpenAI's clients list models.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TaskModel)]
pub(super) struct TaskModelBody {
    /// `redraft/` and the task. With `@` and the name of a chain behind it, that chain is asked.
    #[schema(example = "redraft/summarize")]
    pub id: String,
    #[schema(example = "model")]
    pub object: &'static str,
    /// Always 0: a task has no date.
    pub created: u64,
    #[schema(example = "redraft")]
    pub owned_by: &'static str,
}

/// The catalogue.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Catalogue)]
pub(super) struct ModelsBody<'a> {
    /// `list`: to OpenAI's clients this is a list of `data`.
    #[schema(example = "list")]
    pub object: &'a str,
    /// The tasks as models of `POST /v1/chat/completions`.
    pub data: Vec<TaskModelBody>,
    pub models: Vec<ModelBody<'a>>,
    pub chains: Vec<ChainBody<'a>>,
    pub tasks: Vec<TaskBody<'a>>,
}

impl<'a> From<&'a Model> for ModelBody<'a> {
    fn from(model: &'a Model) -> Self {
        let terms = &model.terms;
        let factors = model.prices.map(|prices| prices.factors).unwrap_or_default();
        let tiers = [(ServiceTier::Flex, factors.flex), (ServiceTier::Priority, factors.priority)];
        Self {
            id: model.id.as_str(),
            name: &model.name,
            family: model.family().as_str(),
            base_model: model.base.as_ref().map(BaseModel::as_str),
            regions: model.regions.iter().map(Region::as_str).collect(),
            context_tokens: model.context_tokens,
            max_output_tokens: model.max_output_tokens,
            min_output_tokens: model.min_output_tokens,
            token_ratio: model.token_ratio,
            api: terms.api.as_str(),
            native_format: terms.api.native_format().map(|format| format.as_str()),
            accepts_temperature: model.accepts_temperature,
            accepts_system: terms.accepts_system,
            accepts_guardrail: model.accepts_guardrail,
            streams: model.streams,
            structured_output: terms.structured_output.map(|way| way.as_str()),
            cache_min_tokens: model.cache_min_tokens,
            input_tokens_include_cached: terms.input_tokens_include_cached,
            service_tier: terms.service_tier.as_str(),
            service_tiers: tiers.into_iter().filter_map(tier).collect(),
            latency: if terms.optimized_latency { "optimized" } else { "standard" },
            optimized_latency_price_factor: factors.optimized_latency,
            usd_per_million_tokens: model.prices.as_ref().map(PricesBody::from),
            end_of_life: model.end_of_life.map(|end| end.to_string()),
        }
    }
}

impl From<&Prices> for PricesBody {
    fn from(prices: &Prices) -> Self {
        Self {
            input: prices.input.usd(),
            output: prices.output.usd(),
            cache_read: prices.cache_read.map(|price| price.usd()),
            cache_write: prices.cache_write.map(|price| price.usd()),
        }
    }
}

impl<'a> From<&'a Catalogue> for ModelsBody<'a> {
    fn from(catalogue: &'a Catalogue) -> Self {
        let chain = |chain: &'a Chain| {
            let served = catalogue.tasks().filter(|task| catalogue.task_chain(task).name == chain.name);
            ChainBody {
                name: &chain.name,
                models: models_of(chain),
                stages: chain.stages.iter().map(|stage| stage.targets.iter().map(target).collect()).collect(),
                guardrail: chain.guardrail.as_ref().map(|guardrail| &*guardrail.name),
                default_for: served.map(TaskName::as_str).collect(),
            }
        };
        let task = |task: &'a TaskName| TaskBody {
            task: task.as_str(),
            chain: &catalogue.task_chain(task).name,
            guardrail: catalogue.task_guardrails.get(task).map(|guardrail| &*guardrail.name),
        };
        let task_model = |task: &TaskName| TaskModelBody {
            id: format!("{MODEL_PREFIX}{task}"),
            object: "model",
            created: 0,
            owned_by: "redraft",
        };
        Self {
            object: "list",
            data: catalogue.tasks().map(task_model).collect(),
            models: catalogue.models.iter().map(|model| ModelBody::from(&**model)).collect(),
            chains: catalogue.chains.values().map(|one| chain(one)).collect(),
            tasks: catalogue.tasks().map(task).collect(),
        }
    }
}

/// What `GET /v1/models` answers.
pub fn catalogue(catalogue: &Catalogue) -> Value {
    serde_json::to_value(ModelsBody::from(catalogue)).expect("its keys are text and its numbers are finite")
}

fn tier((tier, factor): (ServiceTier, Option<f64>)) -> Option<TierBody<'static>> {
    factor.map(|price_factor| TierBody { tier: tier.as_str(), price_factor })
}

fn models_of(chain: &Chain) -> Vec<&str> {
    let mut models = Vec::new();
    for target in chain.targets() {
        let id = target.model.id.as_str();
        if !models.contains(&id) {
            models.push(id);
        }
    }
    models
}

fn target(weighted: &WeightedTarget) -> TargetBody<'_> {
    let WeightedTarget { target, weight } = weighted;
    TargetBody {
        model: target.model.id.as_str(),
        region: target.region.as_ref().map(Region::as_str),
        weight: *weight,
    }
}
