//! What a model id stands for: a foundation model, an inference profile, or one of
//! the many things that an ARN can name.
//!
//! Owns the grammar. An ARN is read field by field, because accounts name their own
//! resources, and a profile's first part is known by AWS's list, because it looks
//! like a provider. The one rule: a base model is read only where AWS writes one;
//! everywhere else it is not known.

use super::model::ModelId;

/// What an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModelKind {
    /// A foundation model's own id.
    Foundation,
    /// A system-defined inference profile.
    Profile(Geography),
    Arn(ArnKind),
}

/// The part of the world whose regions share the calls of an inference profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Geography {
    Us,
    UsGov,
    Eu,
    Apac,
    Jp,
    Au,
    Ca,
    In,
    Sa,
    Global,
}

/// What an ARN names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArnKind {
    FoundationModel,
    InferenceProfile,
    ApplicationInferenceProfile,
    ProvisionedModel,
    CustomModel,
    CustomModelDeployment,
    ImportedModel,
    Prompt,
    PromptRouter,
    /// A model of the marketplace, on an endpoint of the account.
    SageMakerEndpoint,
    /// Nothing that can be asked to write.
    Unknown,
}

impl Geography {
    /// Every part of the world.
    pub const ALL: [Self; 10] = [
        Self::Us,
        Self::UsGov,
        Self::Eu,
        Self::Apac,
        Self::Jp,
        Self::Au,
        Self::Ca,
        Self::In,
        Self::Sa,
        Self::Global,
    ];

    /// The first part of a profile's id.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::UsGov => "us-gov",
            Self::Eu => "eu",
            Self::Apac => "apac",
            Self::Jp => "jp",
            Self::Au => "au",
            Self::Ca => "ca",
            Self::In => "in",
            Self::Sa => "sa",
            Self::Global => "global",
        }
    }
}

impl ArnKind {
    /// The resource's type, as ARNs spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FoundationModel => "foundation-model",
            Self::InferenceProfile => "inference-profile",
            Self::ApplicationInferenceProfile => "application-inference-profile",
            Self::ProvisionedModel => "provisioned-model",
            Self::CustomModel => "custom-model",
            Self::CustomModelDeployment => "custom-model-deployment",
            Self::ImportedModel => "imported-model",
            Self::Prompt => "prompt",
            Self::PromptRouter => "prompt-router",
            Self::SageMakerEndpoint => "endpoint",
            Self::Unknown => "unknown",
        }
    }

    fn of(service: &str, resource: &str) -> Self {
        match (service, resource) {
            ("bedrock", "foundation-model") => Self::FoundationModel,
            ("bedrock", "inference-profile") => Self::InferenceProfile,
            ("bedrock", "application-inference-profile") => Self::ApplicationInferenceProfile,
            ("bedrock", "provisioned-model") => Self::ProvisionedModel,
            ("bedrock", "custom-model") => Self::CustomModel,
            ("bedrock", "custom-model-deployment") => Self::CustomModelDeployment,
            ("bedrock", "imported-model") => Self::ImportedModel,
            ("bedrock", "prompt") => Self::Prompt,
            ("bedrock", "prompt-router" | "default-prompt-router") => Self::PromptRouter,
            ("sagemaker", "endpoint") => Self::SageMakerEndpoint,
            _ => Self::Unknown,
        }
    }
}

/// An id, read.
pub(super) struct Reading<'a> {
    pub(super) kind: ModelKind,
    /// The foundation model, where the id shows it.
    pub(super) base: Option<&'a str>,
    /// The region that an ARN names.
    pub(super) region: Option<&'a str>,
}

impl<'a> Reading<'a> {
    pub(super) fn of(id: &'a ModelId) -> Self {
        match id.sent().strip_prefix("arn:") {
            Some(fields) => Self::of_arn(fields),
            None => Self::of_name(id.sent()),
        }
    }

