//! The catalogue held against what the account is offered: what each model would
//! meet in each region from which it is called.
//!
//! The one rule: only what makes every call fail says that a model cannot be called;
//! the rest is a hint to correct the catalogue.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

use crate::domain::{ArnKind, BaseModel, CalendarDate, ModelId, ModelKind, Region};
use crate::inference::bedrock::BedrockSettings;
use crate::inference::bedrock::account::{self, OfferedModel, Offers};
use crate::routing::{Catalogue, Model};

/// What the account says of a model in a region.
#[derive(Debug, PartialEq)]
pub(super) struct Verdict {
    model: ModelId,
    region: Region,
    /// Chains that call it there.
    chains: Vec<String>,
    /// Nothing: all is well.
    findings: Vec<Finding>,
}

#[derive(Debug, Clone, PartialEq)]
enum Finding {
    NotOffered,
    /// Profiles through which it can be called there.
    NeedsProfile(Vec<String>),
    ProvisionedOnly,
    ProfileInactive,
    Ended(CalendarDate),
    Legacy(Option<CalendarDate>),
    /// Whether it streams there.
    Streaming(bool),
    End {
        there: CalendarDate,
        here: Option<CalendarDate>,
    },
    /// The profile leads elsewhere than `base_model` says.
    OtherModel(Vec<BaseModel>),
    /// Nothing lists such models.
    NotAsked(ArnKind),
}

/// Asks the account and compares.
pub(super) async fn of(catalogue: &Catalogue, settings: &BedrockSettings) -> Result<Vec<Verdict>, String> {
    let ids = catalogue.models.iter().map(|model| &model.id);
    let profiles = ids.filter(|id| id.kind() == ModelKind::Arn(ArnKind::ApplicationInferenceProfile));
    let profiles: Vec<ModelId> = profiles.cloned().collect();
    let account = account::ask(settings, &catalogue.regions(), &profiles).await?;
    Ok(verdicts(catalogue, &account.home, &account.offers, CalendarDate::today()))
}

fn verdicts(
    catalogue: &Catalogue,
    home: &Region,
    offers: &BTreeMap<Region, Offers>,
    today: CalendarDate,
) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for model in &catalogue.models {
        let mut callers: BTreeMap<&Region, Vec<String>> = BTreeMap::new();
        for chain in catalogue.chains.values() {
            for target in chain.targets().filter(|target| target.model.id == model.id) {
                let chains = callers.entry(target.region.as_ref().unwrap_or(home)).or_default();
                if chains.last().is_none_or(|last| *last != *chain.name) {
                    chains.push(chain.name.to_string());
                }
            }
        }
        if callers.is_empty() {
            callers.insert(home, Vec::new());
        }
        let of_region = |(region, chains): (&Region, Vec<String>)| Verdict {
            model: model.id.clone(),
            region: region.clone(),
            chains,
            findings: offers.get(region).map_or(vec![Finding::NotOffered], |it| findings(model, it, today)),
        };
        verdicts.extend(callers.into_iter().map(of_region));
    }
    verdicts
}

fn findings(model: &Model, offers: &Offers, today: CalendarDate) -> Vec<Finding> {
    let id = &model.id;
    // Of an ARN, what follows its kind.
    let name = id.as_str().split_once('/').map_or(id.as_str(), |(_, name)| name);
    match id.kind() {
        ModelKind::Foundation | ModelKind::Arn(ArnKind::FoundationModel) => {
            let Some(offered) = offers.models.get(name) else { return vec![Finding::NotOffered] };
            let mut findings = Vec::new();
            if !offered.on_demand {
                let profiles = profiles_of(offers, model.base.as_ref());
                findings.push(match profiles.is_empty() {
                    true => Finding::ProvisionedOnly,
                    false => Finding::NeedsProfile(profiles),
                });
            }
            findings.extend(of_lifecycle(model, offered, today));
            findings
        }
        ModelKind::Profile(_) | ModelKind::Arn(ArnKind::InferenceProfile) => {
            of_profile(model, name, offers, today)
        }
        ModelKind::Arn(ArnKind::ApplicationInferenceProfile) => of_profile(model, id.sent(), offers, today),
        ModelKind::Arn(kind) => vec![Finding::NotAsked(kind)],
    }
}

fn of_profile(model: &Model, profile: &str, offers: &Offers, today: CalendarDate) -> Vec<Finding> {
    let Some(profile) = offers.profiles.get(profile) else { return vec![Finding::NotOffered] };
    let mut findings = Vec::new();
    if !profile.is_active {
        findings.push(Finding::ProfileInactive);
    }
    if let Some(base) = &model.base
        && !profile.models.is_empty()
        && !profile.models.contains(base)
    {
        findings.push(Finding::OtherModel(profile.models.clone()));
    }
    let offered = profile.models.first().and_then(|base| offers.models.get(base.as_str()));
    findings.extend(offered.into_iter().flat_map(|offered| of_lifecycle(model, offered, today)));
    findings
}

