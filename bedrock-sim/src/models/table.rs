//! The table of models, as of 20 November 2026.
//!
//! Owns the facts of each model: its context, its output cap, what it refuses and how its answers
//! begin. It holds text models that Converse serves, and withdrawn ones so that their ids get the
//! refusal they get at AWS. Which models need a profile is known for Claude, Llama and DeepSeek R1;
//! for Nova 2, Palmyra and Pixtral it is assumed. So is the shortest prefix that Nova 2, Mythos Preview
//! and Opus before 4.5 cache.
//! The one rule it protects: ids are in order, so that they can be searched.

use super::Preamble;

/// What a model does with `temperature` and `topP`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sampling {
    Free,
    /// Either of them, not both.
    OneOfTwo,
    /// Neither; Claude calls them deprecated.
    Deprecated,
    /// Neither.
    Unsupported,
}

#[derive(Debug)]
pub(super) struct Model {
    pub(super) id: &'static str,
    pub(super) context_tokens: u64,
    pub(super) max_output_tokens: u64,
    /// The smallest `maxTokens` that is accepted.
    pub(super) min_max_tokens: u64,
    pub(super) withdrawn: bool,
    pub(super) profile_only: bool,
    pub(super) sampling: Sampling,
    pub(super) stop_sequences: bool,
    pub(super) system: bool,
    /// Whether `toolConfig` is taken.
    pub(super) tools: bool,
    /// Whether a JSON schema in `outputConfig` is taken.
    pub(super) output_schema: bool,
    /// The shortest prefix that is cached. None means that cache points are refused.
    pub(super) min_cached_tokens: Option<u64>,
    pub(super) prefill: bool,
    pub(super) preamble: Preamble,
}

/// The model with this base id.
pub(super) fn find(base: &str) -> Option<&'static Model> {
    let at = MODELS.binary_search_by(|model| model.id.cmp(base)).ok()?;
    MODELS.get(at)
}

impl Model {
    pub(super) fn is_claude(&self) -> bool {
        self.id.starts_with("anthropic.")
    }

    const fn new(id: &'static str, context_tokens: u64, max_output_tokens: u64) -> Self {
        Self {
            id,
            context_tokens,
            max_output_tokens,
            min_max_tokens: 1,
            withdrawn: false,
            profile_only: false,
            sampling: Sampling::Free,
            stop_sequences: true,
            system: true,
            tools: true,
            output_schema: true,
            min_cached_tokens: None,
            prefill: true,
            preamble: Preamble::None,
        }
    }

    const fn withdrawn(mut self) -> Self {
        self.withdrawn = true;
        self
    }

    const fn profile_only(mut self) -> Self {
        self.profile_only = true;
        self
    }

    const fn sampling(mut self, sampling: Sampling) -> Self {
        self.sampling = sampling;
        self
    }

    const fn no_stop_sequences(mut self) -> Self {
        self.stop_sequences = false;
        self
    }

    const fn least_max_tokens(mut self, tokens: u64) -> Self {
        self.min_max_tokens = tokens;
        self
    }

    const fn no_system(mut self) -> Self {
        self.system = false;
        self
    }

    const fn no_tools(mut self) -> Self {
        self.tools = false;
        self
    }

    const fn no_schema(mut self) -> Self {
        self.output_schema = false;
        self
    }

    const fn caches_from(mut self, tokens: u64) -> Self {
        self.min_cached_tokens = Some(tokens);
        self
    }

    const fn no_prefill(mut self) -> Self {
        self.prefill = false;
        self
    }

    const fn begins_with(mut self, preamble: Preamble) -> Self {
        self.preamble = preamble;
        self
    }
}

