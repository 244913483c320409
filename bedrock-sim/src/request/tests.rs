//! What a request may hold, and what AWS says where it may not.

use serde_json::{Value, json};

use super::{ConverseRequest, CountTokensRequest};
use crate::scenario::StopReason;

fn hello() -> Value {
    json!({"messages": [{"role": "user", "content": [{"text": "Hello."}]}]})
}

fn read(body: &Value) -> Result<ConverseRequest, (u16, &'static str, String)> {
    ConverseRequest::read("amazon.nova-micro-v1:0", body.to_string().as_bytes())
        .map_err(|refusal| (refusal.status.as_u16(), refusal.type_name, refusal.message))
}

/// The message that refuses `hello` with another member.
fn refused(name: &str, value: Value) -> String {
    let mut body = hello();
    body[name] = value;
    let (status, type_name, message) = read(&body).unwrap_err();
    assert_eq!((status, type_name), (400, "ValidationException"), "{message}");
    message
}

#[test]
fn what_aws_accepts_is_accepted() {
    let bodies = [
        hello(),
        json!({"messages": [{"role": "user", "content": [{"text": "Hi"}]}], "system": [], "inferenceConfig": {}}),
        json!({"messages": [{"role": "user", "content": [{"text": "Hi"}]}], "system": null, "futureMember": [1]}),
        json!({
            "messages": [
                {"role": "user", "content": [{"text": "Hi"}, {"text": "\n"}, {"cachePoint": {"type": "default"}}]},
                {"role": "assistant", "content": [{"reasoningContent": {"reasoningText": {"text": "r"}}}]},
                {"role": "user", "content": [
                    {"document": {"name": "Doc", "format": "txt", "source": {"bytes": "SGVsbG8="}}},
                    {"text": "Go on."},
                    {"guardContent": {"text": {"text": "guarded", "qualifiers": ["guard_content"]}}},
                ]},
            ],
            "system": [{"text": "s"}, {"cachePoint": {"type": "default", "ttl": "1h"}}],
            "inferenceConfig": {"maxTokens": 1, "temperature": 1, "topP": 0, "stopSequences": ["x"]},
            "guardrailConfig": {"guardrailIdentifier": "abc", "guardrailVersion": "12", "trace": "enabled"},
            "toolConfig": {"tools": [{"toolSpec": {"name": "a-b", "inputSchema": {"json": {}}}}]},
            "requestMetadata": {"task id": "a-1_b:@$#=/+,.-"},
            "performanceConfig": {"latency": "optimized"},
            "serviceTier": {"type": "flex"},
            "additionalModelRequestFields": {"anything": {"goes": true}},
            "additionalModelResponseFieldPaths": ["/stop_sequence"],
            "outputConfig": {"effort": "high"},
        }),
    ];
    for body in bodies {
        assert!(read(&body).is_ok(), "{body}: {:?}", read(&body));
    }
}

#[test]
fn what_was_asked_is_read() {
    let body = json!({
        "messages": [
            {"role": "user", "content": [{"text": "first"}]},
            {"role": "assistant", "content": [{"text": "between"}]},
            {"role": "user", "content": [
                {"text": "one"},
                {"document": {"name": "Doc", "format": "md", "source": {"bytes": "dHdv"}}},
            ]},
        ],
        "system": [{"text": "be"}, {"text": "short"}],
        "inferenceConfig": {"maxTokens": 7, "temperature": 0.5},
        "serviceTier": {"type": "priority"},
    });
    let request = read(&body).unwrap();
    assert_eq!(request.system, "be\nshort");
    assert_eq!(request.user_text, "one\ntwo");
    assert_eq!(request.inference.max_tokens, Some(7));
    assert_eq!(request.inference.temperature, Some(0.5));
    assert_eq!(request.echo.service_tier.as_deref(), Some("priority"));
    // "first", "between", "one" and "two", "be", "short", and three for each of five blocks.
    assert_eq!(request.input_tokens, 2 + 2 + (1 + 1) + 1 + 2 + 5 * 3);
}

