//! The file of models: what is read, and what is told about each slip. Keys of
//! service and guardrails have files of their own.

mod built_in;
mod guardrails;
mod service;

use super::{Catalogue, Files, Model, Origin, Problems, load, read};
use crate::config::files::Occasion;
use crate::config::layers::parse_toml;
use crate::config::warnings;
use crate::domain::{CalendarDate, Region, TaskKind};
use std::sync::Arc;

const MODEL: &str = "[[model]]\nid = \"a.one\"\nname = \"One\"\ncontext_tokens = 1000\nmax_output_tokens = 100\naccepts_temperature = true\n";
const REST: &str = "[chains.main]\nstages = [\"a.one\"]\n[tasks]\nsummarize = \"main\"\nrephrase = \"main\"\nexpand = \"main\"\n[preference]\nspeed = \"main\"\ncapability = \"main\"\n";

fn try_read(text: &str) -> (Option<Catalogue>, Vec<String>) {
    let mut problems = Problems::default();
    let table = parse_toml(text, &Origin::Default, &mut problems).unwrap();
    let models = read(&table, &Origin::Default, &mut problems);
    (models, problems.iter().map(|problem| format!("{}: {}", problem.key, problem.message)).collect())
}

fn built_in() -> Catalogue {
    let mut problems = Problems::default();
    let models = load("", &Origin::Default, &mut Files::new(Occasion::Start), &mut problems);
    assert!(problems.is_empty(), "{problems}");
    models.unwrap()
}

/// The problems of a file in which `from` was replaced by `to`.
fn problems_with(from: &str, to: &str) -> Vec<String> {
    let sound = format!("{MODEL}{REST}");
    assert!(sound.contains(from), "{from}");
    let (models, problems) = try_read(&sound.replacen(from, to, 1));
    assert!(models.is_some() || !problems.is_empty());
    problems
}

/// The problems of a file whose one model has these lines more.
fn problems_of(lines: &str) -> Vec<String> {
    problems_with("accepts_temperature = true\n", &format!("accepts_temperature = true\n{lines}\n"))
}

/// The one model of a sound file, with another id and these lines more.
fn model_of(id: &str, lines: &str) -> Arc<Model> {
    let (catalogue, problems) = try_read(&format!("{MODEL}{lines}\n{REST}").replace("a.one", id));
    assert_eq!(problems, [""; 0], "{id} {lines}");
    Arc::clone(&catalogue.unwrap().models[0])
}

#[test]
fn the_smallest_file_has_cautious_defaults_and_unknown_prices() {
    let (models, problems) = try_read(&format!("{MODEL}{REST}"));
    assert_eq!(problems, [""; 0]);
    let catalogue = models.unwrap();
    let model = &catalogue.models[0];
    assert_eq!((model.min_output_tokens, model.terms.accepts_system, model.prices), (1, true, None));
    assert_eq!((model.id.as_str(), model.name.as_str()), ("a.one", "One"));
    assert_eq!((model.context_tokens, model.max_output_tokens), (1000, 100));
    assert_eq!(catalogue.task_chain(&TaskKind::Expand.into()).stages[0].targets[0].target.region, None);
}

#[test]
fn every_key_of_an_entry_arrives() {
    let entry = format!(
        "{MODEL}min_output_tokens = 16\naccepts_system = false\nusd_per_million_input = 1\nusd_per_million_output = 2.5\nusd_per_million_cache_read = 0.00875\nusd_per_million_cache_write = 1.25\nend_of_life = 2027-04-08\n"
    );
    let rest = REST.replace("[\"a.one\"]", "[{ model = \"a.one\", region = \"eu-west-1\" }, \"a.one\"]");
    let (models, problems) = try_read(&format!("{entry}{rest}"));
    assert_eq!(problems, [""; 0]);
    let models = models.unwrap();
    let model = &models.models[0];
    assert_eq!(
        (model.min_output_tokens, model.terms.accepts_system, model.accepts_temperature),
        (16, false, true)
    );
    let prices = model.prices.unwrap();
    assert_eq!((prices.input.usd(), prices.output.usd()), (1.0, 2.5));
    let cache = [prices.cache_read, prices.cache_write].map(|price| price.unwrap().usd());
    assert_eq!(cache, [0.00875, 1.25]);
    assert_eq!(model.end_of_life, Some(CalendarDate::new(2027, 4, 8)));
    assert_eq!(models.regions(), [Region::new("eu-west-1")]);
}

