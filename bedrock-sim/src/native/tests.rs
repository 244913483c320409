//! Which format a body is in, and what each format hears of system and user.

use serde_json::{Value, json};

use super::*;
use crate::request::CountTokensRequest;

const OPAQUE: &str = "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdefghijkl";

fn read(model_id: &str, body: &Value) -> Result<NativeRequest, String> {
    NativeRequest::read(model_id, body.to_string().as_bytes(), InvokeHeaders::default())
        .map_err(|refusal| refusal.message)
}

fn claude() -> Value {
    json!({
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 100,
        "system": "Be short.",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello."}]}],
    })
}

fn chat() -> Value {
    json!({"messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hello."}]})
}

fn with(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}

#[test]
fn a_format_is_read_off_the_id_or_off_the_shape() {
    let prompt = json!({"prompt": "\n\nHuman: Hello.\n\nAssistant:", "max_tokens_to_sample": 9});
    let llama = json!({"prompt": "Hello.", "max_gen_len": 9});
    let nova = json!({"messages": [{"role": "user", "content": [{"text": "Hello."}]}]});
    let titan = json!({"inputText": "Hello."});
    let plain = json!({"prompt": "Hello.", "max_tokens": 9});
    let command = json!({"prompt": "Hello.", "k": 9});
    let command_r = json!({"message": "Hello."});
    let jurassic = json!({"prompt": "Hello.", "maxTokens": 9});
    let deepseek = json!({"prompt": "<｜User｜>Hello.<｜Assistant｜>", "max_tokens": 9});
    let imported = "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl";
    let profile = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-micro-v1:0";
    let cases = [
        ("us.anthropic.claude-sonnet-4-6", claude(), Format::ClaudeMessages),
        ("anthropic.claude-v2", prompt.clone(), Format::ClaudeText),
        ("anthropic.claude-v2", claude(), Format::ClaudeMessages),
        (profile, nova.clone(), Format::Nova),
        ("amazon.titan-text-express-v1", titan.clone(), Format::Titan),
        ("us.meta.llama3-3-70b-instruct-v1:0", llama.clone(), Format::Llama),
        ("mistral.mistral-7b-instruct-v0:2", plain.clone(), Format::Mistral),
        ("mistral.mistral-large-3-675b-instruct", chat(), Format::Chat(Dialect::Mistral)),
        ("cohere.command-text-v14", plain.clone(), Format::Command),
        ("cohere.command-r-v1:0", command_r.clone(), Format::CommandR),
        ("ai21.j2-mid-v1", jurassic.clone(), Format::Jurassic),
        ("ai21.jamba-1-5-mini-v1:0", chat(), Format::Chat(Dialect::Jamba)),
        ("us.deepseek.r1-v1:0", plain.clone(), Format::DeepSeek),
        ("deepseek.v3.2", chat(), Format::Chat(Dialect::OpenAi)),
        ("openai.gpt-oss-20b-1:0", chat(), Format::Chat(Dialect::GptOss)),
        ("qwen.qwen3-32b-v1:0", chat(), Format::Chat(Dialect::OpenAi)),
        (OPAQUE, claude(), Format::ClaudeMessages),
        (OPAQUE, prompt, Format::ClaudeText),
        (OPAQUE, nova, Format::Nova),
        (OPAQUE, titan, Format::Titan),
        (imported, llama, Format::Llama),
        (imported, plain, Format::Mistral),
        (imported, chat(), Format::Chat(Dialect::GptOss)),
        (OPAQUE, command, Format::Command),
        (OPAQUE, command_r, Format::CommandR),
        (OPAQUE, jurassic, Format::Jurassic),
        (OPAQUE, deepseek, Format::DeepSeek),
    ];
    for (model_id, body, format) in cases {
        let request = read(model_id, &body).unwrap_or_else(|message| panic!("{body}: {message}"));
        assert_eq!(request.format, format, "{model_id}: {body}");
        assert_eq!(request.asked.user_text, "Hello.", "{body}");
    }
}

#[test]
fn system_and_user_are_heard_in_every_format() {
    let mut two_turns = claude();
    two_turns["messages"] = json!([
        {"role": "user", "content": "One."},
        {"role": "assistant", "content": "Two."},
        {"role": "user", "content": "Hello."},
    ]);
    let nova = json!({
        "system": [{"text": "Be short."}],
        "messages": [{"role": "user", "content": [{"text": "Hello."}]}],
    });
    let command_r = json!({"preamble": "Be short.", "message": "Hello.", "chat_history": [
        {"role": "USER", "message": "One."}, {"role": "CHATBOT", "message": "Two."}]});
    let llama = json!({"prompt": "<s>[INST] <<SYS>>\nBe short.\n<</SYS>>\n\nHello. [/INST]"});
    for (model_id, body) in [
        (OPAQUE, two_turns),
        (OPAQUE, nova),
        (OPAQUE, command_r),
        (OPAQUE, chat()),
        ("meta.llama3-70b-instruct-v1:0", llama),
    ] {
        let asked = read(model_id, &body).unwrap().asked;
        assert_eq!((asked.system.as_str(), asked.user_text.as_str()), ("Be short.", "Hello."), "{body}");
        assert!(!asked.ends_with_assistant, "{body}");
    }
}

