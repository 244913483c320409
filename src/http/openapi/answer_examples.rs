//! Examples of answers: whole ones, measures, and what the service says of itself.
//!
//! They are serialized from the types that are really sent, so an example cannot
//! differ from its schema.

use std::iter;

use serde_json::{Value, json};

use super::super::catalogue::{
    ChainBody, ModelBody, ModelsBody, PricesBody, TargetBody, TaskBody, TaskModelBody,
};
use super::super::chat::MODEL_PREFIX;
use super::super::measure::MeasureBody;
use super::super::meta::VersionBody;
use super::super::wire::{
    AttemptBody, Chunks, CostBody, PartialBody, SuggestionBody, TaskAnswer, TimingBody, UsageBody,
    WarningBody,
};
use super::answers::{REPRESENTATIONS, compat_member};
use super::examples::{CHAIN, CREATED, GENERATION_ID, MODEL, SECOND_MODEL};
use super::{generators, options, refine};
use crate::domain::{CallFailure, FailureCode, TaskKind};
use crate::pipeline::{FinishReason, Strategy, WarningCode};
use crate::tasks::{Generator, Wanted};

/// An answer to the first request example of the task.
pub(super) fn task_example(kind: TaskKind) -> Value {
    let (object, text, format, model) = match kind {
        TaskKind::Summarize => ("summary", KEY_POINTS, "markdown", MODEL),
        TaskKind::Rephrase => ("rephrase", FORMAL, "as-is", SECOND_MODEL),
        TaskKind::Expand => ("expansion", EXPANDED, "markdown", MODEL),
    };
    let fallback = model != MODEL;
    let throttled = |latency_ms| {
        let error = Some(CallFailure::Throttled.as_str());
        AttemptBody { model: MODEL, region: None, outcome: "error", error, latency_ms }
    };
    let mut attempts = if fallback { vec![throttled(104), throttled(98)] } else { Vec::new() };
    attempts.push(AttemptBody { model, region: None, outcome: "ok", error: None, latency_ms: 812 });
    let answer = TaskAnswer {
        id: GENERATION_ID,
        object,
        created: CREATED,
        task: kind.as_str(),
        text,
        data: None,
        format,
        finish_reason: FinishReason::Stop.as_str(),
        model,
        chain: CHAIN,
        fallback,
        strategy: "single",
        chunks: Chunks { total: 1, failed: 0, levels: 0 },
        partial: false,
        partials: Vec::new(),
        suggestions: Vec::new(),
        usage: UsageBody {
            input_tokens: 342,
            output_tokens: 41,
            total_tokens: 383,
            cache_read_input_tokens: 0,
            cache_write_input_tokens: 0,
            model_calls: u32::try_from(attempts.len()).unwrap_or(u32::MAX),
        },
        cost: CostBody { usd: Some(if fallback { 0.000_060_17 } else { 0.000_225_61 }), estimated: false },
        timing: TimingBody {
            queue_ms: 0.01,
            time_to_first_token_ms: None,
            generation_time_ms: Some(812.37),
            total_ms: 813.02,
            tokens_per_second: Some(50.5),
        },
        warnings: Vec::new(),
        attempts,
    };
    to_value(&answer)
}

/// The same for a refinement.
pub(super) fn refined_example() -> Value {
    let mut answer = task_example(TaskKind::Summarize);
    answer["object"] = "refinement".into();
    answer["task"] = "refine".into();
    answer["text"] = refine::ANSWER.into();
    answer["format"] = "as-is".into();
    answer
}

/// An answer to the first request example of a generator.
pub(super) fn generated_example(generator: Generator) -> Value {
    let (object, text, format, data) = generators::answer_example(generator);
    let mut answer = task_example(TaskKind::Summarize);
    answer["object"] = object.into();
    answer["task"] = generator.as_str().into();
    answer["text"] = text.into();
    answer["format"] = format.into();
    if let Some(data) = data {
        answer["data"] = data;
    }
    answer
}

