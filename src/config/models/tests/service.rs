//! What a model is, and on which terms it is called: every key, and every slip.

use super::{MODEL, REST, model_of, problems_of, problems_with, try_read};
use crate::domain::{BaseModel, Family, Region, ServiceTier};
use crate::inference::{Api, NativeFormat, StructuredOutput};

const ACCOUNT: &str = "arn:aws:bedrock:us-east-1:123456789012";

#[test]
fn every_key_of_service_arrives() {
    let model = model_of(
        "amazon.nova-pro-v1:0",
        "service_tiers = { flex = 0.5, priority = 1.75 }\nservice_tier = \"flex\"\noptimized_latency_price_factor = 1.25\nlatency = \"optimized\"\ninput_tokens_include_cached = true\nstructured_output = \"json_schema\"\nstreams = false\naccepts_guardrail = false\ncache_min_tokens = 1024\nregions = [\"us-east-1\", \"us-west-2\"]\nusd_per_million_input = 1\nusd_per_million_output = 2",
    );
    let terms = &model.terms;
    assert_eq!(
        (terms.api, terms.accepts_system, terms.service_tier),
        (Api::Converse, true, ServiceTier::Flex)
    );
    assert_eq!((terms.optimized_latency, terms.input_tokens_include_cached), (true, true));
    assert_eq!(terms.structured_output, Some(StructuredOutput::JsonSchema));
    assert_eq!((model.streams, model.accepts_guardrail, model.cache_min_tokens), (false, false, Some(1024)));
    let factors = model.prices.unwrap().factors;
    assert_eq!(
        (factors.flex, factors.priority, factors.optimized_latency),
        (Some(0.5), Some(1.75), Some(1.25))
    );
    assert_eq!(model.regions, [Region::new("us-east-1"), Region::new("us-west-2")]);
}

#[test]
fn the_base_model_is_read_off_the_id_or_given_where_the_id_is_silent() {
    let silent = format!("{ACCOUNT}:application-inference-profile/a1b2c3d4e5f6");
    let claude = "base_model = \"anthropic.claude-sonnet-4-6\"";
    for (id, lines, base, family) in [
        ("us.amazon.nova-lite-v1:0", "", Some("amazon.nova-lite-v1:0"), Family::Nova),
        (&silent, "", None, Family::Other),
        (&silent, claude, Some("anthropic.claude-sonnet-4-6"), Family::Claude),
        ("anthropic.claude-sonnet-4-6", claude, Some("anthropic.claude-sonnet-4-6"), Family::Claude),
    ] {
        let model = model_of(id, lines);
        assert_eq!(
            (model.base.as_ref().map(BaseModel::as_str), model.family()),
            (base, family),
            "{id} {lines}"
        );
    }
}

#[test]
fn tokens_are_counted_by_the_base_of_a_claude_and_by_nothing_else() {
    let silent = format!("{ACCOUNT}:application-inference-profile/claude.x");
    let profile = format!("{ACCOUNT}:inference-profile/us.anthropic.claude-sonnet-4-6");
    let claude = Some("anthropic.claude-sonnet-4-6");
    for (id, lines, count_as) in [
        ("us.anthropic.claude-sonnet-4-6", "", claude),
        ("anthropic.claude-sonnet-4-6", "", claude),
        (&profile, "", claude),
        ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-6", "", claude),
        (&silent, "base_model = \"anthropic.claude-sonnet-4-6\"", claude),
        (&silent, "", None),
        (&silent, "base_model = \"amazon.nova-lite-v1:0\"", None),
        ("us.amazon.nova-lite-v1:0", "", None),
        ("openai.gpt-oss-120b-1:0", "", None),
    ] {
        let model = model_of(id, lines);
        assert_eq!(model.terms.count_as.as_ref().map(BaseModel::as_str), count_as, "{id} {lines}");
    }
}

