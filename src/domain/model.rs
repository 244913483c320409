//! Names of models and regions, as Bedrock spells them.
//!
//! A model id is a foundation model id, an inference profile id or an ARN; this
//! file checks only what holds for all of them, and `model_kind` tells them apart.
//! What a model can do stands in the catalogue, never in its name.

use std::fmt;
use std::sync::Arc;

use super::family::BaseModel;
use super::model_kind::{ModelKind, Reading};

/// A Bedrock model id, inference profile id or ARN: 1 to 2048 visible ASCII characters.
///
/// An ARN holds an account number, which is nobody's business but AWS's. So the
/// text that answers, logs and labels show is the resource alone
/// (`application-inference-profile/a1b2…`), and only the adapter asks for the rest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelId {
    sent: Arc<str>,
    shown_from: usize,
}

/// The text cannot be a Bedrock model id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a model id has 1 to 2048 characters of A-Z a-z 0-9 . _ : / -")]
pub struct InvalidModelId;

impl ModelId {
    const MAX_LEN: usize = 2048;

    /// Accepts what `ConversationalModelId` of the Bedrock Runtime API model can hold.
    ///
    /// # Errors
    /// [`InvalidModelId`] when the text is empty, too long or has a foreign character.
    pub fn parse(text: &str) -> Result<Self, InvalidModelId> {
        let allowed =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b':' | b'/');
        if (1..=Self::MAX_LEN).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self { sent: text.into(), shown_from: resource_of_arn(text) })
        } else {
            Err(InvalidModelId)
        }
    }

    /// The id as it may be shown.
    pub fn as_str(&self) -> &str {
        &self.sent[self.shown_from..]
    }

    /// The id as Bedrock is asked for it.
    pub fn sent(&self) -> &str {
        &self.sent
    }

    /// What the id names.
    pub fn kind(&self) -> ModelKind {
        Reading::of(self).kind
    }

    /// The foundation model behind it; `None` where only AWS knows it.
    pub fn base(&self) -> Option<BaseModel> {
        Reading::of(self).base.and_then(BaseModel::read)
    }

    /// The region that an ARN names: it can be called nowhere else.
    pub fn arn_region(&self) -> Option<Region> {
        Reading::of(self).region.map(Region::new)
    }
}

/// Where the resource begins: after the fifth colon of an ARN, else at the start.
fn resource_of_arn(text: &str) -> usize {
    if !text.starts_with("arn:") {
        return 0;
    }
    text.match_indices(':').nth(4).map_or(0, |(colon, _)| colon + 1)
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An AWS region name such as `eu-central-1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region(Arc<str>);

impl Region {
    /// Takes the name as it is; AWS alone knows which names exist.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::ModelId;

    #[test]
    fn ids_profiles_and_arns_are_accepted_and_blanks_are_not() {
        for good in ["us.amazon.nova-lite-v1:0", "openai.gpt-oss-120b-1:0"] {
            let id = ModelId::parse(good).unwrap();
            assert_eq!((id.as_str(), id.sent()), (good, good));
        }
        let arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0";
        let id = ModelId::parse(arn).unwrap();
        assert_eq!((id.as_str(), id.sent()), ("inference-profile/us.amazon.nova-lite-v1:0", arn));
        for bad in ["", " ", "a b", "modèle"] {
            assert!(ModelId::parse(bad).is_err(), "{bad:?}");
        }
    }
}