/// Examples of whole answers: name, sentence, value.
pub(super) fn task_examples(kind: TaskKind) -> impl Iterator<Item = (&'static str, &'static str, Value)> {
    let in_parts = (kind == TaskKind::Summarize).then(|| {
        let about = "A text of three parts, one of which was left out; the request said `include: [\"partials\"]` \
                     and `on_chunk_error: \"skip\"`.";
        ("in-parts", about, in_parts())
    });
    let several = (kind == TaskKind::Rephrase)
        .then(|| ("suggestions", "Three suggestions; the request said `n: 3`.", several()));
    iter::once(("whole", "The whole answer.", task_example(kind))).chain(in_parts).chain(several)
}

fn several() -> Value {
    let model = SECOND_MODEL;
    let suggestion = |(index, text)| {
        to_value(&SuggestionBody { index, text, model, finish_reason: FinishReason::Stop.as_str() })
    };
    let mut answer = task_example(TaskKind::Rephrase);
    answer["strategy"] = Strategy::Several.as_str().into();
    answer["suggestions"] = (0..).zip(SUGGESTIONS).map(suggestion).collect();
    let ok = AttemptBody { model, region: None, outcome: "ok", error: None, latency_ms: 798 };
    answer["attempts"].as_array_mut().expect("it is a list").extend([to_value(&ok), to_value(&ok)]);
    let usage = UsageBody {
        input_tokens: 1026,
        output_tokens: 58,
        total_tokens: 1084,
        cache_read_input_tokens: 0,
        cache_write_input_tokens: 0,
        model_calls: 5,
    };
    answer["usage"] = to_value(&usage);
    answer["cost"] = to_value(&CostBody { usd: Some(0.000_144_76), estimated: false });
    answer
}

fn in_parts() -> Value {
    let gap = "\n\n[Not covered: part 2 of 3.]";
    let mut answer = task_example(TaskKind::Summarize);
    answer["text"] = format!("{KEY_POINTS}{gap}").into();
    answer["strategy"] = Strategy::MapReduce.as_str().into();
    answer["chunks"] = to_value(&Chunks { total: 3, failed: 1, levels: 1 });
    answer["partial"] = true.into();
    let partials = [(0, "- The library opened on Monday."), (2, "- The city paid half of it.")];
    answer["partials"] =
        partials.iter().map(|(index, text)| to_value(&PartialBody { index: *index, text })).collect();
    let detail = "Part 2 of 3 of the text is not in the answer.";
    let warning = WarningBody { code: WarningCode::ChunkSkipped.as_str(), detail };
    answer["warnings"] = vec![to_value(&warning)].into();
    answer
}

/// What `POST /v1/measure` says of the first request example of a summary.
pub(super) fn measure_example() -> Value {
    to_value(&measured())
}

/// What it says of a text that is too long.
pub(super) fn refused_measure_example() -> Value {
    to_value(&MeasureBody {
        input_usage: 5_231_400,
        fits: false,
        refusal: Some(FailureCode::InputTooLarge.as_str()),
        estimated_cost_usd: Some(1.726_71),
        ..measured()
    })
}

fn measured() -> MeasureBody<'static> {
    MeasureBody {
        object: "measure",
        task: TaskKind::Summarize.as_str(),
        chain: CHAIN,
        model: MODEL,
        unit: "tokens",
        input_usage: 52,
        input_quota: 5_000_000,
        exact: false,
        method: "estimate",
        fits: true,
        refusal: None,
        strategy: Strategy::Single.as_str(),
        chunks: 1,
        levels: 0,
        model_calls: 1,
        output_tokens: 104,
        estimated_cost_usd: Some(0.000_465_85),
        estimated_time_ms: 2333,
    }
}

/// The text of an answer, as the plain text representation has it.
pub(super) fn text_example(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Summarize => KEY_POINTS,
        TaskKind::Rephrase => FORMAL,
        TaskKind::Expand => EXPANDED,
    }
}

/// An answer of a compatible path.
pub(super) fn compat_example(kind: TaskKind) -> Value {
    let text = match kind {
        TaskKind::Summarize => {
            "The new library, half paid for by the city, opened on Monday with 40,000 books."
        }
        TaskKind::Rephrase | TaskKind::Expand => text_example(kind),
    };
    json!({ compat_member(kind): text, "latency": 0.813 })
}

