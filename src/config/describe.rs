//! The report of `redraft check-config`: what is in effect and where it comes from.
//!
//! The settings are printed as TOML, so that they can be pasted into a file; what
//! is not a setting stands in comments. The one rule: no secret is printed.

use std::fmt::{self, Write as _};

use super::{Config, Loaded};
use crate::domain::{Guardrail, Prices, ServiceTier, TaskName, UsdPerMillionTokens};
use crate::inference::bedrock::CredentialsSource;
use crate::routing::{Catalogue, Chain, Target, WeightedTarget};

/// Everything that is in effect, as text for people that is also TOML.
pub fn describe(loaded: &Loaded) -> String {
    let mut text = String::new();
    write_all(&mut text, loaded).expect("writing to a string does not fail");
    text
}

fn write_all(text: &mut String, loaded: &Loaded) -> fmt::Result {
    let mut section = "";
    for setting in &loaded.settings {
        let its_section = setting.key.split('.').next().unwrap_or_default();
        if !section.is_empty() && section != its_section {
            text.push('\n');
        }
        section = its_section;
        writeln!(text, "{} = {}  # {}", setting.key, setting.value, setting.origin)?;
    }
    writeln!(text, "\n# sign-in")?;
    writeln!(text, "#   {}", credentials(loaded.config.bedrock.credentials))?;
    writeln!(text, "#   AWS_PROFILE: {}", loaded.profile.as_deref().unwrap_or("not set"))?;
    writeln!(text, "\n# chains")?;
    for chain in loaded.config.catalogue.chains.values() {
        write_chain(text, chain, loaded)?;
    }
    write_guardrails(text, &loaded.config.catalogue)?;
    write_own_tasks(text, &loaded.config)?;
    if !loaded.warnings.is_empty() {
        writeln!(text, "\n# warnings")?;
        for warning in &loaded.warnings {
            writeln!(text, "#   {warning}")?;
        }
    }
    Ok(())
}

fn credentials(source: CredentialsSource) -> &'static str {
    match source {
        CredentialsSource::BearerToken => "AWS_BEARER_TOKEN_BEDROCK: set",
        CredentialsSource::DefaultChain => {
            "AWS_BEARER_TOKEN_BEDROCK: not set, so the AWS default chain signs in"
        }
        CredentialsSource::Simulator => "none: the demo's simulator checks no signature",
    }
}

fn write_chain(text: &mut String, chain: &Chain, loaded: &Loaded) -> fmt::Result {
    let uses = uses(&chain.name, &loaded.config.catalogue);
    let uses = if uses.is_empty() { "requests that name it".to_owned() } else { uses.join(", ") };
    write!(text, "#   {}: {uses}", chain.name)?;
    if let Some(guardrail) = &chain.guardrail {
        write!(text, ", watched by guardrail {}", guardrail.name)?;
    }
    text.push('\n');
    for (index, stage) in chain.stages.iter().enumerate() {
        for WeightedTarget { target, weight } in &stage.targets {
            write!(text, "#     {}. ", index + 1)?;
            write_target(text, target)?;
            if stage.targets.len() > 1 {
                write!(text, ", weight {weight}")?;
            }
            if let Some(end) = &target.model.end_of_life {
                write!(text, ", until {end}")?;
            }
            text.push('\n');
        }
    }
    Ok(())
}

/// The guardrails in use, each once, and the tasks that have one of their own.
fn write_guardrails(text: &mut String, catalogue: &Catalogue) -> fmt::Result {
    let mut known: Vec<&Guardrail> = Vec::new();
    for guardrail in catalogue.guardrails() {
        if known.iter().any(|other| other.name == guardrail.name) {
            continue;
        }
        if known.is_empty() {
            writeln!(text, "\n# guardrails")?;
        }
        known.push(guardrail);
        let Guardrail { name, id, version, stream, on_block, trace } = &**guardrail;
        let (stream, on_block) = (stream.as_str(), on_block.as_str());
        write!(text, "#   {name}: {id} version {version}, stream {stream}, on_block {on_block}")?;
        text.write_str(if *trace { ", with trace" } else { "" })?;
        let has_it = |task: &&TaskName| {
            catalogue.task_guardrails.get(*task).is_some_and(|of_task| of_task.name == *name)
        };
        let tasks: Vec<&str> = catalogue.tasks().filter(has_it).map(TaskName::as_str).collect();
        if !tasks.is_empty() {
            write!(text, ", for every {}", tasks.join(" and "))?;
        }
        text.push('\n');
    }
    Ok(())
}

/// Tasks from files, with the chain that each goes by.
fn write_own_tasks(text: &mut String, config: &Config) -> fmt::Result {
    writeln!(text, "\n# tasks from files")?;
    if config.own_tasks.is_empty() {
        writeln!(text, "#   none")?;
    }
    for (name, task) in config.own_tasks.iter() {
        let chain = &config.catalogue.task_chain(name).name;
        writeln!(text, "#   {name} ({chain}): {}", task.description())?;
    }
    Ok(())
}

fn write_target(text: &mut String, target: &Target) -> fmt::Result {
    let model = &target.model;
    write!(text, "{} ({}", model.id, model.name)?;
    if let Some(region) = &target.region {
        write!(text, ", in {region}")?;
    }
    write!(text, "): {} tokens, answers up to {}, ", model.context_tokens, model.max_output_tokens)?;
    match &model.prices {
        Some(prices) => write_prices(text, prices)?,
        None => text.write_str("price unknown")?,
    }
    if model.terms.service_tier != ServiceTier::Default {
        write!(text, ", on tier {}", model.terms.service_tier.as_str())?;
    }
    text.write_str(if model.terms.optimized_latency { ", with optimized latency" } else { "" })
}