#[test]
fn the_native_body_follows_from_the_base_model_unless_it_is_given() {
    let imported = format!("{ACCOUNT}:imported-model/a1b2c3d4e5f6");
    let provisioned = format!("{ACCOUNT}:provisioned-model/a1b2c3d4e5f6");
    for (id, lines, format, system) in [
        ("us.anthropic.claude-sonnet-4-6", "", NativeFormat::AnthropicMessages, true),
        ("mistral.mistral-7b-instruct-v0:2", "", NativeFormat::Mistral, false),
        ("amazon.nova-lite-v1:0", "native_format = \"openai\"", NativeFormat::OpenAi, true),
        (&imported, "native_format = \"openai\"", NativeFormat::OpenAi, true),
        (&imported, "base_model = \"meta.llama3-8b-instruct-v1:0\"", NativeFormat::MetaLlama3, true),
        (&provisioned, "base_model = \"amazon.titan-text-lite-v1\"", NativeFormat::AmazonTitanText, false),
    ] {
        let model = model_of(id, &format!("api = \"invoke\"\n{lines}"));
        assert_eq!(model.terms.api, Api::Invoke(format), "{id} {lines}");
        assert_eq!(model.terms.accepts_system, system, "{id}: what the format has a place for");
    }
}

#[test]
fn a_body_without_pieces_is_never_streamed() {
    let model = model_of("ai21.j2-mid-v1", "api = \"invoke\"");
    assert!(!model.streams && model.terms.api == Api::Invoke(NativeFormat::Ai21Jurassic));
}

#[test]
fn each_slip_of_service_is_told_at_its_key() {
    let formats = "anthropic_messages, anthropic_text, amazon_nova, amazon_titan_text, meta_llama2, meta_llama3, meta_llama4, mistral, cohere_command, cohere_command_r, ai21_jurassic, ai21_jamba, deepseek, openai";
    let factor = "a number from 0.01 to 100";
    for (lines, told) in [
        ("api = \"chat\"", "api: expected \"converse\" or \"invoke\", found \"chat\""),
        (
            "api = \"invoke\"",
            &format!(
                "native_format: is missing, expected one of {formats}, since api = \"invoke\" and neither the id nor base_model tells"
            ),
        ),
        (
            "api = \"invoke\"\nnative_format = \"own\"",
            &format!("native_format: expected one of {formats}, found \"own\""),
        ),
        ("native_format = \"openai\"", "native_format: is for api = \"invoke\" only"),
        (
            "api = \"invoke\"\nnative_format = \"mistral\"\naccepts_system = true",
            "accepts_system: mistral has no place for rules: they lead the user's text",
        ),
        (
            "api = \"invoke\"\nnative_format = \"openai\"\nstructured_output = \"tool\"",
            "structured_output: needs api = \"converse\"",
        ),
        (
            "api = \"invoke\"\nnative_format = \"openai\"\ncache_min_tokens = 1024",
            "cache_min_tokens: needs api = \"converse\" and accepts_system = true: what is remembered are the rules",
        ),
        (
            "api = \"invoke\"\nnative_format = \"ai21_jurassic\"\nstreams = true",
            "streams: the model's native format knows no pieces",
        ),
        (
            "structured_output = \"yaml\"",
            "structured_output: expected \"json_schema\" or \"tool\", found \"yaml\"",
        ),
        ("streams = 1", "streams: expected true or false, found 1"),
        ("accepts_guardrail = \"no\"", "accepts_guardrail: expected true or false, found \"no\""),
        ("input_tokens_include_cached = 0", "input_tokens_include_cached: expected true or false, found 0"),
        (
            "cache_min_tokens = 0",
            "cache_min_tokens: expected a whole number of tokens from 1 to 100000000, found 0",
        ),
        ("service_tier = \"flex\"", "service_tier: flex is not among the model's service_tiers"),
        (
            "service_tier = \"fast\"",
            "service_tier: expected \"default\", \"priority\", \"flex\" or \"reserved\", found \"fast\"",
        ),
        (
            "service_tiers = { batch = 0.5 }",
            "service_tiers: batch is no tier with a price of its own, known are priority, flex",
        ),
        ("service_tiers = { flex = 0 }", &format!("service_tiers: expected {factor} for flex, found 0")),
        (
            "service_tiers = [\"flex\"]",
            "service_tiers: expected a table of tiers and what they do to the price, such as { flex = 0.5, priority = 1.75 }, found [\"flex\"]",
        ),
        (
            "latency = \"optimized\"",
            "latency: optimized needs optimized_latency_price_factor: the model is not known to offer it",
        ),
        ("latency = \"low\"", "latency: expected \"standard\" or \"optimized\", found \"low\""),
        (
            "optimized_latency_price_factor = 101",
            &format!("optimized_latency_price_factor: expected {factor}, found 101"),
        ),
        (
            "base_model = \"us.anthropic.claude-sonnet-4-6\"",
            "base_model: expected the id of a foundation model such as anthropic.claude-sonnet-4-6, found \"us.anthropic.claude-sonnet-4-6\"",
        ),
        ("base_model = \"a.two\"", "base_model: contradicts the id, which is of a.one: leave it out"),
        ("regions = []", "regions: expected a list of regions such as [\"eu-west-1\"], not empty, found []"),
        (
            "regions = [\"Ireland\"]",
            "regions: expected a list of regions such as [\"eu-west-1\"], not empty, found [\"Ireland\"]",
        ),
    ] {
        assert_eq!(problems_of(lines), [format!("model[0].{told} (model a.one)")]);
    }
}

