//! On which terms a model is called: its operation, its tier, its latency.
//!
//! An allow-list says what the model is served on besides the usual terms, and what
//! that does to its price. The one rule: a combination that AWS would refuse is a
//! problem here, and not an error of the first request.

use toml::{Table, Value};

use super::native_format;
use crate::config::problems::Problems;
use crate::config::section::Section;
use crate::domain::{ArnKind, BaseModel, Family, ModelKind, PriceFactors, ServiceTier};
use crate::inference::{Api, CallTerms, NativeFormat, StructuredOutput};

/// What an entry says about service.
pub(super) struct Service {
    pub(super) terms: CallTerms,
    pub(super) factors: PriceFactors,
}

/// What is known about the model before its service is read.
pub(super) struct Known {
    /// `None` for an id with problems.
    pub(super) kind: Option<ModelKind>,
    pub(super) base: Option<BaseModel>,
}

/// Reads the keys; `None` comes with a problem.
pub(super) fn read(section: &mut Section<'_>, known: Known, problems: &mut Problems) -> Option<Service> {
    let api = read_api(section, &known, problems);
    let accepts_system = section.optional("accepts_system", "true or false", problems, Value::as_bool);
    let tiers = section.optional("service_tiers", TIERS, problems, Value::as_table);
    let factors = tiers.and_then(|tiers| read_factors(section, tiers, problems));
    let tier = section.optional(
        "service_tier",
        "\"default\", \"priority\", \"flex\" or \"reserved\"",
        problems,
        |value| value.as_str().and_then(ServiceTier::parse),
    );
    let optimized = section.optional("optimized_latency_price_factor", FACTOR, problems, as_factor);
    let latency = section.optional("latency", "\"standard\" or \"optimized\"", problems, |value| match value
        .as_str(
    )? {
        "standard" => Some(false),
        "optimized" => Some(true),
        _ => None,
    });
    let include_cached =
        section.optional("input_tokens_include_cached", "true or false", problems, Value::as_bool);
    let structured =
        section.optional("structured_output", "\"json_schema\" or \"tool\"", problems, |value| {
            value.as_str().and_then(StructuredOutput::parse)
        });
    let (api, factors) = (api?, factors?);
    let factors = PriceFactors { optimized_latency: optimized?, ..factors };
    let accepts_system = accepts_system?.unwrap_or_else(|| match api {
        Api::Converse => true,
        Api::Invoke(format) => format.has_system(),
    });
    let terms = CallTerms {
        api,
        accepts_system,
        service_tier: tier?.unwrap_or_default(),
        optimized_latency: latency?.unwrap_or(false),
        input_tokens_include_cached: include_cached?.unwrap_or(false),
        structured_output: structured?,
        count_as: known.base.filter(|base| base.family() == Family::Claude),
    };
    let sound = check(section, &terms, &factors, problems);
    sound.then_some(Service { terms, factors })
}

const TIERS: &str = "a table of tiers and what they do to the price, such as { flex = 0.5, priority = 1.75 }";
const FACTOR: &str = "a number from 0.01 to 100";

fn read_api(section: &mut Section<'_>, known: &Known, problems: &mut Problems) -> Option<Api> {
    let api = section.optional("api", "\"converse\" or \"invoke\"", problems, |value| {
        value.as_str().filter(|word| ["converse", "invoke"].contains(word))
    });
    let formats = NativeFormat::ALL.map(NativeFormat::as_str).join(", ");
    let format = section.optional("native_format", &format!("one of {formats}"), problems, |value| {
        value.as_str().and_then(NativeFormat::parse)
    });
    let (api, format) = (api?, format?);
    let derived = known.base.as_ref().and_then(native_format::of);
    let is_invoke = api == Some("invoke");
    if let Some(other) = known.kind.and_then(|kind| unsuited(kind, is_invoke)) {
        section.refuse("api", other, problems);
        return None;
    }
    match (api, format.or(derived)) {
        (Some("invoke"), Some(format)) => Some(Api::Invoke(format)),
        (Some("invoke"), None) => {
            let message = format!(
                "is missing, expected one of {formats}, since api = \"invoke\" and neither the id nor base_model tells"
            );
            section.refuse("native_format", &message, problems);
            None
        }
        _ if format.is_some() => {
            section.refuse("native_format", "is for api = \"invoke\" only", problems);
            None
        }
        _ => Some(Api::Converse),
    }
}

/// Why an id of that kind cannot be called by that operation, if it cannot.
fn unsuited(kind: ModelKind, is_invoke: bool) -> Option<&'static str> {
    match kind {
        ModelKind::Arn(ArnKind::ImportedModel) if !is_invoke => {
            Some("an imported model needs api = \"invoke\": Converse does not take it")
        }
        ModelKind::Arn(ArnKind::PromptRouter) if is_invoke => {
            Some("a prompt router needs api = \"converse\": it has no body of its own")
        }
        ModelKind::Arn(ArnKind::Prompt) => {
            Some("a prompt of prompt management cannot be a model here: Bedrock takes no rules beside it")
        }
        _ => None,
    }
}

fn read_factors(
    section: &Section<'_>,
    tiers: Option<&Table>,
    problems: &mut Problems,
) -> Option<PriceFactors> {
    let mut factors = PriceFactors::default();
    let mut sound = true;
    for (tier, value) in tiers.into_iter().flatten() {
        let place = match tier.as_str() {
            "priority" => &mut factors.priority,
            "flex" => &mut factors.flex,
            _ => {
                section.refuse(
                    "service_tiers",
                    &format!("{tier} is no tier with a price of its own, known are priority, flex"),
                    problems,
                );
                sound = false;
                continue;
            }
        };
        *place = as_factor(value);
        if place.is_none() {
            section.refuse(
                "service_tiers",
                &format!("expected {FACTOR} for {tier}, found {value}"),
                problems,
            );
            sound = false;
        }
    }
    sound.then_some(factors)
}

/// Tells what AWS would refuse.
fn check(section: &Section<'_>, terms: &CallTerms, factors: &PriceFactors, problems: &mut Problems) -> bool {
    let mut sound = true;
    let mut refuse = |key: &str, message: &str| {
        section.refuse(key, message, problems);
        sound = false;
    };
    let allowed = match terms.service_tier {
        ServiceTier::Default | ServiceTier::Reserved => true,
        ServiceTier::Priority => factors.priority.is_some(),
        ServiceTier::Flex => factors.flex.is_some(),
    };
    if !allowed {
        let tier = terms.service_tier.as_str();
        refuse("service_tier", &format!("{tier} is not among the model's service_tiers"));
    }
    if terms.optimized_latency && factors.optimized_latency.is_none() {
        refuse(
            "latency",
            "optimized needs optimized_latency_price_factor: the model is not known to offer it",
        );
    }
    if let Api::Invoke(format) = terms.api {
        if terms.accepts_system && !format.has_system() {
            let format = format.as_str();
            refuse("accepts_system", &format!("{format} has no place for rules: they lead the user's text"));
        }
        if terms.structured_output.is_some() {
            refuse("structured_output", "needs api = \"converse\"");
        }
    }
    sound
}

/// No tier is further from the list price than that.
fn as_factor(value: &Value) -> Option<f64> {
    let whole = || value.as_integer().and_then(|factor| i32::try_from(factor).ok()).map(f64::from);
    value.as_float().or_else(whole).filter(|factor| (0.01..=100.0).contains(factor))
}
