//! Foundation models and their families.
//!
//! A base model is what stands behind every id, and its name is AWS's own, so it
//! tells the family. What a model can do still stands in the catalogue; the family
//! says only in which shape it is spoken to and who can count its tokens.

use std::fmt;
use std::sync::Arc;

use super::model::ModelId;
use super::model_kind::{ModelKind, base_in};

/// The id of a foundation model, such as `anthropic.claude-sonnet-4-6`: a provider, a
/// full stop and a name, without a part of the world and without a window's size.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BaseModel(Arc<str>);

/// The text is not the id of a foundation model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the id of a foundation model is a provider, a full stop and a name")]
pub struct InvalidBaseModel;

impl BaseModel {
    /// Accepts a foundation model's own id: no profile, no ARN.
    ///
    /// # Errors
    /// [`InvalidBaseModel`] for everything else.
    pub fn parse(text: &str) -> Result<Self, InvalidBaseModel> {
        let id = ModelId::parse(text).map_err(|_invalid| InvalidBaseModel)?;
        let base = id.base().filter(|_| id.kind() == ModelKind::Foundation);
        base.ok_or(InvalidBaseModel)
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        base_in(text).map(|base| Self(base.into()))
    }

    /// The id as Bedrock spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id without its provider.
    pub fn name(&self) -> &str {
        self.parts().1
    }

    /// Whose model it is.
    pub fn family(&self) -> Family {
        let (provider, name) = self.parts();
        let is = |start: &str| name.starts_with(start);
        match provider {
            "anthropic" if is("claude") => Family::Claude,
            "amazon" if is("nova") => Family::Nova,
            "amazon" if is("titan") => Family::Titan,
            "meta" if is("llama") => Family::Llama,
            "mistral" => Family::Mistral,
            "cohere" if is("command") => Family::Command,
            "ai21" if is("j2-") => Family::Jurassic,
            "ai21" if is("jamba") => Family::Jamba,
            "deepseek" => Family::DeepSeek,
            "openai" if is("gpt-oss") => Family::GptOss,
            "openai" if is("gpt") => Family::Gpt,
            "qwen" => Family::Qwen,
            "moonshot" | "moonshotai" => Family::Kimi,
            "zai" if is("glm") => Family::Glm,
            "google" if is("gemma") => Family::Gemma,
            "minimax" => Family::MiniMax,
            "nvidia" if is("nemotron") => Family::Nemotron,
            "writer" if is("palmyra") => Family::Palmyra,
            "xai" if is("grok") => Family::Grok,
            _ => Family::Other,
        }
    }

    fn parts(&self) -> (&str, &str) {
        self.0.split_once('.').expect("a base model has a provider and a name")
    }
}

impl fmt::Display for BaseModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Models that are relatives: of one maker and one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    Claude,
    Nova,
    Titan,
    Llama,
    /// Mistral, Mixtral, Ministral, Magistral, Devstral, Pixtral and Voxtral.
    Mistral,
    /// Command and Command R.
    Command,
    Jurassic,
    Jamba,
    DeepSeek,
    /// OpenAI's models with open weights.
    GptOss,
    /// OpenAI's other models.
    Gpt,
    Qwen,
    Kimi,
    Glm,
    Gemma,
    MiniMax,
    Nemotron,
    Palmyra,
    Grok,
    /// One that this version does not know, or a model that only AWS knows.
    Other,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 20] = [
        Self::Claude,
        Self::Nova,
        Self::Titan,
        Self::Llama,
        Self::Mistral,
        Self::Command,
        Self::Jurassic,
        Self::Jamba,
        Self::DeepSeek,
        Self::GptOss,
        Self::Gpt,
        Self::Qwen,
        Self::Kimi,
        Self::Glm,
        Self::Gemma,
        Self::MiniMax,
        Self::Nemotron,
        Self::Palmyra,
        Self::Grok,
        Self::Other,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Nova => "nova",
            Self::Titan => "titan",
            Self::Llama => "llama",
            Self::Mistral => "mistral",
            Self::Command => "command",
            Self::Jurassic => "jurassic",
            Self::Jamba => "jamba",
            Self::DeepSeek => "deepseek",
            Self::GptOss => "gpt-oss",
            Self::Gpt => "gpt",
            Self::Qwen => "qwen",
            Self::Kimi => "kimi",
            Self::Glm => "glm",
            Self::Gemma => "gemma",
            Self::MiniMax => "minimax",
            Self::Nemotron => "nemotron",
            Self::Palmyra => "palmyra",
            Self::Grok => "grok",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BaseModel, Family};

    #[test]
    fn a_provider_and_a_name_tell_the_family() {
        for (id, family) in [
            ("anthropic.claude-instant-v1", Family::Claude),
            ("anthropic.claude-fable-5", Family::Claude),
            ("amazon.nova-2-lite-v1:0", Family::Nova),
            ("amazon.titan-tg1-large", Family::Titan),
            ("amazon.rerank-v1:0", Family::Other),
            ("meta.llama4-scout-17b-instruct-v1:0", Family::Llama),
            ("mistral.mixtral-8x7b-instruct-v0:1", Family::Mistral),
            ("mistral.ministral-3-8b-instruct", Family::Mistral),
            ("cohere.command-r-plus-v1:0", Family::Command),
            ("cohere.embed-v4:0", Family::Other),
            ("ai21.j2-ultra-v1", Family::Jurassic),
            ("ai21.jamba-1-5-mini-v1:0", Family::Jamba),
            ("openai.gpt-oss-safeguard-20b", Family::GptOss),
            ("openai.gpt-6-luna", Family::Gpt),
            ("google.gemma-3-4b-it", Family::Gemma),
            ("minimax.minimax-m2.5", Family::MiniMax),
            ("nvidia.nemotron-nano-3-30b", Family::Nemotron),
            ("writer.palmyra-x5-v1:0", Family::Palmyra),
            ("xai.grok-5", Family::Grok),
            // A name that only looks like one of the family.
            ("somebody.claude-like", Family::Other),
            ("meta.claude-like", Family::Other),
        ] {
            assert_eq!(BaseModel::parse(id).unwrap().family(), family, "{id}");
        }
    }

    #[test]
    fn only_a_foundation_models_own_id_is_a_base() {
        assert_eq!(BaseModel::parse("a.b-v1:0:51k").unwrap().as_str(), "a.b-v1:0");
        assert_eq!(BaseModel::parse("moonshotai.kimi-k2.5").unwrap().name(), "kimi-k2.5");
        let arn = "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-6";
        for bad in ["", "claude", ".x", "x.", "us.anthropic.claude-sonnet-4-6", arn, "a.b/c", "a b.c"] {
            assert!(BaseModel::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_family_has_a_word_of_its_own() {
        let words: std::collections::BTreeSet<&str> =
            Family::ALL.iter().map(|family| family.as_str()).collect();
        assert_eq!(words.len(), Family::ALL.len());
    }
}