#[test]
fn a_sound_tier_needs_no_factor_where_it_has_no_price_of_its_own() {
    for lines in ["service_tier = \"default\"", "service_tier = \"reserved\"", "latency = \"standard\""] {
        assert_eq!(problems_of(lines), [""; 0], "{lines}");
    }
}

/// The problems of the only model when it has that id and these lines more.
fn problems_of_id(id: &str, lines: &str) -> Vec<String> {
    try_read(&format!("{MODEL}{lines}\n{REST}").replace("a.one", id)).1
}

#[test]
fn an_arn_is_called_only_as_its_kind_can_be() {
    let imported = format!("{ACCOUNT}:imported-model/a1b2c3d4e5f6");
    let needs = "an imported model needs api = \"invoke\": Converse does not take it";
    for lines in ["", "api = \"converse\""] {
        assert_eq!(problems_of_id(&imported, lines), [format!("model[0].api: {needs} (model {imported})")]);
    }
    let invoked = "api = \"invoke\"\nnative_format = \"openai\"";
    let needs = "a prompt of prompt management cannot be a model here: Bedrock takes no rules beside it";
    let prompt = format!("{ACCOUNT}:prompt/PROMPT1234");
    for lines in ["", invoked] {
        assert_eq!(problems_of_id(&prompt, lines), [format!("model[0].api: {needs} (model {prompt})")]);
    }
    let needs = "a prompt router needs api = \"converse\": it has no body of its own";
    for kind in ["prompt-router/x", "default-prompt-router/x"] {
        let arn = format!("{ACCOUNT}:{kind}");
        assert_eq!(problems_of_id(&arn, invoked), [format!("model[0].api: {needs} (model {arn})")]);
        assert_eq!(problems_of_id(&arn, ""), [""; 0]);
    }
    for kind in ["imported-model", "provisioned-model", "custom-model-deployment"] {
        let arn = format!("{ACCOUNT}:{kind}/a1b2c3d4e5f6");
        let told = problems_of_id(&arn, "api = \"invoke\"");
        assert!(told.len() == 1 && told[0].starts_with("model[0].native_format: is missing"), "{told:?}");
    }
    let guardrail = format!("{ACCOUNT}:guardrail/gr7abc");
    assert_eq!(
        problems_of_id(&guardrail, ""),
        [format!("model[0].id: is an ARN of nothing that can be asked for text (model {guardrail})")]
    );
}

#[test]
fn an_unknown_key_is_told_with_the_nearest_one() {
    assert_eq!(
        problems_with("= true\n", "= true\nservice_teir = \"flex\"\n"),
        ["model[0].service_teir: unknown key, did you mean service_tier? (model a.one)"]
    );
}