#[test]
fn each_slip_is_told_at_its_key() {
    let tokens = "expected a whole number of tokens from 1 to 100000000";
    for (from, to, line) in [
        (
            "name = \"One\"",
            "name = \" \"",
            "model[0].name: expected a name for people, found \" \" (model a.one)",
        ),
        ("name = \"One\"\n", "", "model[0].name: is missing, expected a name for people (model a.one)"),
        ("= 1000", "= 0", &format!("model[0].context_tokens: {tokens}, found 0 (model a.one)")),
        ("= 1000", "= \"1k\"", &format!("model[0].context_tokens: {tokens}, found \"1k\" (model a.one)")),
        (
            "= 1000\n",
            "= 99\n",
            "model[0].max_output_tokens: expected at most context_tokens, which is 99, found 100 (model a.one)",
        ),
        (
            "= 100\n",
            "= 100\nmin_output_tokens = 101\n",
            "model[0].min_output_tokens: expected at most max_output_tokens, which is 100, found 101 (model a.one)",
        ),
        (
            "= true",
            "= \"yes\"",
            "model[0].accepts_temperature: expected true or false, found \"yes\" (model a.one)",
        ),
        (
            "= true",
            "= true\naccepts_system = 1",
            "model[0].accepts_system: expected true or false, found 1 (model a.one)",
        ),
        (
            "= true",
            "= true\nusd_per_million_input = 1",
            "model[0].usd_per_million_output: is missing, expected a price, since another one is given (model a.one)",
        ),
        (
            "= true",
            "= true\nusd_per_million_cache_read = 1",
            "model[0].usd_per_million_input: is missing, expected a price, since another one is given (model a.one)",
        ),
        (
            "= true",
            "= true\nusd_per_million_input = 1\nusd_per_million_output = -1.0",
            "model[0].usd_per_million_output: expected a price in USD from 0 to 1000000, found -1.0 (model a.one)",
        ),
        (
            "= true",
            "= true\nend_of_life = \"2027\"",
            "model[0].end_of_life: expected a date without quotes, such as 2027-04-08, found \"2027\" (model a.one)",
        ),
        (
            "= true",
            "= true\nend_of_life = 2027-04-08T00:00:00Z",
            "model[0].end_of_life: expected a date without quotes, such as 2027-04-08, found 2027-04-08T00:00:00Z (model a.one)",
        ),
        (
            "= true",
            "= true\nmax_tokens = 1",
            "model[0].max_tokens: unknown key, did you mean max_output_tokens? (model a.one)",
        ),
        ("[chains.main]", "[models]\n[chains.main]", "models: unknown key, did you mean model?"),
        (
            "[\"a.one\"]",
            "[]",
            "chains.main.stages: expected a list of stages, not empty: a model id, a table { model = \"…\", region = \"…\" }, or a list of those, found []",
        ),
        (
            "stages = [\"a.one\"]",
            "",
            "chains.main.stages: is missing, expected a list of stages, not empty: a model id, a table { model = \"…\", region = \"…\" }, or a list of those",
        ),
        ("stages =", "weight = 1\nstages =", "chains.main.weight: unknown key, known are stages, guardrail"),
        (
            "[\"a.one\"]",
            "[\"a.one\", \"a.noe\"]",
            "chains.main.stages[1]: no [[model]] has the id a.noe, did you mean a.one?",
        ),
        (
            "[\"a.one\"]",
            "[\"zzzzzzzzz\"]",
            "chains.main.stages[0]: no [[model]] has the id zzzzzzzzz, add a [[model]] entry for it",
        ),
        (
            "[\"a.one\"]",
            "[\"a.one\", \"a.one\"]",
            "chains.main.stages[1]: repeats chains.main.stages[0]: a model that failed is not asked again",
        ),
        ("[\"a.one\"]", "[5]", "chains.main.stages[0]: expected a model id or a table with one, found 5"),
        (
            "[\"a.one\"]",
            "[{ region = \"eu-west-1\" }]",
            "chains.main.stages[0].model: is missing, expected a model id",
        ),
        (
            "[\"a.one\"]",
            "[{ model = \"a.one\", region = \"Ireland\" }]",
            "chains.main.stages[0].region: expected a region such as eu-west-1, found \"Ireland\"",
        ),
        (
            "[\"a.one\"]",
            "[{ model = \"a.one\", wait = 1 }]",
            "chains.main.stages[0].wait: unknown key, known are model, region, weight",
        ),
        ("[\"a.one\"]", "[[\"a.one\"], []]", "chains.main.stages[1]: expected at least one model, found []"),
        (
            "[\"a.one\"]",
            "[[\"a.one\", \"a.noe\"]]",
            "chains.main.stages[0][1]: no [[model]] has the id a.noe, did you mean a.one?",
        ),
        (
            "[\"a.one\"]",
            "[[[\"a.one\"]]]",
            "chains.main.stages[0][0]: expected a model id or a table with one, found [\"a.one\"]",
        ),
        (
            "[\"a.one\"]",
            "[[\"a.one\", { model = \"a.one\", region = \"eu-west-1\", weight = 0 }]]",
            "chains.main.stages[0][1].weight: expected a whole number from 1 to 1000, found 0",
        ),
        (
            "[\"a.one\"]",
            "[{ model = \"a.one\", weight = 1001 }]",
            "chains.main.stages[0].weight: expected a whole number from 1 to 1000, found 1001",
        ),
        (
            "[\"a.one\"]",
            "[{ model = \"a.one\", weight = 0.5 }]",
            "chains.main.stages[0].weight: expected a whole number from 1 to 1000, found 0.5",
        ),
        (
            "[\"a.one\"]",
            "[[\"a.one\", { model = \"a.one\", wieght = 2, region = \"eu-west-1\" }]]",
            "chains.main.stages[0][1].wieght: unknown key, did you mean weight?",
        ),
        (
            "[\"a.one\"]",
            "[[\"a.one\", { model = \"a.one\", weight = 2 }]]",
            "chains.main.stages[0][1]: repeats chains.main.stages[0][0]: a weight gives a model more of the calls",
        ),
        (
            "[\"a.one\"]",
            "[[{ model = \"a.one\", region = \"eu-west-1\" }, \"a.one\"], { model = \"a.one\", region = \"eu-west-1\" }]",
            "chains.main.stages[1]: repeats chains.main.stages[0][0]: a model that failed is not asked again",
        ),
        (
            "[chains.main]",
            "[chains.\"Main Chain\"]\nstages = [\"a.one\"]\n[chains.main]",
            "chains.Main Chain: expected a name of 1 to 64 characters of a-z 0-9 _ -",
        ),
        (
            "[chains.main]",
            "[chains]\nmane = 5\n[chains.main]",
            "chains.mane: expected a table with stages, found 5",
        ),
        (
            "expand = \"main\"",
            "expand = \"mian\"",
            "tasks.expand: no chain is called mian, did you mean main?",
        ),
        ("expand = \"main\"", "", "tasks.expand: is missing, expected the name of a chain"),
        (
            "expand = \"main\"",
            "expand = \"main\"\ntranslate = \"main\"",
            "tasks.translate: unknown key, known are summarize, rephrase, expand, blog-post, product-description, social-posts, refine",
        ),
        ("speed = \"main\"", "speed = \"x\"", "preference.speed: no chain is called x, known are main"),
        ("capability = \"main\"", "", "preference.capability: is missing, expected the name of a chain"),
        (
            "capability = \"main\"",
            "capability = \"main\"\nauto = \"main\"",
            "preference.auto: unknown key, known are speed, capability",
        ),
    ] {
        assert_eq!(problems_with(from, to), [line]);
    }
}