#[test]
fn tokens_are_those_of_the_same_conversation_in_converse() {
    let converse = json!({
        "system": [{"text": "Be short."}],
        "messages": [{"role": "user", "content": [{"text": "Hello."}]}],
    });
    let converse = ConverseRequest::read("sim.normal", converse.to_string().as_bytes()).unwrap();
    for body in [claude(), chat()] {
        assert_eq!(read(OPAQUE, &body).unwrap().asked.input_tokens, converse.input_tokens);
    }
}

#[test]
fn count_tokens_counts_what_a_call_of_the_same_body_costs() {
    let mut body = claude();
    body["system"] = json!([{"type": "text", "text": "Be"}, {"type": "text", "text": "short."}]);
    body["tools"] = json!([{"name": "clock", "input_schema": {"type": "object"}}]);
    body["messages"][0]["content"] = json!([
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "A text."}},
        {"type": "text", "text": "Hello."},
    ]);
    let encoded = aws_smithy_types::base64::encode(body.to_string());
    let count = json!({"input": {"invokeModel": {"body": encoded}}});
    let counted = CountTokensRequest::read(count.to_string().as_bytes()).unwrap().input_tokens;
    assert_eq!(read(OPAQUE, &body).unwrap().asked.input_tokens, counted);
}

#[test]
fn what_a_format_does_not_describe_is_refused() {
    let prompt = |more: (&str, Value)| with(json!({"prompt": "Hello."}), more.0, more.1);
    let llama = "meta.llama3-70b-instruct-v1:0";
    let deepseek = "us.deepseek.r1-v1:0";
    let stops: Vec<String> = (0..11).map(|number| number.to_string()).collect();
    let cases = [
        (OPAQUE, with(claude(), "stream", json!(true)), "extraneous key [stream]"),
        (OPAQUE, with(claude(), "max_tokens", json!("9")), "#/max_tokens: expected type: Integer"),
        (OPAQUE, with(claude(), "anthropic_version", json!("1")), "not a valid enum value"),
        (OPAQUE, with(claude(), "messages", json!([])), "at least one message"),
        (OPAQUE, with(claude(), "system", json!(" ")), "must be non-empty"),
        (OPAQUE, with(claude(), "thinking", json!({"type": "enabled", "budget_tokens": 1})), "budget_tokens"),
        (OPAQUE, json!({"prompt": "Hello.", "max_tokens_to_sample": 9}), "must start with \"\n\nHuman:\""),
        (llama, prompt(("max_gen_len", json!(2_049))), "#/max_gen_len: 2049 is not less or equal to 2048"),
        (llama, prompt(("temperature", json!(1.5))), "1.5 is not less or equal to 1"),
        (llama, json!({"prompt": " "}), "#/prompt: the text is blank"),
        (deepseek, prompt(("max_tokens", json!(32_769))), "is not less or equal to 32768"),
        (deepseek, prompt(("stop", json!(stops))), "expected maximum item count: 10, found: 11"),
        (OPAQUE, with(chat(), "stop", json!(["a", "b", "c", "d", "e"])), "expected maximum item count: 4"),
        (OPAQUE, with(chat(), "n", json!(2)), "2 is not less or equal to 1"),
        (OPAQUE, json!({"messages": [{"role": "user", "content": " "}]}), "the text is blank"),
        (OPAQUE, json!({"nothing": 1}), "no known format"),
        ("no.such-model", json!({"nothing": 1}), "The provided model identifier is invalid."),
    ];
    for (model_id, body, text) in cases {
        let message = read(model_id, &body).unwrap_err();
        assert!(message.contains(text), "{body}: {message}");
    }
    let fault = NativeRequest::read(OPAQUE, b"{", InvokeHeaders::default()).unwrap_err();
    assert!(fault.message.contains("no valid JSON"));
}

#[test]
fn the_cap_of_a_model_is_told_in_the_words_of_its_family() {
    let over = with(claude(), "max_tokens", json!(70_000));
    let nova = json!({
        "messages": [{"role": "user", "content": [{"text": "Hello."}]}],
        "inferenceConfig": {"maxTokens": 20_000},
    });
    let cases = [
        (
            "us.anthropic.claude-haiku-4-5-20251001-v1:0",
            over,
            "max_tokens: 70000 > 64000, which is the maximum allowed number of output tokens for \
             claude-haiku-4-5-20251001",
        ),
        ("amazon.nova-micro-v1:0", nova, "#/inferenceConfig/maxTokens: 20000 is not less or equal to 10000"),
    ];
    for (model_id, body, text) in cases {
        let refusal = read(model_id, &body).unwrap().check(model_id).unwrap_err();
        assert!(refusal.message.contains(text), "{}", refusal.message);
    }
}

#[test]
fn reasoning_is_shown_where_the_format_has_it() {
    let thinking = with(with(claude(), "max_tokens", json!(2_000)), "thinking", json!({"type": "adaptive"}));
    assert_eq!(read(OPAQUE, &thinking).unwrap().check(OPAQUE), Ok(Preamble::Reasoning));
    assert_eq!(read(OPAQUE, &claude()).unwrap().check(OPAQUE), Ok(Preamble::None));
    let gpt_oss = "openai.gpt-oss-20b-1:0";
    assert_eq!(read(gpt_oss, &chat()).unwrap().check(gpt_oss), Ok(Preamble::Reasoning));
    let titan = read(OPAQUE, &json!({"inputText": "Hello."})).unwrap();
    assert_eq!(titan.playable(&Scenario::Reasoning), Scenario::Normal);
}
