//! Which model an entry is about: its id, the foundation model behind it, and where
//! it can be called from.
//!
//! Many ARNs tell nothing of the model behind them; `base_model` does. The one rule:
//! what an id says about itself is never contradicted.

use toml::Value;

use crate::config::address;
use crate::config::problems::Problems;
use crate::config::section::Section;
use crate::domain::{ArnKind, BaseModel, ModelId, ModelKind, Region};

/// What an entry says about the model; `None` comes with a problem.
pub(super) struct Identity {
    pub(super) id: Option<ModelId>,
    /// The foundation model, if it is known.
    pub(super) base: Option<Option<BaseModel>>,
    /// Empty when not known.
    pub(super) regions: Option<Vec<Region>>,
}

const BASE: &str = "the id of a foundation model such as anthropic.claude-sonnet-4-6";
const REGIONS: &str = "a list of regions such as [\"eu-west-1\"], not empty";

pub(super) fn read(section: &mut Section<'_>, problems: &mut Problems) -> Identity {
    let id = section.required("id", "a model id, profile id or ARN", problems, |value| {
        value.as_str().and_then(|id| ModelId::parse(id).ok())
    });
    let id = id.filter(|id| {
        let writes = id.kind() != ModelKind::Arn(ArnKind::Unknown);
        if !writes {
            section.refuse("id", "is an ARN of nothing that can be asked for text", problems);
        }
        writes
    });
    let given = section.optional("base_model", BASE, problems, |value| {
        value.as_str().and_then(|id| BaseModel::parse(id).ok())
    });
    let shown = id.as_ref().and_then(ModelId::base);
    let base = match (given, shown) {
        (Some(Some(given)), Some(shown)) if given != shown => {
            let message = format!("contradicts the id, which is of {shown}: leave it out");
            section.refuse("base_model", &message, problems);
            None
        }
        (given, shown) => given.map(|given| given.or(shown)),
    };
    let regions = section.optional("regions", REGIONS, problems, as_regions);
    Identity { id, base, regions: regions.map(Option::unwrap_or_default) }
}

fn as_regions(value: &Value) -> Option<Vec<Region>> {
    let regions = value.as_array().filter(|regions| !regions.is_empty())?.iter();
    regions.map(|region| region.as_str().filter(|name| address::is_region(name)).map(Region::new)).collect()
}
