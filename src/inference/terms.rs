//! How a model is called: what its entry in the catalogue says, once for all calls.

use super::StopReason;
use crate::domain::{BaseModel, Metered, ServiceTerms, ServiceTier, TokenUsage};

/// The same for every call of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallTerms {
    pub api: Api,
    /// Whether it takes rules in a place of their own; otherwise they lead the user turn.
    pub accepts_system: bool,
    /// The tier to ask for; nothing is said about the default one.
    pub service_tier: ServiceTier,
    pub optimized_latency: bool,
    /// Whether its `inputTokens` hold the cached ones, too. For most models they do not.
    pub input_tokens_include_cached: bool,
    /// How it is made to answer with data; `None` when it cannot be.
    pub structured_output: Option<StructuredOutput>,
    /// The id by which its tokens are counted; `None` when they cannot be.
    pub count_as: Option<BaseModel>,
}

impl Default for CallTerms {
    /// Those that every text model takes through Converse.
    fn default() -> Self {
        Self {
            api: Api::Converse,
            accepts_system: true,
            service_tier: ServiceTier::Default,
            optimized_latency: false,
            input_tokens_include_cached: false,
            structured_output: None,
            count_as: None,
        }
    }
}

impl CallTerms {
    /// What calls ask to be served on, and are billed on where nobody says otherwise.
    pub fn service(&self) -> ServiceTerms {
        ServiceTerms { tier: self.service_tier, optimized_latency: self.optimized_latency }
    }

    /// What was used, by the model's own account. `None` when the counts cannot be some: no
    /// prompt has no tokens, and an estimate is then nearer to the bill than nothing. Only
    /// where a guardrail spoke up before any model ran, no tokens are the truth.
    pub fn metered(&self, told: TokenUsage, terms: ServiceTerms, stop: StopReason) -> Option<Metered> {
        let cached = told.cache_read_input_tokens.saturating_add(told.cache_write_input_tokens);
        let input_tokens = match self.input_tokens_include_cached {
            true => told.input_tokens.saturating_sub(cached),
            false => told.input_tokens,
        };
        let tokens = TokenUsage { input_tokens, ..told };
        let is_count = tokens.total_tokens() > tokens.output_tokens
            || (stop == StopReason::GuardrailIntervened && tokens.total_tokens() == 0);
        is_count.then_some(Metered { tokens, terms })
    }
}

/// The operation that a model is called by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// `Converse` and `ConverseStream`: one shape for all models.
    Converse,
    /// `InvokeModel` and `InvokeModelWithResponseStream`: the model's own shape.
    Invoke(NativeFormat),
}

impl Api {
    /// The word in the catalogue.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Converse => "converse",
            Self::Invoke(_) => "invoke",
        }
    }

    /// The model's own shape, where it is called by that.
    pub const fn native_format(self) -> Option<NativeFormat> {
        match self {
            Self::Converse => None,
            Self::Invoke(format) => Some(format),
        }
    }
}

/// How a model is made to answer with data of a given shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StructuredOutput {
    /// `outputConfig` with a JSON schema.
    JsonSchema,
    /// A tool that it has to use, whose input is the data.
    Tool,
}

impl StructuredOutput {
    /// The word in the catalogue.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JsonSchema => "json_schema",
            Self::Tool => "tool",
        }
    }

    /// The way of that word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::JsonSchema, Self::Tool].into_iter().find(|way| way.as_str() == word)
    }
}

/// The body that a model takes and gives when it is invoked natively.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NativeFormat {
    /// Claude 3 and later.
    AnthropicMessages,
    /// Claude 2 and Instant.
    AnthropicText,
    AmazonNova,
    AmazonTitanText,
    MetaLlama2,
    MetaLlama3,
    MetaLlama4,
    /// Mistral and Mixtral up to Large 2402. Later ones speak [`Self::OpenAi`].
    Mistral,
    CohereCommand,
    CohereCommandR,
    Ai21Jurassic,
    Ai21Jamba,
    DeepSeek,
    /// Chat completions: gpt-oss, Qwen, Kimi, GLM, and most imported models.
    OpenAi,
}

impl NativeFormat {
    /// Every format.
    pub const ALL: [Self; 14] = [
        Self::AnthropicMessages,
        Self::AnthropicText,
        Self::AmazonNova,
        Self::AmazonTitanText,
        Self::MetaLlama2,
        Self::MetaLlama3,
        Self::MetaLlama4,
        Self::Mistral,
        Self::CohereCommand,
        Self::CohereCommandR,
        Self::Ai21Jurassic,
        Self::Ai21Jamba,
        Self::DeepSeek,
        Self::OpenAi,
    ];

    /// The word in the catalogue.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AnthropicMessages => "anthropic_messages",
            Self::AnthropicText => "anthropic_text",
            Self::AmazonNova => "amazon_nova",
            Self::AmazonTitanText => "amazon_titan_text",
            Self::MetaLlama2 => "meta_llama2",
            Self::MetaLlama3 => "meta_llama3",
            Self::MetaLlama4 => "meta_llama4",
            Self::Mistral => "mistral",
            Self::CohereCommand => "cohere_command",
            Self::CohereCommandR => "cohere_command_r",
            Self::Ai21Jurassic => "ai21_jurassic",
            Self::Ai21Jamba => "ai21_jamba",
            Self::DeepSeek => "deepseek",
            Self::OpenAi => "openai",
        }
    }

    /// The format of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == word)
    }

    /// Whether the format has a place for rules; otherwise they lead the user's text.
    pub const fn has_system(self) -> bool {
        match self {
            Self::AnthropicMessages
            | Self::AmazonNova
            | Self::MetaLlama2
            | Self::MetaLlama3
            | Self::MetaLlama4
            | Self::CohereCommandR
            | Self::Ai21Jamba
            | Self::OpenAi => true,
            Self::AnthropicText
            | Self::AmazonTitanText
            | Self::Mistral
            | Self::CohereCommand
            | Self::Ai21Jurassic
            | Self::DeepSeek => false,
        }
    }

    /// Whether answers can come in pieces.
    pub const fn can_stream(self) -> bool {
        !matches!(self, Self::Ai21Jurassic)
    }
}