fn write_prices(text: &mut String, prices: &Prices) -> fmt::Result {
    write!(text, "USD per million tokens: {} in, {} out", prices.input.usd(), prices.output.usd())?;
    let mut write_cache = |price: Option<UsdPerMillionTokens>, what| match price {
        Some(price) => write!(text, ", {} {what}", price.usd()),
        None => Ok(()),
    };
    write_cache(prices.cache_read, "cache read")?;
    write_cache(prices.cache_write, "cache write")
}

/// Who uses a chain when the request names none.
fn uses(chain: &str, catalogue: &Catalogue) -> Vec<String> {
    let tasks = catalogue.tasks().filter(|task| *catalogue.task_chain(task).name == *chain);
    let mut uses: Vec<String> = tasks.map(|task| task.to_string()).collect();
    for (preference, name) in [("speed", &catalogue.speed_chain), ("capability", &catalogue.capability_chain)]
    {
        if **name == *chain {
            uses.push(format!("preference {preference}"));
        }
    }
    uses
}

#[cfg(test)]
mod tests {
    use super::describe;
    use crate::config::{CalendarDate, Environment, RunMode, Sources, load_on};

    fn described(variables: &[(&str, &str)], mode: RunMode) -> String {
        let environment: Environment = variables.iter().copied().collect();
        let sources = Sources { mode, file: None, listen: Some("127.0.0.1:0".into()), environment };
        let loaded = load_on(&sources, CalendarDate::new(2026, 11, 20));
        describe(&loaded.unwrap_or_else(|problems| panic!("{problems}")))
    }

    #[test]
    fn settings_are_told_with_their_origin_and_can_be_pasted_into_a_file() {
        let text = described(&[("REDRAFT__LOG__LEVEL", "warn"), ("AWS_PROFILE", "dev")], RunMode::Serve);
        for line in [
            "http.listen = \"127.0.0.1:0\"  # flag --listen",
            "http.heartbeat_ms = 10000  # default",
            "log.level = \"warn\"  # environment REDRAFT__LOG__LEVEL",
            "#   AWS_BEARER_TOKEN_BEDROCK: not set, so the AWS default chain signs in",
            "#   AWS_PROFILE: dev",
        ] {
            assert!(text.lines().any(|told| told == line), "{line} is not in\n{text}");
        }
        let pasted: toml::Table = text.parse().unwrap();
        assert_eq!(pasted["http"]["listen"].as_str(), Some("127.0.0.1:0"));
        assert_eq!(pasted.len(), 16);
    }

    #[test]
    fn chains_are_told_with_their_users_models_prices_and_warnings() {
        let text = described(&[("AWS_REGION", "eu-central-1")], RunMode::Serve);
        for part in [
            "#   default: summarize, rephrase, expand, blog-post, product-description, social-posts, refine, extract-action-items, translate\n#     1. us.amazon.nova-2-lite-v1:0 (Amazon Nova 2 Lite): 1000000 tokens, answers up to 64000, USD per million tokens: 0.33 in, 2.75 out, 0.0825 cache read, 0.33 cache write\n#     2. ",
            "#   speed: preference speed\n",
            "#   capability: preference capability\n",
            "# warnings\n#   us.amazon.nova-2-lite-v1:0 in chain default is a us. profile, which region eu-central-1 cannot call: use the profile of your part of the world\n",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(!described(&[], RunMode::Serve).contains("# warnings"));
    }

    #[test]
    fn tasks_from_files_are_told_with_their_chain() {
        let text = described(&[], RunMode::Serve);
        let built_in = "\n# tasks from files\n#   extract-action-items (default): ";
        assert!(text.contains(built_in) && text.contains("\n#   translate (default): Translates"), "{text}");
        let empty = std::env::temp_dir().join(format!("redraft-no-tasks-{}", std::process::id()));
        std::fs::create_dir_all(&empty).unwrap();
        let folder = ("REDRAFT__TASKS__FOLDER", empty.to_str().unwrap());
        let text = described(&[folder], RunMode::Serve);
        std::fs::remove_dir(&empty).unwrap();
        assert!(text.contains("\n# tasks from files\n#   none\n"), "{text}");
    }

    #[test]
    fn guardrails_and_terms_are_told_with_whom_they_watch() {
        let models = ("REDRAFT__MODELS__FILE", "tests/fixtures/guarded.toml");
        let text = described(&[models], RunMode::Serve);
        for part in [
            "\n# guardrails\n",
            "#   refusing: gr1refuses version 3, stream sync, on_block refuse\n",
            "#   answering: gr2answers version DRAFT, stream sync, on_block answer, with trace, for every rephrase and refine\n",
            "#   guarded: summarize, watched by guardrail refusing\n",
            "0.2 cache read, on tier flex\n",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(!described(&[], RunMode::Serve).contains("# guardrails"));
    }

    #[test]
    fn no_secret_is_told() {
        let variables = [
            ("AWS_BEARER_TOKEN_BEDROCK", "hush-token"),
            ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "https://hush-user:hush-password@example.com"),
            ("AWS_SECRET_ACCESS_KEY", "hush-key"),
        ];
        let text = described(&variables, RunMode::Serve);
        assert!(!text.contains("hush"), "{text}");
        assert!(text.contains("AWS_BEARER_TOKEN_BEDROCK: set\n"));
        assert!(text.contains("bedrock.endpoint_url = \"https://***@example.com\"  # environment AWS_ENDPOINT_URL_BEDROCK_RUNTIME"));
        assert!(text.contains("the user name and password in bedrock.endpoint_url are not used"));
        assert!(
            described(&variables, RunMode::Demo).contains("none: the demo's simulator checks no signature")
        );
    }
}