#[test]
fn a_stage_is_one_target_or_several_with_weights() {
    let stages = "[[\"a.one\", { model = \"a.one\", region = \"eu-west-1\", weight = 1000 }], { model = \"a.one\", region = \"eu-west-2\" }]";
    let (models, problems) = try_read(&format!("{MODEL}{REST}").replace("[\"a.one\"]", stages));
    assert_eq!(problems, [""; 0]);
    let catalogue = models.unwrap();
    let stages = &catalogue.chain("main").unwrap().stages;
    let read: Vec<Vec<(Option<&str>, u32)>> = stages
        .iter()
        .map(|stage| {
            let targets = stage.targets.iter();
            targets.map(|one| (one.target.region.as_ref().map(Region::as_str), one.weight)).collect()
        })
        .collect();
    assert_eq!(read, [vec![(None, 1), (Some("eu-west-1"), 1000)], vec![(Some("eu-west-2"), 1)]]);
    assert_eq!(catalogue.regions(), [Region::new("eu-west-1"), Region::new("eu-west-2")]);
}

#[test]
fn every_slip_of_a_stage_is_told_and_a_sound_neighbour_is_left_alone() {
    let stages = "[[5, { model = \"a.one\", region = \"X\", weight = 0 }], \"a.one\", [\"a.two\"]]";
    let keys: Vec<String> = problems_with("[\"a.one\"]", stages)
        .iter()
        .map(|line| line.split(": ").next().unwrap().to_owned())
        .collect();
    assert_eq!(
        keys,
        [
            "chains.main.stages[0][0]",
            "chains.main.stages[0][1].region",
            "chains.main.stages[0][1].weight",
            "chains.main.stages[2][0]"
        ]
    );
}

#[test]
fn an_id_that_is_none_is_told_where_it_is_written_and_where_it_is_missed() {
    assert_eq!(
        problems_with("id = \"a.one\"", "id = \"a one\""),
        [
            "model[0].id: expected a model id, profile id or ARN, found \"a one\" (model a one)",
            "chains.main.stages[0]: no [[model]] has the id a.one, did you mean a one?",
        ]
    );
}