#[test]
fn broken_constraints_are_told_in_the_form_of_aws() {
    let cases = [
        (
            "inferenceConfig",
            json!({"maxTokens": 0}),
            "1 validation error detected: Value '0' at 'inferenceConfig.maxTokens' failed to satisfy constraint: \
             Member must have value greater than or equal to 1",
        ),
        (
            "inferenceConfig",
            json!({"temperature": 1.5, "topP": -0.1}),
            "2 validation errors detected: Value '1.5' at 'inferenceConfig.temperature' failed to satisfy \
             constraint: Member must have value less than or equal to 1; Value '-0.1' at 'inferenceConfig.topP' \
             failed to satisfy constraint: Member must have value greater than or equal to 0",
        ),
        ("inferenceConfig", json!({"stopSequences": [""]}), "at 'inferenceConfig.stopSequences.1.member'"),
        ("inferenceConfig", json!({"stopSequences": vec!["x"; 2_501]}), "length less than or equal to 2500"),
        (
            "messages",
            json!([{"role": "robot", "content": [{"text": "x"}]}]),
            "set: [user, assistant, system]",
        ),
        ("messages", json!([{"content": [{"text": "x"}]}]), "Value null at 'messages.1.member.role'"),
        ("messages", json!([{"role": "user"}]), "Value null at 'messages.1.member.content'"),
        ("system", json!([{"text": ""}]), "at 'system.1.member.text' failed to satisfy constraint"),
        ("requestMetadata", json!({}), "Member must have length greater than or equal to 1"),
        ("requestMetadata", json!({"a": "\u{e9}"}), "Member must satisfy regular expression pattern"),
        ("requestMetadata", json!({"a|b": "c"}), "Member must satisfy regular expression pattern"),
        ("requestMetadata", json!({"a": "x".repeat(257)}), "length less than or equal to 256"),
        ("guardrailConfig", json!({"trace": "yes"}), "set: [enabled, disabled, enabled_full]"),
        ("guardrailConfig", json!({"guardrailVersion": "01"}), "at 'guardrailConfig.guardrailVersion'"),
        ("toolConfig", json!({"tools": []}), "Member must have length greater than or equal to 1"),
        ("toolConfig", json!({}), "Value null at 'toolConfig.tools'"),
        ("performanceConfig", json!({"latency": "fast"}), "set: [standard, optimized]"),
        ("additionalModelResponseFieldPaths", json!(vec!["/a"; 11]), "length less than or equal to 10"),
    ];
    for (name, value, expected) in cases {
        let message = refused(name, value);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn broken_conversations_are_told_in_the_words_of_aws() {
    let user = |content: Value| json!([{"role": "user", "content": content}]);
    let start = "A conversation must start with a user message. Try again with a conversation that starts with a \
                 user message.";
    let cases = [
        ("messages", json!([]), start),
        ("messages", Value::Null, start),
        ("messages", json!([{"role": "assistant", "content": [{"text": "x"}]}]), start),
        (
            "messages",
            user(json!([{"text": " \n"}])),
            "The text field in the ContentBlock object at messages.0.content.0 is blank. Add text to the text field, \
             and try again.",
        ),
        ("messages", user(json!([{"text": "x"}, {"text": ""}])), "object at messages.0.content.1 is blank."),
        ("messages", user(json!([])), "The content field in the Message object at messages.0 is empty."),
        (
            "messages",
            user(json!([{}])),
            "object at messages.0.content.0 must set one of the following keys: text,",
        ),
        ("messages", user(json!([{"text": "a", "image": {}}])), "must set one of the following keys"),
        ("messages", user(json!([{"unheard": 1}])), "must set one of the following keys"),
        (
            "system",
            json!([{"text": "  "}]),
            "The text field in the SystemContentBlock object at system.0 is blank.",
        ),
        ("serviceTier", json!({"type": "reserved"}), "Reservation not found."),
        ("serviceTier", json!({"type": "best"}), "service tier provided is invalid"),
    ];
    for (name, value, expected) in cases {
        let message = refused(name, value);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_value_of_a_wrong_type_is_a_serialization_exception() {
    let cases = [
        ("messages", json!("Hello"), "Expected list or null"),
        ("messages", json!([{"role": 1, "content": []}]), "NUMBER_VALUE cannot be converted to String"),
        ("inferenceConfig", json!({"maxTokens": "9"}), "STRING_VALUE cannot be converted to Integer"),
        ("inferenceConfig", json!([]), "Unexpected value type in payload"),
    ];
    for (name, value, expected) in cases {
        let mut body = hello();
        body[name] = value;
        let (status, type_name, message) = read(&body).unwrap_err();
        assert_eq!((status, type_name, message.as_str()), (400, "SerializationException", expected));
    }
    let no_json = ConverseRequest::read("m", b"{").unwrap_err();
    assert_eq!(no_json.type_name, "SerializationException");
}

#[test]
fn a_prompt_of_prompt_management_needs_no_messages() {
    let prompt = "arn:aws:bedrock:us-east-1:123456789012:prompt/ABCDEFGHIJ:1";
    let body = json!({"promptVariables": {"topic": {"text": "bridges"}}}).to_string();
    assert_eq!(ConverseRequest::read(prompt, body.as_bytes()).unwrap().user_text, "bridges");
    let body = json!({"system": [{"text": "s"}]}).to_string();
    assert!(ConverseRequest::read(prompt, body.as_bytes()).is_err());
}

#[test]
fn tokens_are_counted_in_both_forms_of_input() {
    let count =
        |body: &Value| CountTokensRequest::read(body.to_string().as_bytes()).map(|read| read.input_tokens);
    assert_eq!(count(&json!({"input": {"converse": hello()}})), Ok(2 + 3));
    let native = "eyJtZXNzYWdlcyI6W3sicm9sZSI6InVzZXIiLCJjb250ZW50IjoiSGVsbG8uIn1dLCJzeXN0ZW0iOiJCZSJ9";
    assert_eq!(count(&json!({"input": {"invokeModel": {"body": native}}})), Ok((2 + 3) + (1 + 3)));
    for wrong in [
        json!({}),
        json!({"input": {}}),
        json!({"input": {"converse": {}, "invokeModel": {"body": native}}}),
        json!({"input": {"invokeModel": {}}}),
        json!({"input": {"invokeModel": {"body": "e30="}}}),
        json!({"input": {"invokeModel": {"body": "?"}}}),
    ] {
        assert_eq!(count(&wrong).unwrap_err().type_name, "ValidationException", "{wrong}");
    }
}

#[test]
fn an_answer_ends_at_its_limit_or_at_a_stop_sequence() {
    let inference = |config: Value| {
        let mut body = hello();
        body["inferenceConfig"] = config;
        read(&body).unwrap().inference
    };
    let text = || "One two three four.".to_owned();
    let cases = [
        (json!({}), "One two three four.", StopReason::EndTurn),
        (json!({"maxTokens": 5}), "One two three four.", StopReason::EndTurn),
        (json!({"maxTokens": 2}), "One two ", StopReason::MaxTokens),
        (json!({"stopSequences": ["four", "three"]}), "One two ", StopReason::StopSequence),
        (json!({"stopSequences": ["four"], "maxTokens": 1}), "One ", StopReason::MaxTokens),
    ];
    for (config, expected, reason) in cases {
        assert_eq!(inference(config).end_of(text()), (expected.to_owned(), reason));
    }
}
