//! The catalogue as a table for people: a line for each model, columns that end
//! where their longest cell does.

use crate::domain::{Prices, UsdPerMillionTokens};
use crate::routing::{Catalogue, Model};

const HEADINGS: [&str; 11] =
    ["id", "family", "context", "output", "$ in", "$ out", "cache", "tiers", "api", "ends", "chains"];
/// Numbers stand at the right.
const AT_RIGHT: [bool; 11] = [false, false, true, true, true, true, false, false, false, false, false];
const NOTHING: &str = "-";

pub(super) fn of(catalogue: &Catalogue) -> String {
    let rows = catalogue.models.iter().map(|model| cells(model, catalogue));
    let rows: Vec<[String; 11]> = [HEADINGS.map(str::to_owned)].into_iter().chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..HEADINGS.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let padded = row.iter().zip(&widths).zip(AT_RIGHT).map(|((cell, &width), at_right)| match at_right {
            true => format!("{cell:>width$}"),
            false => format!("{cell:<width$}"),
        });
        text.push_str(padded.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text.push_str("\ncontext and output in tokens; $ in USD per million tokens; cache: $ read, $ written, from how many tokens on\n");
    text
}

fn cells(model: &Model, catalogue: &Catalogue) -> [String; 11] {
    let prices = model.prices.as_ref();
    let chains = catalogue.chains.values().filter(|chain| chain.model(&model.id).is_some());
    [
        model.id.as_str().to_owned(),
        model.family().as_str().to_owned(),
        model.context_tokens.to_string(),
        model.max_output_tokens.to_string(),
        or_nothing(prices.map(|prices| prices.input.usd().to_string())),
        or_nothing(prices.map(|prices| prices.output.usd().to_string())),
        cache(model),
        or_nothing(prices.map(tiers).filter(|tiers| !tiers.is_empty())),
        api(model),
        or_nothing(model.end_of_life.map(|end| end.to_string())),
        or_nothing(joined(chains.map(|chain| chain.name.to_string()))),
    ]
}

fn cache(model: &Model) -> String {
    let Some(minimum) = model.cache_min_tokens else { return NOTHING.to_owned() };
    let price = |of: fn(&Prices) -> Option<UsdPerMillionTokens>| {
        or_nothing(model.prices.as_ref().and_then(of).map(|price| price.usd().to_string()))
    };
    format!("{} {} from {minimum}", price(|prices| prices.cache_read), price(|prices| prices.cache_write))
}

/// What can be asked for, and what it does to the price.
fn tiers(prices: &Prices) -> String {
    let factors = &prices.factors;
    let known =
        [("flex", factors.flex), ("priority", factors.priority), ("optimized", factors.optimized_latency)];
    let known = known.into_iter().filter_map(|(tier, at)| Some(format!("{tier} x{}", at?)));
    joined(known).unwrap_or_default()
}

fn api(model: &Model) -> String {
    let api = model.terms.api;
    match api.native_format() {
        Some(format) => format!("{} {}", api.as_str(), format.as_str()),
        None => api.as_str().to_owned(),
    }
}

fn joined(words: impl Iterator<Item = String>) -> Option<String> {
    let words: Vec<String> = words.collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn or_nothing(text: Option<String>) -> String {
    text.unwrap_or_else(|| NOTHING.to_owned())
}
