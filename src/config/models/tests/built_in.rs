//! The catalogue that is compiled in.

use super::{built_in, try_read};
use crate::config::models::BUILT_IN;
use crate::config::warnings;
use crate::domain::{CalendarDate, Family, Region};
use std::collections::BTreeSet;

#[test]
fn the_built_in_file_is_sound_and_has_no_warnings_on_the_day_it_was_written() {
    let models = built_in();
    assert!((60..=80).contains(&models.models.len()), "{}", models.models.len());
    assert!(models.models.iter().all(|model| model.prices.is_some()));
    let today = CalendarDate::new(2026, 11, 27);
    assert!(models.models.iter().all(|model| model.end_of_life.is_none_or(|end| end > today)));
    assert_eq!(warnings::of_models(&models, Some(&Region::new("us-east-1")), today), [""; 0]);
}

#[test]
fn the_built_in_families_are_known_and_only_claude_counts() {
    let models = built_in();
    let families: BTreeSet<Family> = models.models.iter().map(|model| model.family()).collect();
    assert!(families.len() >= 12 && !families.contains(&Family::Other), "{families:?}");
    for model in &models.models {
        let is_claude = model.family() == Family::Claude;
        assert_eq!(model.terms.count_as.is_some(), is_claude, "{}", model.id);
        let may_remember = [Family::Claude, Family::Nova].contains(&model.family());
        assert!(may_remember || model.cache_min_tokens.is_none(), "{} refuses cache points", model.id);
        let prices = model.prices.unwrap();
        let is_priced = prices.cache_read.is_some() && prices.cache_write.is_some();
        assert!(model.cache_min_tokens.is_none() || is_priced, "{}: costs would be unknown", model.id);
    }
}

#[test]
fn no_built_in_chain_depends_on_one_family() {
    for chain in built_in().chains.values() {
        let families: BTreeSet<Family> = chain.targets().map(|target| target.model.family()).collect();
        assert!(families.len() >= 2 && families.len() == chain.stages.len(), "{}", chain.name);
    }
}

/// The built-in file shows a model of one's own, and a guardrail. Both work when pasted.
#[test]
fn the_examples_in_the_comments_of_the_built_in_file_are_sound() {
    let example = BUILT_IN.split_once("# --- A model of your own").unwrap().1;
    let example = example.split_once("# --- Chains").unwrap().0;
    let lines = example.lines().filter_map(|line| line.strip_prefix("#   ")).collect::<Vec<_>>().join("\n");
    let (models, rest) = lines.split_once("[guardrails.house]").unwrap();
    let summarize = rest.lines().find(|line| line.starts_with("summarize = ")).unwrap();
    let rest = rest.split_once("[tasks]").unwrap().0;
    let with_examples = BUILT_IN
        .replace("# --- Chains", &format!("{models}\n[guardrails.house]{rest}\n# --- Chains"))
        .replace("\nsummarize = \"default\"", &format!("\n{summarize}"));
    // What takes no guardrail could be met in a chain; the built-in chains have none of those.
    let (catalogue, problems) = try_read(&with_examples);
    assert_eq!(problems, [""; 0]);
    let catalogue = catalogue.unwrap();
    assert_eq!(catalogue.models.len(), built_in().models.len() + 2);
    assert!(catalogue.chain("watched").unwrap().guardrail.is_some());
    assert!(catalogue.task_guardrails.contains_key("summarize"));
}

#[test]
fn built_in_models_that_refuse_a_temperature_get_none() {
    for model in built_in().models {
        let id = model.id.as_str();
        let refuses =
            ["opus-4-7", "opus-4-8", "opus-5", "sonnet-5", "haiku-5-5", "fable", "mythos", "gpt-6", "grok"];
        assert_eq!(model.accepts_temperature, !refuses.iter().any(|part| id.contains(part)), "{id}");
    }
    assert!(BUILT_IN.contains("sonnet-5"));
}