    fn of_name(name: &'a str) -> Self {
        let (geography, base) = split_profile(name);
        let kind = geography.map_or(ModelKind::Foundation, ModelKind::Profile);
        Self { kind, base: base_in(base), region: None }
    }

    /// Of the fields after `arn:`, of which only the last can hold colons.
    fn of_arn(fields: &'a str) -> Self {
        let unknown = Self { kind: ModelKind::Arn(ArnKind::Unknown), base: None, region: None };
        let fields: Vec<&str> = fields.splitn(5, ':').collect();
        let [partition, service, region, _account, resource] = fields[..] else { return unknown };
        let Some((resource_type, name)) = resource.split_once('/') else { return unknown };
        if partition != "aws" && !partition.starts_with("aws-") {
            return unknown;
        }
        let arn = ArnKind::of(service, resource_type);
        let base = match arn {
            ArnKind::FoundationModel => base_in(name),
            ArnKind::InferenceProfile => base_in(split_profile(name).1),
            // The last part is the account's own.
            ArnKind::CustomModel => name.rsplit_once('/').and_then(|(base, _)| base_in(base)),
            ArnKind::ApplicationInferenceProfile
            | ArnKind::ProvisionedModel
            | ArnKind::CustomModelDeployment
            | ArnKind::ImportedModel
            | ArnKind::Prompt
            | ArnKind::PromptRouter
            | ArnKind::SageMakerEndpoint
            | ArnKind::Unknown => None,
        };
        Self { kind: ModelKind::Arn(arn), base, region: Some(region).filter(|region| !region.is_empty()) }
    }
}

/// The part of the world of a profile's id, and the model behind it.
fn split_profile(id: &str) -> (Option<Geography>, &str) {
    let parts = id.split_once('.').filter(|(_, rest)| rest.contains('.'));
    let known = parts.and_then(|(first, rest)| {
        let geography = Geography::ALL.into_iter().find(|geography| geography.as_str() == first)?;
        Some((geography, rest))
    });
    known.map_or((None, id), |(geography, rest)| (Some(geography), rest))
}