fn profiles_of(offers: &Offers, base: Option<&BaseModel>) -> Vec<String> {
    let leads_to_it = |base: &BaseModel| {
        let profiles = offers.profiles.iter().filter(move |(_, profile)| profile.models.contains(base));
        profiles.map(|(id, _)| id.clone()).collect()
    };
    base.map(leads_to_it).unwrap_or_default()
}

fn of_lifecycle(model: &Model, offered: &OfferedModel, today: CalendarDate) -> Vec<Finding> {
    let mut findings = Vec::new();
    match offered.end_of_life {
        Some(end) if end <= today => findings.push(Finding::Ended(end)),
        _ if offered.is_legacy => findings.push(Finding::Legacy(offered.legacy_since)),
        _ => {}
    }
    if let Some(streams) = offered.streams.filter(|streams| *streams != model.streams) {
        findings.push(Finding::Streaming(streams));
    }
    if let Some(there) = offered.end_of_life.filter(|end| model.end_of_life != Some(*end)) {
        findings.push(Finding::End { there, here: model.end_of_life });
    }
    findings
}

impl Finding {
    /// Whether calls can be answered all the same; `None` when nobody knows.
    fn can_be_called(&self) -> Option<bool> {
        match self {
            Self::NotOffered
            | Self::NeedsProfile(_)
            | Self::ProvisionedOnly
            | Self::ProfileInactive
            | Self::Ended(_) => Some(false),
            Self::Legacy(_) | Self::Streaming(_) | Self::End { .. } | Self::OtherModel(_) => Some(true),
            Self::NotAsked(_) => None,
        }
    }
}

impl Verdict {
    fn can_be_called(&self) -> Option<bool> {
        let findings: Vec<Option<bool>> = self.findings.iter().map(Finding::can_be_called).collect();
        if findings.contains(&Some(false)) {
            return Some(false);
        }
        (!findings.contains(&None)).then_some(true)
    }

    pub(super) fn fails_a_chain(&self) -> bool {
        !self.chains.is_empty() && self.can_be_called() == Some(false)
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "model": self.model.as_str(),
            "region": self.region.as_str(),
            "chains": self.chains,
            "can_be_called": self.can_be_called(),
            "findings": self.findings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.model, self.region)?;
        match self.chains.as_slice() {
            [] => {}
            [one] => write!(f, " (chain {one})")?,
            several => write!(f, " (chains {})", several.join(", "))?,
        }
        if self.findings.is_empty() {
            return f.write_str(": ok");
        }
        let findings: Vec<String> = self.findings.iter().map(ToString::to_string).collect();
        write!(f, ": {}", findings.join("; "))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOffered => f.write_str("not offered in this region"),
            Self::NeedsProfile(profiles) => write!(f, "needs a profile: {}", profiles.join(", ")),
            Self::ProvisionedOnly => f.write_str("offered with provisioned throughput alone"),
            Self::ProfileInactive => f.write_str("its profile is not active"),
            Self::Ended(end) => write!(f, "reached its end of life on {end}"),
            Self::Legacy(Some(since)) => write!(f, "legacy since {since}"),
            Self::Legacy(None) => f.write_str("legacy"),
            Self::Streaming(true) => {
                f.write_str("streaming differs: it streams, and the catalogue says it does not")
            }
            Self::Streaming(false) => {
                f.write_str("streaming differs: it does not stream, and the catalogue says it does")
            }
            Self::End { there, here: Some(here) } => {
                write!(f, "end of life differs: {there}, and {here} in the catalogue")
            }
            Self::End { there, here: None } => {
                write!(f, "end of life differs: {there}, and none in the catalogue")
            }
            Self::OtherModel(models) => {
                let models: Vec<&str> = models.iter().map(BaseModel::as_str).collect();
                write!(f, "leads to {}, and not to base_model", models.join(", "))
            }
            Self::NotAsked(kind) => {
                write!(f, "not asked: only a call shows whether a {} answers", kind.as_str())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Finding, findings};
    use crate::domain::{ArnKind, BaseModel, CalendarDate};
    use crate::inference::bedrock::account::{OfferedModel, OfferedProfile, Offers};
    use crate::routing::Model;

    const TODAY: fn() -> CalendarDate = || CalendarDate::new(2026, 11, 27);
    const APPLICATION: &str =
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6";

    fn base(id: &str) -> BaseModel {
        BaseModel::parse(id).unwrap()
    }

