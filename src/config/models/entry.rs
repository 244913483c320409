//! One `[[model]]` entry.
//!
//! Reads and bounds the flags and prices of a model. What is not known about a
//! price stays unknown; a flag that is not given has the cautious value only
//! where there is one that every model takes.

use std::sync::Arc;

use toml::{Table, Value};

use super::identity::{self, Identity};
use super::service::{self, Known};
use crate::config::layers::Origin;
use crate::config::problems::Problems;
use crate::config::section::Section;
use crate::domain::{CalendarDate, ModelId, PriceFactors, Prices, UsdPerMillionTokens};
use crate::inference::Api;
use crate::routing::Model;

/// No model has a larger window; more is a slip of the keyboard.
const MOST_TOKENS: i64 = 100_000_000;

/// What an entry says.
pub(super) struct Entry<'a> {
    /// Known even when the rest has problems.
    pub(super) id: Option<&'a str>,
    pub(super) model: Option<Model>,
}

pub(super) fn read<'a>(path: &str, table: &'a Table, origin: &Origin, problems: &mut Problems) -> Entry<'a> {
    let mut section = Section::new(path, table, origin);
    let written = table.get("id").and_then(Value::as_str);
    if let Some(id) = written {
        section.set_note(format!(" (model {id})"));
    }
    let Identity { id, base, regions } = identity::read(&mut section, problems);
    let name = section.required("name", "a name for people", problems, |value| {
        value.as_str().filter(|name| !name.trim().is_empty())
    });
    let tokens = "a whole number of tokens from 1 to 100000000";
    let context_tokens = section.required("context_tokens", tokens, problems, as_tokens);
    let max_output_tokens = section.required("max_output_tokens", tokens, problems, as_tokens);
    let min_output_tokens = section.optional("min_output_tokens", tokens, problems, as_tokens);
    let accepts_temperature =
        section.required("accepts_temperature", "true or false", problems, Value::as_bool);
    let accepts_guardrail = section.optional("accepts_guardrail", "true or false", problems, Value::as_bool);
    let streams = section.optional("streams", "true or false", problems, Value::as_bool);
    let cache_min_tokens = section.optional("cache_min_tokens", tokens, problems, as_tokens);
    let known = Known { kind: id.as_ref().map(ModelId::kind), base: base.clone().flatten() };
    let service = service::read(&mut section, known, problems);
    let token_ratio = section.optional("token_ratio", "a number from 0.2 to 5", problems, as_ratio);
    let prices = prices(&mut section, service.as_ref().map(|service| service.factors), problems);
    let date = "a date without quotes, such as 2027-04-08";
    let end_of_life = section.optional("end_of_life", date, problems, as_date);
    let max_output_tokens = at_most(
        &section,
        ("max_output_tokens", max_output_tokens),
        ("context_tokens", context_tokens),
        problems,
    );
    let min_output_tokens = min_output_tokens.map(|given| given.unwrap_or(1));
    let min_output_tokens = at_most(
        &section,
        ("min_output_tokens", min_output_tokens),
        ("max_output_tokens", max_output_tokens),
        problems,
    );
    let caches = cache_min_tokens.map(|tokens| {
        let can_mark = service
            .as_ref()
            .is_none_or(|service| service.terms.api == Api::Converse && service.terms.accepts_system);
        tokens.is_none() || can_mark
    });
    if caches == Some(false) {
        let message = "needs api = \"converse\" and accepts_system = true: what is remembered are the rules";
        section.refuse("cache_min_tokens", message, problems);
    }
    let can_stream = service.as_ref().is_none_or(|service| match service.terms.api {
        Api::Converse => true,
        Api::Invoke(format) => format.can_stream(),
    });
    if streams == Some(Some(true)) && !can_stream {
        section.refuse("streams", "the model's native format knows no pieces", problems);
    }
    let is_sound = caches != Some(false) && (can_stream || streams != Some(Some(true)));
    section.finish(problems);
    let model = || {
        is_sound.then_some(())?;
        Some(Model {
            id: id?,
            base: base?,
            regions: regions?,
            name: name?.to_owned(),
            context_tokens: context_tokens?,
            max_output_tokens: max_output_tokens?,
            min_output_tokens: min_output_tokens?,
            accepts_temperature: accepts_temperature?,
            streams: streams?.unwrap_or(can_stream),
            accepts_guardrail: accepts_guardrail?.unwrap_or(true),
            cache_min_tokens: cache_min_tokens?,
            terms: Arc::new(service?.terms),
            token_ratio: token_ratio?.unwrap_or(1.0),
            prices: prices?,
            end_of_life: end_of_life?,
        })
    };
    Entry { id: written, model: model() }
}

/// `Some(None)` when no price is given; `None` comes with a problem.
fn prices(
    section: &mut Section<'_>,
    factors: Option<PriceFactors>,
    problems: &mut Problems,
) -> Option<Option<Prices>> {
    const EXPECTED: &str = "a price in USD from 0 to 1000000";
    let mut price = |key| section.optional(key, EXPECTED, problems, as_price);
    let input = price("usd_per_million_input");
    let output = price("usd_per_million_output");
    let cache_read = price("usd_per_million_cache_read");
    let cache_write = price("usd_per_million_cache_write");
    let (input, output, cache_read, cache_write) = (input?, output?, cache_read?, cache_write?);
    match (input, output) {
        (Some(input), Some(output)) => {
            let factors = factors.unwrap_or_default();
            Some(Some(Prices { input, output, cache_read, cache_write, factors }))
        }
        (None, None) if cache_read.is_none() && cache_write.is_none() => Some(None),
        (input, _) => {
            let missing = if input.is_none() { "usd_per_million_input" } else { "usd_per_million_output" };
            section.refuse(missing, "is missing, expected a price, since another one is given", problems);
            None
        }
    }
}

/// The first of two numbers, unless it is greater than the second.
fn at_most(
    section: &Section<'_>,
    (key, number): (&str, Option<u32>),
    (bound_key, bound): (&str, Option<u32>),
    problems: &mut Problems,
) -> Option<u32> {
    if let (Some(number), Some(bound)) = (number, bound)
        && number > bound
    {
        let message = format!("expected at most {bound_key}, which is {bound}, found {number}");
        section.refuse(key, &message, problems);
        return None;
    }
    number
}

fn as_tokens(value: &Value) -> Option<u32> {
    let tokens = value.as_integer().filter(|tokens| (1..=MOST_TOKENS).contains(tokens))?;
    u32::try_from(tokens).ok()
}

fn as_price(value: &Value) -> Option<UsdPerMillionTokens> {
    let whole = || value.as_integer().and_then(|usd| i32::try_from(usd).ok()).map(f64::from);
    UsdPerMillionTokens::new(value.as_float().or_else(whole)?)
}

/// No vocabulary is further from the estimate than that.
fn as_ratio(value: &Value) -> Option<f64> {
    let whole = || value.as_integer().and_then(|ratio| i32::try_from(ratio).ok()).map(f64::from);
    value.as_float().or_else(whole).filter(|ratio| (0.2..=5.0).contains(ratio))
}

fn as_date(value: &Value) -> Option<CalendarDate> {
    let datetime = value.as_datetime().filter(|datetime| datetime.time.is_none())?;
    datetime.date.map(|date| CalendarDate::new(date.year, date.month, date.day))
}