/// A foundation model's id without the size of its window, such as `:51k`.
pub(super) fn base_in(text: &str) -> Option<&str> {
    let is_window = |end: &str| {
        let digits = end.strip_suffix('k').unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let base = text.rsplit_once(':').filter(|(_, end)| is_window(end)).map_or(text, |(base, _)| base);
    let (provider, name) = base.split_once('.')?;
    (!provider.is_empty() && !name.is_empty() && !base.contains('/')).then_some(base)
}

#[cfg(test)]
mod tests {
    use super::{ArnKind, Geography, ModelKind};
    use crate::domain::{Family, ModelId};

    /// Kind, family and base of an id.
    fn read(id: &str) -> (ModelKind, Family, Option<String>) {
        let id = ModelId::parse(id).unwrap();
        let base = id.base();
        let family = base.as_ref().map_or(Family::Other, |base| base.family());
        (id.kind(), family, base.map(|base| base.as_str().to_owned()))
    }

    #[test]
    fn ids_without_an_arn_are_models_and_profiles() {
        let foundation = ModelKind::Foundation;
        let profile = ModelKind::Profile;
        for (id, kind, family, base) in [
            ("anthropic.claude-sonnet-4-6", foundation, Family::Claude, "anthropic.claude-sonnet-4-6"),
            ("anthropic.claude-opus-4-6-v1", foundation, Family::Claude, "anthropic.claude-opus-4-6-v1"),
            ("anthropic.claude-v2:1", foundation, Family::Claude, "anthropic.claude-v2:1"),
            (
                "us.anthropic.claude-haiku-5-5",
                profile(Geography::Us),
                Family::Claude,
                "anthropic.claude-haiku-5-5",
            ),
            (
                "us-gov.anthropic.claude-haiku-5-5",
                profile(Geography::UsGov),
                Family::Claude,
                "anthropic.claude-haiku-5-5",
            ),
            ("eu.amazon.nova-pro-v1:0", profile(Geography::Eu), Family::Nova, "amazon.nova-pro-v1:0"),
            ("apac.amazon.nova-pro-v1:0", profile(Geography::Apac), Family::Nova, "amazon.nova-pro-v1:0"),
            ("jp.amazon.nova-2-lite-v1:0", profile(Geography::Jp), Family::Nova, "amazon.nova-2-lite-v1:0"),
            (
                "au.anthropic.claude-sonnet-5",
                profile(Geography::Au),
                Family::Claude,
                "anthropic.claude-sonnet-5",
            ),
            ("ca.amazon.nova-lite-v1:0", profile(Geography::Ca), Family::Nova, "amazon.nova-lite-v1:0"),
            (
                "in.anthropic.claude-sonnet-5",
                profile(Geography::In),
                Family::Claude,
                "anthropic.claude-sonnet-5",
            ),
            (
                "sa.anthropic.claude-sonnet-5",
                profile(Geography::Sa),
                Family::Claude,
                "anthropic.claude-sonnet-5",
            ),
            (
                "global.amazon.nova-2-lite-v1:0",
                profile(Geography::Global),
                Family::Nova,
                "amazon.nova-2-lite-v1:0",
            ),
            (
                "us.meta.llama3-3-70b-instruct-v1:0",
                profile(Geography::Us),
                Family::Llama,
                "meta.llama3-3-70b-instruct-v1:0",
            ),
            // Two companies' models under one provider.
            ("amazon.titan-text-lite-v1", foundation, Family::Titan, "amazon.titan-text-lite-v1"),
            ("amazon.nova-micro-v1:0", foundation, Family::Nova, "amazon.nova-micro-v1:0"),
            // Two spellings of one provider.
            ("moonshot.kimi-k2-thinking", foundation, Family::Kimi, "moonshot.kimi-k2-thinking"),
            ("moonshotai.kimi-k2.5", foundation, Family::Kimi, "moonshotai.kimi-k2.5"),
            // A full stop that ends no provider.
            ("zai.glm-4.7", foundation, Family::Glm, "zai.glm-4.7"),
            ("deepseek.v3.2", foundation, Family::DeepSeek, "deepseek.v3.2"),
            ("us.deepseek.r1-v1:0", profile(Geography::Us), Family::DeepSeek, "deepseek.r1-v1:0"),
            ("openai.gpt-oss-120b-1:0", foundation, Family::GptOss, "openai.gpt-oss-120b-1:0"),
            // The same model with another window.
            (
                "anthropic.claude-3-haiku-20240307-v1:0:48k",
                foundation,
                Family::Claude,
                "anthropic.claude-3-haiku-20240307-v1:0",
            ),
            (
                "meta.llama3-1-70b-instruct-v1:0:51k",
                foundation,
                Family::Llama,
                "meta.llama3-1-70b-instruct-v1:0",
            ),
            // A part of the world with nothing behind it is a provider.
            ("us.something", foundation, Family::Other, "us.something"),
            ("sim.ok", foundation, Family::Other, "sim.ok"),
        ] {
            assert_eq!(read(id), (kind, family, Some(base.to_owned())), "{id}");
        }
        assert_eq!(read("claude-sonnet-4-6"), (foundation, Family::Other, None), "a name without a provider");
    }

    #[test]
    fn an_arn_has_a_base_only_where_aws_writes_one() {
        let (opaque, account) = ("a1b2c3d4e5f6", "123456789012");
        for (arn, kind, family, base) in [
            (
                "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0:200k"
                    .to_owned(),
                ArnKind::FoundationModel,
                Family::Claude,
                Some("anthropic.claude-3-haiku-20240307-v1:0"),
            ),
            (
                format!("arn:aws:bedrock:us-east-1:{account}:inference-profile/us.amazon.nova-lite-v1:0"),
                ArnKind::InferenceProfile,
                Family::Nova,
                Some("amazon.nova-lite-v1:0"),
            ),
            (
                format!(
                    "arn:aws-us-gov:bedrock:us-gov-west-1:{account}:inference-profile/us-gov.anthropic.claude-haiku-5-5"
                ),
                ArnKind::InferenceProfile,
                Family::Claude,
                Some("anthropic.claude-haiku-5-5"),
            ),
            (
                "arn:aws-cn:bedrock:cn-north-1::foundation-model/qwen.qwen3-32b-v1:0".to_owned(),
                ArnKind::FoundationModel,
                Family::Qwen,
                Some("qwen.qwen3-32b-v1:0"),
            ),
            (
                format!(
                    "arn:aws:bedrock:us-east-1:{account}:custom-model/amazon.nova-micro-v1:0:128k/{opaque}"
                ),
                ArnKind::CustomModel,
                Family::Nova,
                Some("amazon.nova-micro-v1:0"),
            ),
            (
                format!(
                    "arn:aws:bedrock:us-east-1:{account}:custom-model/anthropic.claude-3-haiku-20240307-v1/{opaque}"
                ),
                ArnKind::CustomModel,
                Family::Claude,
                Some("anthropic.claude-3-haiku-20240307-v1"),
            ),
            (
                format!("arn:aws:bedrock:us-east-1:{account}:custom-model/imported/{opaque}"),
                ArnKind::CustomModel,
                Family::Other,
                None,
            ),
        ] {
            let expected = (ModelKind::Arn(kind), family, base.map(str::to_owned));
            assert_eq!(read(&arn), expected, "{arn}");
        }
        // What an account has named is never read, whatever it is called.
        for (resource, kind) in [
            ("application-inference-profile/anthropic.claude-x", ArnKind::ApplicationInferenceProfile),
            ("provisioned-model/claude.nova", ArnKind::ProvisionedModel),
            ("custom-model-deployment/a1b2c3d4e5f6", ArnKind::CustomModelDeployment),
            ("imported-model/us.anthropic.claude-x", ArnKind::ImportedModel),
            ("prompt/CLAUDE1234:1", ArnKind::Prompt),
            ("prompt-router/anthropic.claude:1", ArnKind::PromptRouter),
            ("default-prompt-router/anthropic.claude:1", ArnKind::PromptRouter),
            ("inference-profile/claude-of-ours", ArnKind::InferenceProfile),
            ("guardrail/anthropic.claude", ArnKind::Unknown),
            ("anthropic.claude-sonnet-4-6", ArnKind::Unknown),
        ] {
            let arn = format!("arn:aws:bedrock:eu-west-1:{account}:{resource}");
            assert_eq!(read(&arn), (ModelKind::Arn(kind), Family::Other, None), "{arn}");
        }
        for (arn, kind) in [
            ("arn:aws:sagemaker:us-east-1:123456789012:endpoint/claude.x", ArnKind::SageMakerEndpoint),
            ("arn:aws:s3:::foundation-model/anthropic.claude-x", ArnKind::Unknown),
            ("arn:elsewhere:bedrock:us-east-1::foundation-model/anthropic.claude-x", ArnKind::Unknown),
            ("arn:aws:bedrock", ArnKind::Unknown),
            ("arn:", ArnKind::Unknown),
        ] {
            assert_eq!(read(arn), (ModelKind::Arn(kind), Family::Other, None), "{arn}");
        }
    }

    #[test]
    fn an_arn_names_its_region() {
        for (id, region) in [
            ("arn:aws-us-gov:bedrock:us-gov-east-1::foundation-model/a.b", Some("us-gov-east-1")),
            ("arn:aws:sagemaker:eu-west-3:123456789012:endpoint/x", Some("eu-west-3")),
            ("arn:aws:bedrock:::foundation-model/a.b", None),
            ("us.amazon.nova-lite-v1:0", None),
        ] {
            let read = ModelId::parse(id).unwrap().arn_region();
            assert_eq!(read.as_ref().map(|region| region.as_str()), region, "{id}");
        }
    }
}