#[rustfmt::skip]
const MODELS: &[Model] = &[
    Model::new("ai21.j2-mid-v1", 8_191, 8_191).withdrawn(),
    Model::new("ai21.j2-ultra-v1", 8_191, 8_191).withdrawn(),
    Model::new("ai21.jamba-1-5-large-v1:0", 256_000, 4_096).no_schema(),
    Model::new("ai21.jamba-1-5-mini-v1:0", 256_000, 4_096).no_schema(),
    Model::new("ai21.jamba-instruct-v1:0", 70_000, 4_096).no_tools().no_schema(),
    Model::new("amazon.nova-2-lite-v1:0", 1_000_000, 64_000).profile_only().caches_from(1_024),
    Model::new("amazon.nova-2-pro-preview-20251202-v1:0", 1_000_000, 64_000).profile_only().caches_from(1_024),
    Model::new("amazon.nova-lite-v1:0", 300_000, 10_000).caches_from(1_536),
    Model::new("amazon.nova-micro-v1:0", 128_000, 10_000).caches_from(1_536),
    Model::new("amazon.nova-premier-v1:0", 1_000_000, 10_000).withdrawn(),
    Model::new("amazon.nova-pro-v1:0", 300_000, 10_000).caches_from(1_024),
    Model::new("amazon.titan-text-express-v1", 42_000, 8_000).withdrawn(),
    Model::new("amazon.titan-text-lite-v1", 42_000, 4_000).withdrawn(),
    Model::new("amazon.titan-text-premier-v1:0", 42_000, 32_000).withdrawn(),
    Model::new("anthropic.claude-3-5-haiku-20241022-v1:0", 200_000, 8_192).withdrawn(),
    Model::new("anthropic.claude-3-5-sonnet-20240620-v1:0", 200_000, 4_096).withdrawn(),
    Model::new("anthropic.claude-3-5-sonnet-20241022-v2:0", 200_000, 8_192).withdrawn(),
    Model::new("anthropic.claude-3-7-sonnet-20240620-v1:0", 200_000, 8_192).withdrawn(),
    Model::new("anthropic.claude-3-7-sonnet-20250219-v1:0", 200_000, 8_192).withdrawn(),
    Model::new("anthropic.claude-3-haiku-20240307-v1:0", 200_000, 4_096).withdrawn(),
    Model::new("anthropic.claude-3-opus-20240229-v1:0", 200_000, 4_096).withdrawn(),
    Model::new("anthropic.claude-3-sonnet-20240229-v1:0", 200_000, 4_096).withdrawn(),
    Model::new("anthropic.claude-fable-5", 1_000_000, 128_000).profile_only().sampling(Sampling::Deprecated).caches_from(512).no_prefill().begins_with(Preamble::Reasoning),
    Model::new("anthropic.claude-fable-5-1", 1_000_000, 128_000).profile_only().sampling(Sampling::Deprecated).caches_from(512).no_prefill().begins_with(Preamble::Reasoning),
    Model::new("anthropic.claude-haiku-4-5-20251001-v1:0", 200_000, 64_000).profile_only().sampling(Sampling::OneOfTwo).caches_from(4_096),
    Model::new("anthropic.claude-haiku-5-5", 1_000_000, 128_000).profile_only().sampling(Sampling::Deprecated).caches_from(512).no_prefill(),
    Model::new("anthropic.claude-instant-v1", 100_000, 8_191).withdrawn(),
    Model::new("anthropic.claude-mythos-5-1", 1_000_000, 128_000).profile_only().sampling(Sampling::Deprecated).caches_from(512).no_prefill(),
    Model::new("anthropic.claude-mythos-preview", 1_000_000, 128_000).no_schema().profile_only().sampling(Sampling::Deprecated).caches_from(1_024).no_prefill(),
    Model::new("anthropic.claude-opus-4-1-20250805-v1:0", 200_000, 32_000).profile_only().sampling(Sampling::OneOfTwo).caches_from(1_024),
    Model::new("anthropic.claude-opus-4-20250514-v1:0", 200_000, 32_000).profile_only().caches_from(1_024),
    Model::new("anthropic.claude-opus-4-5-20251101-v1:0", 200_000, 64_000).profile_only().sampling(Sampling::OneOfTwo).caches_from(4_096),
    Model::new("anthropic.claude-opus-4-6-v1", 1_000_000, 128_000).profile_only().sampling(Sampling::OneOfTwo).caches_from(4_096).no_prefill(),
    Model::new("anthropic.claude-opus-4-7", 1_000_000, 128_000).profile_only().sampling(Sampling::Deprecated).caches_from(2_048).no_prefill(),
    Model::new("anthropic.claude-opus-4-8", 1_000_000, 128_000).profile_only().sampling(Sampling::Deprecated).caches_from(1_024).no_prefill(),
    Model::new("anthropic.claude-opus-5", 1_000_000, 128_000).profile_only().sampling(Sampling::Deprecated).caches_from(512).no_prefill(),
    Model::new("anthropic.claude-opus-5-5", 1_000_000, 128_000).profile_only().sampling(Sampling::Deprecated).caches_from(512).no_prefill().begins_with(Preamble::Reasoning),
    Model::new("anthropic.claude-sonnet-4-20250514-v1:0", 200_000, 64_000).withdrawn(),
    Model::new("anthropic.claude-sonnet-4-5-20250929-v1:0", 200_000, 64_000).profile_only().sampling(Sampling::OneOfTwo).caches_from(1_024),
    Model::new("anthropic.claude-sonnet-4-6", 1_000_000, 64_000).profile_only().sampling(Sampling::OneOfTwo).caches_from(1_024).no_prefill(),
    Model::new("anthropic.claude-sonnet-5", 1_000_000, 128_000).profile_only().sampling(Sampling::Deprecated).caches_from(1_024).no_prefill(),
    Model::new("anthropic.claude-sonnet-5-5", 1_000_000, 128_000).profile_only().sampling(Sampling::Deprecated).caches_from(512).no_prefill().begins_with(Preamble::Reasoning),
    Model::new("anthropic.claude-v1", 100_000, 8_191).withdrawn(),
    Model::new("anthropic.claude-v2", 100_000, 8_191).withdrawn(),
    Model::new("anthropic.claude-v2:1", 100_000, 8_191).withdrawn(),
    Model::new("cohere.command-light-text-v14", 4_096, 4_096).withdrawn(),
    Model::new("cohere.command-r-plus-v1:0", 128_000, 4_096).withdrawn(),
    Model::new("cohere.command-r-v1:0", 128_000, 4_096).withdrawn(),
    Model::new("cohere.command-text-v14", 4_096, 4_096).withdrawn(),
    Model::new("deepseek.r1-v1:0", 128_000, 8_192).no_tools().no_schema().profile_only().begins_with(Preamble::Reasoning),
    Model::new("deepseek.v3-v1:0", 128_000, 8_000).no_schema(),
    Model::new("deepseek.v3.2", 164_000, 8_000),
    Model::new("google.gemma-3-12b-it", 128_000, 8_000),
    Model::new("google.gemma-3-27b-it", 128_000, 8_000),
    Model::new("google.gemma-3-4b-it", 128_000, 8_000).no_schema(),
    Model::new("meta.llama2-13b-chat-v1", 4_096, 4_096).withdrawn(),
    Model::new("meta.llama2-70b-chat-v1", 4_096, 4_096).withdrawn(),
    Model::new("meta.llama3-1-405b-instruct-v1:0", 128_000, 4_096).withdrawn(),
    Model::new("meta.llama3-1-70b-instruct-v1:0", 128_000, 4_096).no_schema().profile_only(),
    Model::new("meta.llama3-1-8b-instruct-v1:0", 128_000, 4_096).no_schema().profile_only(),
    Model::new("meta.llama3-2-11b-instruct-v1:0", 128_000, 4_096).withdrawn(),
    Model::new("meta.llama3-2-1b-instruct-v1:0", 128_000, 4_096).withdrawn(),
    Model::new("meta.llama3-2-3b-instruct-v1:0", 128_000, 4_096).withdrawn(),
    Model::new("meta.llama3-2-90b-instruct-v1:0", 128_000, 4_096).withdrawn(),
    Model::new("meta.llama3-3-70b-instruct-v1:0", 128_000, 4_096).no_schema().profile_only(),
    Model::new("meta.llama3-70b-instruct-v1:0", 8_192, 8_192).no_tools().no_schema(),
    Model::new("meta.llama3-8b-instruct-v1:0", 8_192, 8_192).no_tools().no_schema(),
    Model::new("meta.llama4-maverick-17b-instruct-v1:0", 1_000_000, 8_192).no_schema().profile_only(),
    Model::new("meta.llama4-scout-17b-instruct-v1:0", 10_000_000, 8_192).no_schema().profile_only(),
    Model::new("minimax.minimax-m2", 1_000_000, 8_000),
    Model::new("minimax.minimax-m2.1", 196_000, 8_000),
    Model::new("minimax.minimax-m2.5", 196_000, 8_000),
    Model::new("mistral.devstral-2-123b", 256_000, 32_000),
    Model::new("mistral.magistral-small-2509", 128_000, 40_000),
    Model::new("mistral.ministral-3-14b-instruct", 128_000, 8_000),
    Model::new("mistral.ministral-3-3b-instruct", 128_000, 8_000),
    Model::new("mistral.ministral-3-8b-instruct", 128_000, 8_000),
    Model::new("mistral.mistral-7b-instruct-v0:2", 32_000, 4_096).no_tools().no_schema().no_system(),
    Model::new("mistral.mistral-large-2402-v1:0", 32_000, 4_096).withdrawn(),
    Model::new("mistral.mistral-large-2407-v1:0", 128_000, 8_191).withdrawn(),
    Model::new("mistral.mistral-large-3-675b-instruct", 256_000, 32_000),
    Model::new("mistral.mistral-small-2402-v1:0", 32_000, 4_096).no_schema(),
    Model::new("mistral.mixtral-8x7b-instruct-v0:1", 32_000, 4_096).no_tools().no_schema().no_system(),
    Model::new("mistral.pixtral-large-2502-v1:0", 128_000, 16_384).no_schema().profile_only(),
    Model::new("mistral.voxtral-mini-3b-2507", 32_768, 8_192).no_tools().no_schema(),
    Model::new("mistral.voxtral-small-24b-2507", 32_768, 8_192).no_tools().no_schema(),
    Model::new("moonshot.kimi-k2-thinking", 256_000, 16_000),
    Model::new("moonshotai.kimi-k2.5", 256_000, 16_000),
    Model::new("moonshotai.kimi-k3", 1_000_000, 131_072).least_max_tokens(16),
    Model::new("nvidia.nemotron-nano-12b-v2", 128_000, 8_000),
    Model::new("nvidia.nemotron-nano-3-30b", 256_000, 8_000),
    Model::new("nvidia.nemotron-nano-9b-v2", 128_000, 8_000),
    Model::new("nvidia.nemotron-super-3-120b", 256_000, 32_000),
    Model::new("openai.gpt-6-luna", 922_000, 128_000).no_schema().sampling(Sampling::Unsupported).no_stop_sequences().least_max_tokens(16),
    Model::new("openai.gpt-6-sol", 922_000, 128_000).no_schema().sampling(Sampling::Unsupported).no_stop_sequences().least_max_tokens(16),
    Model::new("openai.gpt-oss-120b-1:0", 128_000, 16_384).begins_with(Preamble::EmptyTextAndReasoning),
    Model::new("openai.gpt-oss-20b-1:0", 128_000, 16_384).begins_with(Preamble::EmptyTextAndReasoning),
    Model::new("openai.gpt-oss-safeguard-120b", 128_000, 16_000),
    Model::new("openai.gpt-oss-safeguard-20b", 128_000, 16_000),
    Model::new("qwen.qwen3-235b-a22b-2507-v1:0", 262_144, 8_192).no_schema(),
    Model::new("qwen.qwen3-32b-v1:0", 32_768, 8_192).no_schema(),
    Model::new("qwen.qwen3-coder-30b-a3b-v1:0", 262_144, 16_384).no_schema(),
    Model::new("qwen.qwen3-coder-480b-a35b-v1:0", 262_144, 16_384).no_schema(),
    Model::new("qwen.qwen3-coder-next", 256_000, 16_000),
    Model::new("qwen.qwen3-next-80b-a3b", 256_000, 8_000),
    Model::new("qwen.qwen3-vl-235b-a22b", 256_000, 8_000).no_schema(),
    Model::new("twelvelabs.pegasus-1-5-v1:0", 261_120, 98_304).no_tools().no_schema(),
    Model::new("writer.palmyra-vision-7b", 4_096, 4_096).no_tools().no_schema().profile_only(),
    Model::new("writer.palmyra-x4-v1:0", 128_000, 8_192).no_schema().profile_only(),
    Model::new("writer.palmyra-x5-v1:0", 128_000, 8_192).no_schema().profile_only(),
    Model::new("zai.glm-4.7", 203_000, 128_000),
    Model::new("zai.glm-4.7-flash", 203_000, 128_000),
    Model::new("zai.glm-5", 200_000, 128_000),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_in_order_and_stand_once() {
        assert!(MODELS.is_sorted_by(|one, next| one.id < next.id));
        for model in MODELS {
            assert_eq!(find(model.id).map(|found| found.id), Some(model.id));
        }
        assert!(find("no.such-model").is_none());
    }
}