#[test]
fn two_entries_of_one_id_are_a_problem_of_the_second() {
    let (_, problems) = try_read(&format!("{MODEL}{MODEL}{REST}"));
    assert_eq!(problems, ["model[1].id: a.one has an entry already"]);
}

#[test]
fn all_slips_of_a_file_are_told_at_once_and_none_twice() {
    let text = format!("{MODEL}{REST}")
        .replace("= 1000", "= -1")
        .replace("expand = \"main\"", "expand = \"other\"")
        .replace("speed = \"main\"", "speed = 5");
    let keys: Vec<String> =
        try_read(&text).1.iter().map(|line| line.split(':').next().unwrap().into()).collect();
    assert_eq!(keys, ["model[0].context_tokens", "tasks.expand", "preference.speed"]);
}

#[test]
fn models_near_or_past_their_end_are_warned_about_when_a_chain_names_them() {
    let entry = format!("{MODEL}end_of_life = 2027-01-08\n");
    let models = try_read(&format!("{entry}{REST}")).0.unwrap();
    let on = |year, month, day| warnings::of_models(&models, None, CalendarDate::new(year, month, day));
    assert_eq!(on(2026, 11, 8), [""; 0]);
    assert_eq!(on(2026, 11, 9), ["a.one in chain main reaches its end of life in 60 days, on 2027-01-08"]);
    assert_eq!(on(2027, 1, 7), ["a.one in chain main reaches its end of life in 1 day, on 2027-01-08"]);
    assert_eq!(
        on(2027, 1, 8),
        ["a.one in chain main reached its end of life on 2027-01-08: calls of it fail"]
    );
    let unused =
        format!("{entry}{}{REST}", MODEL.replace("a.one", "a.two")).replace("[\"a.one\"]", "[\"a.two\"]");
    let models = try_read(&unused).0.unwrap();
    assert_eq!(warnings::of_models(&models, None, CalendarDate::new(2028, 1, 1)), [""; 0]);
}

#[test]
fn a_profile_of_another_part_of_the_world_is_warned_about() {
    let today = CalendarDate::new(2026, 11, 20);
    let warned = |id: &str, stage: &str, region: &str| {
        let text = format!("{MODEL}{REST}").replace("[\"a.one\"]", stage).replace("a.one", id);
        let models = try_read(&text).0.unwrap();
        !warnings::of_models(&models, Some(&Region::new(region)), today).is_empty()
    };
    let plain = "[\"a.one\"]";
    assert!(warned("us.x.y", plain, "eu-central-1"));
    assert!(warned("us.x.y", plain, "us-gov-west-1"));
    assert!(warned("us-gov.x.y", plain, "us-east-1"));
    assert!(!warned("us-gov.x.y", plain, "us-gov-west-1"));
    assert!(warned("in.x.y", plain, "eu-west-1"));
    let arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/x";
    assert!(!warned(arn, plain, "us-east-1"));
    assert!(warned(arn, plain, "us-west-2"));
    assert!(!warned("us.x.y", plain, "us-east-1"));
    assert!(!warned("global.x.y", plain, "eu-central-1"));
    assert!(!warned("x.y", plain, "eu-central-1"));
    assert!(!warned("us.x.y", "[{ model = \"a.one\", region = \"us-east-1\" }]", "eu-central-1"));
    assert!(warned("us.x.y", "[{ model = \"a.one\", region = \"eu-west-1\" }]", "us-east-1"));
}

#[test]
fn a_target_that_is_another_one_under_its_full_name_is_warned_about() {
    let stages = "[\"a.one\", { model = \"a.one\", region = \"eu-west-1\" }]";
    let models = try_read(&format!("{MODEL}{REST}").replace("[\"a.one\"]", stages)).0.unwrap();
    let today = CalendarDate::new(2026, 11, 20);
    let warnings = |region: &str| warnings::of_models(&models, Some(&Region::new(region)), today);
    assert_eq!(
        warnings("eu-west-1"),
        ["a.one stands in chain main with region eu-west-1 and without a region, which is the same region"]
    );
    assert_eq!(warnings("us-east-1"), [""; 0]);
}

#[test]
fn a_model_with_regions_is_warned_about_outside_of_them_and_nowhere_else() {
    let entry = format!("{MODEL}regions = [\"eu-west-1\", \"eu-west-3\"]\n").replace("a.one", "us.x.y");
    let rest = REST.replace("[\"a.one\"]", "[\"us.x.y\", { model = \"us.x.y\", region = \"eu-west-2\" }]");
    let models = try_read(&format!("{entry}{rest}")).0.unwrap();
    let today = CalendarDate::new(2026, 11, 20);
    assert_eq!(
        warnings::of_models(&models, Some(&Region::new("eu-west-1")), today),
        ["us.x.y in chain main cannot be called from region eu-west-2: it is not among the model's regions"]
    );
}
