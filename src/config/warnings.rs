//! What works but deserves a look: models near their end, models that cannot be
//! called from where they would be, a target that stands twice in a chain under two names, an
//! endpoint that is not used as written.
//!
//! A warning never stops the service. Only models that some chain names are
//! looked at.

use std::collections::BTreeSet;

use super::RunMode;
use super::layers::Layers;
use crate::domain::{CalendarDate, Geography, ModelId, ModelKind, Region};
use crate::routing::{Catalogue, Chain, Model, Target};

/// A model this near to its end is worth a word.
const NOTICE_DAYS: i64 = 60;

/// Models that are gone or soon gone, and profiles that the region cannot call.
pub(super) fn of_models(catalogue: &Catalogue, region: Option<&Region>, today: CalendarDate) -> Vec<String> {
    let mut warnings = BTreeSet::new();
    warnings.extend(of_unused_guardrails(catalogue));
    for chain in catalogue.chains.values() {
        warnings.extend(of_guardrail(catalogue, chain, region));
        warnings.extend(of_detours(catalogue, chain));
        warnings.extend(region.into_iter().flat_map(|region| of_repetition(chain, region)));
        for target in chain.targets() {
            let id = &target.model.id;
            if let Some(end) = target.model.end_of_life {
                warnings.extend(of_end(id, &chain.name, end, today));
            }
            if let Some(region) = target.region.as_ref().or(region) {
                warnings.extend(of_place(&target.model, &chain.name, region));
            }
        }
    }
    warnings.into_iter().collect()
}

/// Guardrails that are described and watch nothing.
fn of_unused_guardrails(catalogue: &Catalogue) -> impl Iterator<Item = String> {
    let unused = catalogue.unused_guardrails.iter();
    unused.map(|name| format!("guardrail {name} watches nothing: no chain and no task names it"))
}

/// A guardrail of a chain that a request can pass by: it may ask for another chain.
fn of_detours(catalogue: &Catalogue, chain: &Chain) -> Option<String> {
    let guardrail = chain.guardrail.as_ref()?;
    let every_task = catalogue.tasks().all(|task| catalogue.task_guardrails.contains_key(task));
    let others = catalogue.chains.values().filter(|other| other.guardrail.is_none());
    let others: Vec<&str> = others.map(|other| &*other.name).collect();
    (!every_task && !others.is_empty()).then(|| {
        format!(
            "guardrail {} watches chain {} alone: a request may ask for {}, unless its task has a guardrail",
            guardrail.name,
            chain.name,
            others.join(" or ")
        )
    })
}

/// Targets that a guardrail cannot watch, because it is of another region.
fn of_guardrail(catalogue: &Catalogue, chain: &Chain, home: Option<&Region>) -> Vec<String> {
    let watching = chain.guardrail.iter().chain(catalogue.task_guardrails.values());
    let mut warnings = Vec::new();
    for guardrail in watching {
        let (name, chain_name) = (&guardrail.name, &chain.name);
        let regions: BTreeSet<Option<&Region>> =
            chain.targets().map(|target| target.region.as_ref().or(home)).collect();
        let of_arn = guardrail.id.starts_with("arn:").then(|| guardrail.id.split(':').nth(3)).flatten();
        match of_arn {
            Some(own) => {
                let others = regions.into_iter().flatten().filter(|region| region.as_str() != own);
                warnings.extend(others.map(|region| {
                    format!("guardrail {name} is of region {own}: it cannot watch targets of chain {chain_name} in {region}")
                }));
            }
            None if regions.len() > 1 => warnings.push(format!(
                "chain {chain_name} has targets in several regions: guardrail {name} must exist in each under the same id"
            )),
            None => {}
        }
    }
    warnings
}

/// What an endpoint URL holds that nobody will use.
pub(super) fn of_endpoint(layers: &Layers, mode: RunMode) -> Option<String> {
    let setting = layers.setting("bedrock.endpoint_url");
    let url = setting.value.as_str().filter(|url| !url.is_empty())?;
    if mode.is_demo() {
        let origin = &setting.origin;
        return Some(format!(
            "bedrock.endpoint_url ({origin}) is not used: the demo calls its own simulator"
        ));
    }
    url.contains('@').then(|| {
        "the user name and password in bedrock.endpoint_url are not used: calls are signed with AWS credentials"
            .to_owned()
    })
}

fn of_end(id: &ModelId, chain: &str, end: CalendarDate, today: CalendarDate) -> Option<String> {
    match end.days_since(today) {
        days if days > NOTICE_DAYS => None,
        1 => Some(format!("{id} in chain {chain} reaches its end of life in 1 day, on {end}")),
        days if days > 0 => {
            Some(format!("{id} in chain {chain} reaches its end of life in {days} days, on {end}"))
        }
        _ => Some(format!("{id} in chain {chain} reached its end of life on {end}: calls of it fail")),
    }
}

/// A target without a region is in the service's own: the same target under another name.
fn of_repetition(chain: &Chain, region: &Region) -> impl Iterator<Item = String> {
    let unnamed = chain.targets().filter(|target| target.region.is_none());
    unnamed.filter_map(move |target| {
        let is_same =
            |other: &Target| other.region.as_ref() == Some(region) && other.model.id == target.model.id;
        let (id, name) = (&target.model.id, &chain.name);
        chain.targets().any(is_same).then(|| {
            format!("{id} stands in chain {name} with region {region} and without a region, which is the same region")
        })
    })
}

/// A model that cannot be called from where it would be.
fn of_place(model: &Model, chain: &str, region: &Region) -> Option<String> {
    let id = &model.id;
    if let Some(its_own) = id.arn_region().filter(|its_own| its_own != region) {
        return Some(format!(
            "{id} in chain {chain} is an ARN of region {its_own}, which region {region} cannot call"
        ));
    }
    if !model.regions.is_empty() {
        let is_there = model.regions.contains(region);
        return (!is_there).then(|| {
            format!("{id} in chain {chain} cannot be called from region {region}: it is not among the model's regions")
        });
    }
    let ModelKind::Profile(geography) = id.kind() else { return None };
    cannot_call(geography, region.as_str()).then(|| {
        let geography = geography.as_str();
        format!("{id} in chain {chain} is a {geography}. profile, which region {region} cannot call: use the profile of your part of the world")
    })
}

/// Whether the region is surely in another part of the world.
fn cannot_call(geography: Geography, region: &str) -> bool {
    let is_in = |starts: &[&str]| starts.iter().any(|start| region.starts_with(start));
    match geography {
        Geography::Us => is_in(&["us-gov-", "eu-", "ap-", "sa-", "me-", "af-", "cn-"]),
        Geography::UsGov => !is_in(&["us-gov-"]),
        Geography::Eu => is_in(&["us-", "ap-", "ca-", "sa-", "cn-"]),
        Geography::Apac | Geography::Jp | Geography::Au | Geography::In => {
            is_in(&["us-", "eu-", "ca-", "sa-", "cn-"])
        }
        Geography::Ca => is_in(&["us-", "eu-", "ap-", "sa-", "me-", "af-", "cn-"]),
        Geography::Sa => is_in(&["us-", "eu-", "ap-", "ca-", "me-", "af-", "cn-"]),
        Geography::Global => is_in(&["us-gov-", "cn-"]),
    }
}
