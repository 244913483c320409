//! InvokeModel and InvokeModelWithResponseStream: each family's answers, chunks and refusals.

#[path = "native/families.rs"]
mod families;
#[path = "native/guardrails.rs"]
mod guardrails;
#[path = "native/scenarios.rs"]
mod scenarios;

use aws_smithy_types::base64;
use bedrock_sim::Sim;
use serde_json::{Value, json};

use crate::client::{Answer, End, Event, TEXT, call};

/// Its model is known to nobody, so the shape of the body decides.
pub const OPAQUE: &str = "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdefghijkl";
pub const METRICS: &str = "amazon-bedrock-invocationMetrics";
const INVOKE: &str = "invoke";
const STREAM: &str = "invoke-with-response-stream";

/// A family under test: how it is called, and where its answers hold what.
#[derive(Debug)]
pub struct Family {
    pub name: &'static str,
    pub model: &'static str,
    pub body: Value,
    /// Where the body limits the answer.
    pub max_tokens: &'static str,
    /// Where a whole answer has its text and its reason.
    pub text: &'static str,
    pub reason: &'static str,
    /// Where a chunk has its text and its reason.
    pub chunk_text: &'static str,
    pub chunk_reason: &'static str,
    /// What ends an answer by itself, and for want of tokens.
    pub reasons: [&'static str; 2],
    /// Where a whole answer tells its input and output tokens, if it does.
    pub usage: Option<[&'static str; 2]>,
}

pub fn families() -> Vec<Family> {
    let user = json!([{"role": "user", "content": TEXT}]);
    let chat = |name, model| Family {
        name,
        model,
        body: json!({"messages": user.clone()}),
        max_tokens: "/max_tokens",
        text: "/choices/0/message/content",
        reason: "/choices/0/finish_reason",
        chunk_text: "/choices/0/delta/content",
        chunk_reason: "/choices/0/finish_reason",
        reasons: ["stop", "length"],
        usage: Some(["/usage/prompt_tokens", "/usage/completion_tokens"]),
    };
    let llama = |name, model, prompt: String| Family {
        name,
        model,
        body: json!({ "prompt": prompt }),
        max_tokens: "/max_gen_len",
        text: "/generation",
        reason: "/stop_reason",
        chunk_text: "/generation",
        chunk_reason: "/stop_reason",
        reasons: ["stop", "length"],
        usage: Some(["/prompt_token_count", "/generation_token_count"]),
    };
    vec![
        Family {
            name: "claude messages",
            model: "us.anthropic.claude-haiku-4-5-20251001-v1:0",
            body: json!({
                "anthropic_version": "bedrock-2023-05-31", "max_tokens": 500, "messages": user.clone(),
            }),
            max_tokens: "/max_tokens",
            text: "/content/0/text",
            reason: "/stop_reason",
            chunk_text: "/delta/text",
            chunk_reason: "/delta/stop_reason",
            reasons: ["end_turn", "max_tokens"],
            usage: Some(["/usage/input_tokens", "/usage/output_tokens"]),
        },
        Family {
            name: "claude text",
            model: OPAQUE,
            body: json!({"prompt": format!("\n\nHuman: {TEXT}\n\nAssistant:"), "max_tokens_to_sample": 500}),
            max_tokens: "/max_tokens_to_sample",
            text: "/completion",
            reason: "/stop_reason",
            chunk_text: "/completion",
            chunk_reason: "/stop_reason",
            reasons: ["stop_sequence", "max_tokens"],
            usage: None,
        },
        Family {
            name: "nova",
            model: "us.amazon.nova-micro-v1:0",
            body: json!({"messages": [{"role": "user", "content": [{"text": TEXT}]}], "inferenceConfig": {}}),
            max_tokens: "/inferenceConfig/maxTokens",
            text: "/output/message/content/0/text",
            reason: "/stopReason",
            chunk_text: "/contentBlockDelta/delta/text",
            chunk_reason: "/messageStop/stopReason",
            reasons: ["end_turn", "max_tokens"],
            usage: Some(["/usage/inputTokens", "/usage/outputTokens"]),
        },
        Family {
            name: "titan",
            model: OPAQUE,
            body: json!({"inputText": format!("User: {TEXT}\nBot:"), "textGenerationConfig": {}}),
            max_tokens: "/textGenerationConfig/maxTokenCount",
            text: "/results/0/outputText",
            reason: "/results/0/completionReason",
            chunk_text: "/outputText",
            chunk_reason: "/completionReason",
            reasons: ["FINISH", "LENGTH"],
            usage: Some(["/inputTextTokenCount", "/results/0/tokenCount"]),
        },
        llama("llama 2", OPAQUE, format!("<s>[INST] <<SYS>>\nObey.\n<</SYS>>\n\n{TEXT} [/INST]")),
        llama(
            "llama 3",
            "us.meta.llama3-3-70b-instruct-v1:0",
            format!(
                "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n{TEXT}<|eot_id|>\
                 <|start_header_id|>assistant<|end_header_id|>\n\n"
            ),
        ),
        llama(
            "llama 4",
            "us.meta.llama4-scout-17b-instruct-v1:0",
            format!(
                "<|begin_of_text|><|header_start|>user<|header_end|>\n\n{TEXT}<|eot|>\
                 <|header_start|>assistant<|header_end|>\n\n"
            ),
        ),
        Family {
            name: "mistral",
            model: "mistral.mixtral-8x7b-instruct-v0:1",
            body: json!({"prompt": format!("<s>[INST] {TEXT} [/INST]")}),
            max_tokens: "/max_tokens",
            text: "/outputs/0/text",
            reason: "/outputs/0/stop_reason",
            chunk_text: "/outputs/0/text",
            chunk_reason: "/outputs/0/stop_reason",
            reasons: ["stop", "length"],
            usage: None,
        },
        Family {
            name: "command",
            model: OPAQUE,
            body: json!({"prompt": TEXT, "stream": true}),
            max_tokens: "/max_tokens",
            text: "/generations/0/text",
            reason: "/generations/0/finish_reason",
            chunk_text: "/text",
            chunk_reason: "/finish_reason",
            reasons: ["COMPLETE", "MAX_TOKENS"],
            usage: None,
        },
        Family {
            name: "command r",
            model: OPAQUE,
            body: json!({"message": TEXT, "preamble": "Obey."}),
            max_tokens: "/max_tokens",
            text: "/text",
            reason: "/finish_reason",
            chunk_text: "/text",
            chunk_reason: "/finish_reason",
            reasons: ["COMPLETE", "MAX_TOKENS"],
            usage: None,
        },
        Family {
            name: "jurassic",
            model: OPAQUE,
            body: json!({"prompt": TEXT, "maxTokens": 500}),
            max_tokens: "/maxTokens",
            text: "/completions/0/data/text",
            reason: "/completions/0/finishReason/reason",
            chunk_text: "",
            chunk_reason: "",
            reasons: ["endoftext", "length"],
            usage: None,
        },
        Family {
            name: "deepseek",
            model: OPAQUE,
            body: json!({"prompt": format!("<｜begin▁of▁sentence｜><｜User｜>{TEXT}<｜Assistant｜><think>\n")}),
            max_tokens: "/max_tokens",
            text: "/choices/0/text",
            reason: "/choices/0/stop_reason",
            chunk_text: "/choices/0/text",
            chunk_reason: "/choices/0/stop_reason",
            reasons: ["stop", "length"],
            usage: None,
        },
        chat("qwen", "qwen.qwen3-32b-v1:0"),
        chat("mistral chat", "mistral.mistral-large-3-675b-instruct"),
        chat("jamba", "ai21.jamba-1-5-mini-v1:0"),
        chat("imported", "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl"),
    ]
}

/// The family of that name.
pub fn family(name: &str) -> Family {
    families().into_iter().find(|family| family.name == name).unwrap()
}

impl Family {
    pub async fn invoke(&self, sim: &Sim) -> Answer {
        call(sim, self.model, INVOKE, &self.body).await
    }

    pub async fn stream(&self, sim: &Sim) -> Answer {
        call(sim, self.model, STREAM, &self.body).await
    }

    /// The same family, whose answer may have three tokens.
    pub fn short(mut self) -> Self {
        let (parent, name) = self.max_tokens.rsplit_once('/').unwrap();
        self.body.pointer_mut(parent).unwrap()[name] = json!(3);
        self
    }

    /// The text of a stream's chunks.
    pub fn text_of(&self, chunks: &[Value]) -> String {
        chunks.iter().filter_map(|chunk| chunk.pointer(self.chunk_text)?.as_str()).collect()
    }

    pub fn reason_of<'v>(&self, chunks: &'v [Value]) -> Option<&'v str> {
        chunks.iter().find_map(|chunk| chunk.pointer(self.chunk_reason)?.as_str())
    }
}

/// The JSON of the model in each chunk of events.
pub fn chunks(events: &[Event]) -> Vec<Value> {
    let chunks = events.iter().filter(|event| event.kind() == "chunk");
    chunks
        .map(|event| {
            let bytes = base64::decode(event.payload["bytes"].as_str().unwrap()).unwrap();
            serde_json::from_slice(&bytes).unwrap()
        })
        .collect()
}

pub fn whole_chunks(answer: &Answer) -> Vec<Value> {
    assert_eq!((answer.status, answer.end), (200, End::Whole), "{answer:?}");
    chunks(&answer.events())
}