    /// One model on demand, one that needs a profile, and profiles that lead to it.
    fn offers() -> Offers {
        let active = OfferedModel {
            is_legacy: false,
            legacy_since: None,
            end_of_life: None,
            streams: Some(true),
            on_demand: true,
        };
        let behind = OfferedModel { on_demand: false, ..active };
        let profile = OfferedProfile { is_active: true, models: vec![base("a.behind")] };
        let profiles = ["us.a.behind", "global.a.behind", APPLICATION];
        Offers {
            models: [("a.open", active), ("a.behind", behind)]
                .map(|(id, model)| (id.to_owned(), model))
                .into(),
            profiles: profiles.map(|id| (id.to_owned(), profile.clone())).into(),
        }
    }

    fn model(id: &str) -> Model {
        Model::sample(id, 1000, 100)
    }

    #[test]
    fn what_is_offered_as_it_is_called_has_no_findings() {
        let arns = [
            "arn:aws:bedrock:us-east-1::foundation-model/a.open",
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.a.behind",
            APPLICATION,
        ];
        for id in ["a.open", "us.a.behind", "global.a.behind"].into_iter().chain(arns) {
            assert_eq!(findings(&model(id), &offers(), TODAY()), [], "{id}");
        }
    }

    #[test]
    fn a_model_that_cannot_be_called_says_why() {
        for (id, finding) in [
            ("a.gone", Finding::NotOffered),
            ("eu.a.behind", Finding::NotOffered),
            ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/x", Finding::NotOffered),
        ] {
            let found = findings(&model(id), &offers(), TODAY());
            assert_eq!(found, [finding], "{id}");
            assert_eq!(found[0].can_be_called(), Some(false));
        }
        // In the order of their ids.
        let profiles = [APPLICATION, "global.a.behind", "us.a.behind"].map(str::to_owned).to_vec();
        let needs = Finding::NeedsProfile(profiles);
        assert_eq!(needs.can_be_called(), Some(false));
        assert_eq!(findings(&model("a.behind"), &offers(), TODAY()), [needs]);
        let mut alone = offers();
        alone.profiles.clear();
        assert_eq!(findings(&model("a.behind"), &alone, TODAY()), [Finding::ProvisionedOnly]);
        let mut inactive = offers();
        inactive.profiles.get_mut("us.a.behind").unwrap().is_active = false;
        assert_eq!(findings(&model("us.a.behind"), &inactive, TODAY()), [Finding::ProfileInactive]);
    }

    #[test]
    fn lifecycle_and_streaming_are_compared_through_a_profile_too() {
        let mut offers = offers();
        let behind = offers.models.get_mut("a.behind").unwrap();
        behind.is_legacy = true;
        behind.legacy_since = Some(CalendarDate::new(2026, 10, 1));
        behind.streams = Some(false);
        behind.end_of_life = Some(CalendarDate::new(2027, 3, 30));
        let legacy = Finding::Legacy(Some(CalendarDate::new(2026, 10, 1)));
        let end = |here| Finding::End { there: CalendarDate::new(2027, 3, 30), here };
        let found = findings(&model("us.a.behind"), &offers, TODAY());
        assert_eq!(found, [legacy.clone(), Finding::Streaming(false), end(None)]);
        assert!(found.iter().all(|finding| finding.can_be_called() == Some(true)));
        let known = |day| Model {
            streams: false,
            end_of_life: Some(CalendarDate::new(2027, 3, day)),
            ..model("us.a.behind")
        };
        let other = end(Some(CalendarDate::new(2027, 3, 29)));
        assert_eq!(findings(&known(29), &offers, TODAY()), [legacy.clone(), other]);
        assert_eq!(findings(&known(30), &offers, TODAY()), [legacy]);
        let ended = Finding::Ended(CalendarDate::new(2027, 3, 30));
        assert_eq!(ended.can_be_called(), Some(false));
        assert_eq!(findings(&known(30), &offers, CalendarDate::new(2027, 3, 30)), [ended]);
    }

    #[test]
    fn a_profile_that_leads_elsewhere_than_the_catalogue_says_is_told() {
        let other = Model { base: Some(base("a.open")), ..model(APPLICATION) };
        assert_eq!(findings(&other, &offers(), TODAY()), [Finding::OtherModel(vec![base("a.behind")])]);
    }

    #[test]
    fn what_no_list_holds_is_not_judged() {
        let imported = model("arn:aws:bedrock:us-east-1:123456789012:imported-model/a1b2c3d4e5f6");
        let found = findings(&imported, &offers(), TODAY());
        assert_eq!(found, [Finding::NotAsked(ArnKind::ImportedModel)]);
        assert_eq!(found[0].can_be_called(), None);
    }
}