/// What `GET /v1/models` shows, shortened to one chain.
pub(super) fn models_example() -> Value {
    let tasks = TaskKind::ALL.map(TaskKind::as_str);
    let task_model = |task: &str| TaskModelBody {
        id: format!("{MODEL_PREFIX}{task}"),
        object: "model",
        created: 0,
        owned_by: "redraft",
    };
    to_value(&ModelsBody {
        object: "list",
        data: vec![task_model("summarize")],
        models: vec![
            ModelBody {
                cache_min_tokens: Some(1_536),
                ..model_example(MODEL, "Amazon Nova 2 Lite", "nova", [0.33, 2.75, 0.0825, 0.33])
            },
            ModelBody {
                max_output_tokens: 128_000,
                token_ratio: 1.3,
                accepts_temperature: false,
                cache_min_tokens: Some(512),
                ..model_example(SECOND_MODEL, "Claude Haiku 5.5", "claude", [0.11, 0.55, 0.011, 0.1375])
            },
        ],
        chains: vec![ChainBody {
            name: CHAIN,
            models: vec![MODEL, SECOND_MODEL],
            stages: vec![
                vec![TargetBody { model: MODEL, region: None, weight: 1 }],
                vec![TargetBody { model: SECOND_MODEL, region: None, weight: 1 }],
            ],
            guardrail: None,
            default_for: tasks.to_vec(),
        }],
        tasks: tasks.map(|task| TaskBody { task, chain: CHAIN, guardrail: None }).into(),
    })
}

/// A model with nothing special.
fn model_example(
    id: &'static str,
    name: &'static str,
    family: &'static str,
    [input, output, cache_read, cache_write]: [f64; 4],
) -> ModelBody<'static> {
    let (cache_read, cache_write) = (Some(cache_read), Some(cache_write));
    ModelBody {
        id,
        name,
        family,
        base_model: id.strip_prefix("us."),
        regions: Vec::new(),
        context_tokens: 1_000_000,
        max_output_tokens: 64_000,
        min_output_tokens: 1,
        token_ratio: 1.0,
        api: "converse",
        native_format: None,
        accepts_temperature: true,
        accepts_system: true,
        accepts_guardrail: true,
        streams: true,
        structured_output: Some("json_schema"),
        cache_min_tokens: None,
        input_tokens_include_cached: false,
        service_tier: "default",
        service_tiers: Vec::new(),
        latency: "standard",
        optimized_latency_price_factor: None,
        usd_per_million_tokens: Some(PricesBody { input, output, cache_read, cache_write }),
        end_of_life: None,
    }
}

/// What `GET /v1/capabilities` shows, shortened to one task.
pub(super) fn capabilities_example() -> Value {
    json!({
        "tasks": [{
            "task": "rephrase",
            "path": "/v1/rephrase",
            "availability": "available",
            "default_chain": CHAIN,
            "input_quota_tokens": 2_048_000,
            "options": options::capabilities(&Wanted::OnText(TaskKind::Rephrase)),
            "output_languages": "any BCP 47 tag; without one, the language of the text",
        }],
        "representations": REPRESENTATIONS,
        "chains": ["capability", CHAIN, "speed"],
        "limits": { "max_body_bytes": 4 << 20, "max_file_bytes": 32 << 20 },
    })
}

/// What `GET /version` shows.
pub(super) fn version_example() -> Value {
    to_value(&VersionBody {
        name: "redraft",
        version: env!("CARGO_PKG_VERSION"),
        git_sha: Some("3f9c2ab"),
        rustc: None,
    })
}

const KEY_POINTS: &str = "- The new library opened on Monday with 40,000 books and a reading room for 120 people.\n\
                          - Visitors may borrow up to ten books at a time.\n\
                          - The building cost 12 million euros, half of it paid by the city.";
const FORMAL: &str = "We regret that we are unable to ship your order today, as our warehouse is closed.";
const SUGGESTIONS: [&str; 3] = [
    FORMAL,
    "As our warehouse is closed, your order cannot leave today.",
    "Your order has to wait today: the warehouse is not open.",
];
const EXPANDED: &str = "The launch takes place on 3 May. The app works offline, so that it can be used where there is \
                        no network. For schools, it is free.";

fn to_value(answer: &impl serde::Serialize) -> Value {
    serde_json::to_value(answer).expect("strings and numbers always serialize")
}
