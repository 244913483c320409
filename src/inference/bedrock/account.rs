//! What an account is offered: foundation models and inference profiles, region by
//! region, as the control plane of Bedrock lists them.
//!
//! It asks and compares nothing: what the answers mean for the catalogue is found
//! out by whoever asked. The one rule: every call has a clock and is made once.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_bedrock::Client;
use aws_sdk_bedrock::error::ProvideErrorMetadata;
use aws_sdk_bedrock::operation::get_inference_profile::GetInferenceProfileError;
use aws_sdk_bedrock::primitives::DateTime;
use aws_sdk_bedrock::types::{
    FoundationModelLifecycleStatus, FoundationModelSummary, InferenceProfileModel, InferenceProfileStatus,
    InferenceProfileType, InferenceType,
};
use tokio::time::timeout;

use super::{BedrockSettings, classify, load, sign_in};
use crate::domain::{BaseModel, CalendarDate, ModelId, ModelKind, Region};

/// The lists are short, and nobody waits longer for an answer.
const CALL_TIME: Duration = Duration::from_secs(20);
/// As many as AWS takes.
const PAGE: i32 = 1000;
/// More pages than all profiles of AWS fill.
const MAX_PAGES: usize = 100;

/// What one region offers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Offers {
    /// By model id.
    pub models: BTreeMap<String, OfferedModel>,
    /// By profile id; application profiles by their ARN.
    pub profiles: BTreeMap<String, OfferedProfile>,
}

/// A foundation model, as a region offers it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OfferedModel {
    pub is_legacy: bool,
    pub legacy_since: Option<CalendarDate>,
    pub end_of_life: Option<CalendarDate>,
    /// `None` when the region does not say.
    pub streams: Option<bool>,
    /// Whether its own id can be called, without a profile and without a contract.
    pub on_demand: bool,
}

/// An inference profile, as a region offers it.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferedProfile {
    pub is_active: bool,
    /// Foundation models behind it, each once.
    pub models: Vec<BaseModel>,
}

/// The region that the account is asked in when a target names none, and what each
/// region offers.
#[derive(Debug)]
pub struct Account {
    pub home: Region,
    pub offers: BTreeMap<Region, Offers>,
}

/// Asks for all that the home region and these regions offer, and for these
/// application profiles in the regions of their ARNs.
///
/// # Errors
/// A sentence for the operator: no region, no credentials, or what AWS said.
pub async fn ask(
    settings: &BedrockSettings,
    regions: &[Region],
    application_profiles: &[ModelId],
) -> Result<Account, String> {
    let config = timeout(settings.sign_in_timeout, load(settings)).await.ok();
    sign_in::search(config.as_ref(), settings.credentials, settings.sign_in_timeout).await?;
    let config = config.expect("what was searched is there");
    let home = config.region().map(|region| Region::new(region.as_ref()));
    let home = home.expect("without a region the search fails");
    let mut offers = BTreeMap::new();
    for region in regions.iter().chain([&home]) {
        if offers.contains_key(region) {
            continue;
        }
        let mut ours = aws_sdk_bedrock::config::Builder::from(&config);
        ours.set_region(Some(aws_config::Region::new(region.as_str().to_owned())));
        let client = Client::from_conf(ours.build());
        let mut offered =
            of_region(&client).await.map_err(|problem| format!("region {region}: {problem}"))?;
        let is_there = |id: &&ModelId| id.arn_region().is_none_or(|its_own| its_own == *region);
        for id in application_profiles.iter().filter(is_there) {
            if let Some(profile) = application_profile(&client, id).await? {
                offered.profiles.insert(id.sent().to_owned(), profile);
            }
        }
        offers.insert(region.clone(), offered);
    }
    Ok(Account { home, offers })
}

async fn of_region(client: &Client) -> Result<Offers, String> {
    let listed = clocked("ListFoundationModels", client.list_foundation_models().send()).await?;
    let models = listed.model_summaries.unwrap_or_default();
    let mut offers = Offers {
        models: models.into_iter().map(|one| (one.model_id.clone(), model(&one))).collect(),
        ..Offers::default()
    };
    let mut next = None;
    for _ in 0..MAX_PAGES {
        let request = client.list_inference_profiles().type_equals(InferenceProfileType::SystemDefined);
        let page =
            clocked("ListInferenceProfiles", request.max_results(PAGE).set_next_token(next).send()).await?;
        for profile in page.inference_profile_summaries.unwrap_or_default() {
            let offered = OfferedProfile {
                is_active: profile.status == InferenceProfileStatus::Active,
                models: bases(&profile.models),
            };
            offers.profiles.insert(profile.inference_profile_id, offered);
        }
        next = page.next_token;
        if next.is_none() {
            return Ok(offers);
        }
    }
    Err(format!("ListInferenceProfiles: more than {MAX_PAGES} pages"))
}

/// `None` when there is no such profile.
async fn application_profile(client: &Client, id: &ModelId) -> Result<Option<OfferedProfile>, String> {
    let request = client.get_inference_profile().inference_profile_identifier(id.sent());
    match timeout(CALL_TIME, request.send()).await {
        Ok(Ok(profile)) => Ok(Some(OfferedProfile {
            is_active: profile.status == InferenceProfileStatus::Active,
            models: bases(&profile.models),
        })),
        Ok(Err(error))
            if error
                .as_service_error()
                .is_some_and(GetInferenceProfileError::is_resource_not_found_exception) =>
        {
            Ok(None)
        }
        Ok(Err(error)) => Err(format!("GetInferenceProfile of {id}: {}", told(&error))),
        Err(_elapsed) => Err(format!("GetInferenceProfile of {id}: {}", late())),
    }
}

fn model(listed: &FoundationModelSummary) -> OfferedModel {
    let lifecycle = listed.model_lifecycle.as_ref();
    let date = |time: Option<&DateTime>| time.map(|time| CalendarDate::of_unix_seconds(time.secs()));
    OfferedModel {
        is_legacy: lifecycle.is_some_and(|cycle| cycle.status == FoundationModelLifecycleStatus::Legacy),
        legacy_since: date(lifecycle.and_then(|cycle| cycle.legacy_time.as_ref())),
        end_of_life: date(lifecycle.and_then(|cycle| cycle.end_of_life_time.as_ref())),
        streams: listed.response_streaming_supported,
        on_demand: listed.inference_types_supported().contains(&InferenceType::OnDemand),
    }
}

/// A profile names a model once for each region that it leads to.
fn bases(models: &[InferenceProfileModel]) -> Vec<BaseModel> {
    let ids = models.iter().filter_map(|model| ModelId::parse(model.model_arn.as_deref()?).ok());
    let mut bases: Vec<BaseModel> =
        ids.filter(|id| matches!(id.kind(), ModelKind::Arn(_))).filter_map(|id| id.base()).collect();
    bases.sort();
    bases.dedup();
    bases
}

async fn clocked<T, E>(operation: &str, call: impl Future<Output = Result<T, E>>) -> Result<T, String>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match timeout(CALL_TIME, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(format!("{operation}: {}", told(&error))),
        Err(_elapsed) => Err(format!("{operation}: {}", late())),
    }
}

/// What AWS said, or why it could not be heard.
fn told<E: ProvideErrorMetadata + std::error::Error + 'static>(error: &E) -> String {
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => classify::cause(error),
    }
}

fn late() -> String {
    format!("no answer within {} s", CALL_TIME.as_secs())
}
