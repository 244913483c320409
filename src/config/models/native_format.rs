//! The native body of a model, where its family tells.
//!
//! Generations of one family take different bodies, so names are compared as far as
//! a body is known for them. The one rule: a body that is not known is not guessed;
//! the catalogue has to name it.

use crate::domain::{BaseModel, Family};
use crate::inference::NativeFormat;

/// Names of Mistral's models that take a prompt with marks. Later ones take messages.
const MISTRAL_PROMPTS: [&str; 4] =
    ["mistral-7b-", "mixtral-8x7b-", "mistral-large-2402", "mistral-small-2402"];

/// The body that a model takes, if it is known.
pub(super) fn of(base: &BaseModel) -> Option<NativeFormat> {
    let is_one_of = |starts: &[&str]| starts.iter().any(|start| base.name().starts_with(start));
    match base.family() {
        Family::Claude if is_one_of(&["claude-v", "claude-instant"]) => Some(NativeFormat::AnthropicText),
        Family::Claude => Some(NativeFormat::AnthropicMessages),
        Family::Nova => Some(NativeFormat::AmazonNova),
        Family::Titan if is_one_of(&["titan-text", "titan-tg1"]) => Some(NativeFormat::AmazonTitanText),
        Family::Llama if is_one_of(&["llama2-"]) => Some(NativeFormat::MetaLlama2),
        Family::Llama if is_one_of(&["llama3-"]) => Some(NativeFormat::MetaLlama3),
        Family::Llama if is_one_of(&["llama4-"]) => Some(NativeFormat::MetaLlama4),
        Family::Mistral if is_one_of(&MISTRAL_PROMPTS) => Some(NativeFormat::Mistral),
        Family::Mistral => Some(NativeFormat::OpenAi),
        Family::Command if is_one_of(&["command-r-"]) => Some(NativeFormat::CohereCommandR),
        Family::Command if is_one_of(&["command-text-", "command-light-"]) => {
            Some(NativeFormat::CohereCommand)
        }
        Family::Jurassic => Some(NativeFormat::Ai21Jurassic),
        Family::Jamba => Some(NativeFormat::Ai21Jamba),
        Family::DeepSeek if is_one_of(&["r1-", "v3-"]) => Some(NativeFormat::DeepSeek),
        Family::GptOss
        | Family::Qwen
        | Family::Kimi
        | Family::Glm
        | Family::Gemma
        | Family::MiniMax
        | Family::Nemotron => Some(NativeFormat::OpenAi),
        Family::Titan
        | Family::Llama
        | Family::Command
        | Family::DeepSeek
        | Family::Gpt
        | Family::Palmyra
        | Family::Grok
        | Family::Other => None,
    }
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::domain::BaseModel;
    use crate::inference::NativeFormat;

    #[test]
    fn a_body_follows_from_the_family_and_its_generation() {
        for (id, format) in [
            ("anthropic.claude-v2:1", Some(NativeFormat::AnthropicText)),
            ("anthropic.claude-instant-v1", Some(NativeFormat::AnthropicText)),
            ("anthropic.claude-3-haiku-20240307-v1:0", Some(NativeFormat::AnthropicMessages)),
            ("anthropic.claude-sonnet-4-6", Some(NativeFormat::AnthropicMessages)),
            ("amazon.nova-micro-v1:0", Some(NativeFormat::AmazonNova)),
            ("amazon.titan-text-express-v1", Some(NativeFormat::AmazonTitanText)),
            ("amazon.titan-embed-text-v2:0", None),
            ("meta.llama2-13b-chat-v1", Some(NativeFormat::MetaLlama2)),
            ("meta.llama3-8b-instruct-v1:0", Some(NativeFormat::MetaLlama3)),
            ("meta.llama3-3-70b-instruct-v1:0", Some(NativeFormat::MetaLlama3)),
            ("meta.llama4-scout-17b-instruct-v1:0", Some(NativeFormat::MetaLlama4)),
            ("meta.llama5-x", None),
            ("mistral.mistral-7b-instruct-v0:2", Some(NativeFormat::Mistral)),
            ("mistral.mixtral-8x7b-instruct-v0:1", Some(NativeFormat::Mistral)),
            ("mistral.mistral-large-2402-v1:0", Some(NativeFormat::Mistral)),
            ("mistral.mistral-large-2407-v1:0", Some(NativeFormat::OpenAi)),
            ("mistral.ministral-3-8b-instruct", Some(NativeFormat::OpenAi)),
            ("cohere.command-text-v14", Some(NativeFormat::CohereCommand)),
            ("cohere.command-light-text-v14", Some(NativeFormat::CohereCommand)),
            ("cohere.command-r-v1:0", Some(NativeFormat::CohereCommandR)),
            ("cohere.command-r-plus-v1:0", Some(NativeFormat::CohereCommandR)),
            ("ai21.j2-mid-v1", Some(NativeFormat::Ai21Jurassic)),
            ("ai21.jamba-1-5-large-v1:0", Some(NativeFormat::Ai21Jamba)),
            ("deepseek.r1-v1:0", Some(NativeFormat::DeepSeek)),
            ("deepseek.v3-v1:0", Some(NativeFormat::DeepSeek)),
            ("deepseek.v3.2", None),
            ("openai.gpt-oss-20b-1:0", Some(NativeFormat::OpenAi)),
            ("openai.gpt-6-sol", None),
            ("qwen.qwen3-32b-v1:0", Some(NativeFormat::OpenAi)),
            ("moonshot.kimi-k2-thinking", Some(NativeFormat::OpenAi)),
            ("zai.glm-5", Some(NativeFormat::OpenAi)),
            ("google.gemma-3-27b-it", Some(NativeFormat::OpenAi)),
            ("minimax.minimax-m2.5", Some(NativeFormat::OpenAi)),
            ("nvidia.nemotron-nano-3-30b", Some(NativeFormat::OpenAi)),
            ("writer.palmyra-x5-v1:0", None),
            ("a.one", None),
        ] {
            assert_eq!(of(&BaseModel::parse(id).unwrap()), format, "{id}");
        }
    }
}
