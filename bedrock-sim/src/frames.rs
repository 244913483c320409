//! Event-stream frames: one event in, its bytes out.
//!
//! Owns the header order, the JSON of each payload (keys in alphabetical order, as on the real
//! wire) and the padding field `p`. It does not decide which event comes when; that is a script.
//! The one rule it protects: the same event without padding gives the same bytes as AWS.

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::base64;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::{Bytes, BytesMut};
use rand::Rng;

use crate::errors::StreamError;
use crate::operations::ToldUsage;
use crate::request::Echo;
use crate::script::ToolStart;

const PADDING: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
/// The prelude of a frame: two lengths and their checksum.
const PRELUDE_BYTES: usize = 12;

/// One message of a ConverseStream response.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event<'a> {
    MessageStart,
    Text {
        block: u32,
        text: &'a str,
    },
    ToolStart {
        block: u32,
        tool: &'a ToolStart,
    },
    ToolInput {
        block: u32,
        input: &'a str,
    },
    Reasoning {
        block: u32,
        text: &'a str,
    },
    ReasoningSignature {
        block: u32,
        signature: &'a str,
    },
    BlockStop {
        block: u32,
    },
    MessageStop {
        reason: &'a str,
    },
    Metadata {
        usage: ToldUsage,
        echo: &'a Echo,
        latency_ms: u64,
    },
    /// An event type that no published model has.
    Unheard,
    Exception(StreamError),
}

/// A random beginning of the padding alphabet, at least one letter long.
pub(crate) fn padding(random: &mut impl Rng) -> &'static str {
    &PADDING[..random.random_range(1..=PADDING.len())]
}

/// Appends the frame of `event` to `out`. Exceptions carry no padding.
pub(crate) fn write(event: &Event<'_>, padding: Option<&str>, out: &mut BytesMut) {
    match event {
        Event::Exception(error) => write_message(&exception(*error), out),
        _ => write_event(event_type(event), payload(event, padding), out),
    }
}

/// Appends the frame of one chunk of a native stream: JSON of the model's own, in base64.
pub(crate) fn write_chunk(json: &str, padding: Option<&str>, out: &mut BytesMut) {
    let mut payload = Vec::with_capacity(json.len() * 4 / 3 + 96);
    push(&mut payload, "{\"bytes\":\"");
    push(&mut payload, &base64::encode(json));
    push(&mut payload, "\"");
    push_padding(&mut payload, padding, true);
    push(&mut payload, "}");
    write_event("chunk", Bytes::from(payload), out);
}

fn write_event(event_type: &'static str, payload: Bytes, out: &mut BytesMut) {
    let headers = vec![
        header(":event-type", event_type),
        header(":content-type", "application/json"),
        header(":message-type", "event"),
    ];
    write_message(&Message::new_from_parts(headers, payload), out);
}

fn write_message(message: &Message, out: &mut BytesMut) {
    write_message_to(message, out).expect("names, values and payloads stay far below the limits");
}

/// The length of the frame that starts at the beginning of `bytes`, if its prelude is there.
pub(crate) fn frame_length(bytes: &[u8]) -> Option<usize> {
    let length = bytes.get(..4)?;
    (bytes.len() >= PRELUDE_BYTES)
        .then(|| u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize)
}

fn event_type(event: &Event<'_>) -> &'static str {
    match event {
        Event::MessageStart => "messageStart",
        Event::ToolStart { .. } => "contentBlockStart",
        Event::Text { .. }
        | Event::ToolInput { .. }
        | Event::Reasoning { .. }
        | Event::ReasoningSignature { .. } => "contentBlockDelta",
        Event::BlockStop { .. } => "contentBlockStop",
        Event::MessageStop { .. } => "messageStop",
        Event::Metadata { .. } => "metadata",
        Event::Unheard => "somethingNew",
        Event::Exception(error) => error.member(),
    }
}

fn payload(event: &Event<'_>, padding: Option<&str>) -> Bytes {
    let mut json = Vec::with_capacity(128);
    match event {
        Event::MessageStart => {
            push(&mut json, "{");
            push_padding(&mut json, padding, false);
            push(&mut json, "\"role\":\"assistant\"}");
        }
        Event::Text { block, text } => {
            push_delta(&mut json, *block, "{\"text\":", text, "}", padding);
        }
        Event::ToolStart { block, tool } => {
            push(&mut json, &format!("{{\"contentBlockIndex\":{block}"));
            push_padding(&mut json, padding, true);
            push(&mut json, ",\"start\":{\"toolUse\":{\"name\":");
            push_string(&mut json, &tool.name);
            push(&mut json, ",\"toolUseId\":");
            push_string(&mut json, &tool.id);
            push(&mut json, "}}}");
        }
        Event::ToolInput { block, input } => {
            push_delta(&mut json, *block, "{\"toolUse\":{\"input\":", input, "}}", padding);
        }
        Event::Reasoning { block, text } => {
            let open = "{\"reasoningContent\":{\"text\":";
            push_delta(&mut json, *block, open, text, "}}", padding);
        }
        Event::ReasoningSignature { block, signature } => {
            let open = "{\"reasoningContent\":{\"signature\":";
            push_delta(&mut json, *block, open, signature, "}}", padding);
        }
        Event::BlockStop { block } => {
            push(&mut json, &format!("{{\"contentBlockIndex\":{block}"));
            push_padding(&mut json, padding, true);
            push(&mut json, "}");
        }
        Event::MessageStop { reason } => {
            push(&mut json, "{");
            push_padding(&mut json, padding, false);
            push(&mut json, "\"stopReason\":");
            push_string(&mut json, reason);
            push(&mut json, "}");
        }
        Event::Metadata { usage, echo, latency_ms } => {
            push(&mut json, &format!("{{\"metrics\":{{\"latencyMs\":{latency_ms}}}"));
            push_padding(&mut json, padding, true);
            push_word(&mut json, ",\"performanceConfig\":{\"latency\":", echo.latency.as_deref());
            push_word(&mut json, ",\"serviceTier\":{\"type\":", echo.service_tier.as_deref());
            if let Some(trace) = &echo.trace {
                push(&mut json, &format!(",\"trace\":{trace}"));
            }
            push(&mut json, ",\"usage\":");
            push(&mut json, &usage.to_value().to_string());
            push(&mut json, "}");
        }
        Event::Unheard => {
            push(&mut json, "{\"note\":\"an event type of a later version\"");
            push_padding(&mut json, padding, true);
            push(&mut json, "}");
        }
        Event::Exception(_) => {}
    }
    Bytes::from(json)
}

fn exception(error: StreamError) -> Message {
    if error == StreamError::Unmodelled {
        return Message::new_from_parts(
            vec![
                header(":error-code", "InternalError"),
                header(":error-message", error.message()),
                header(":message-type", "error"),
            ],
            Bytes::new(),
        );
    }
    Message::new_from_parts(
        vec![
            header(":exception-type", error.member()),
            header(":content-type", "application/json"),
            header(":message-type", "exception"),
        ],
        Bytes::from(error.body().to_string()),
    )
}

fn header(name: &'static str, value: &'static str) -> Header {
    Header::new(name, HeaderValue::String(value.into()))
}

fn push(json: &mut Vec<u8>, text: &str) {
    json.extend_from_slice(text.as_bytes());
}

fn push_string(json: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(&mut *json, text).expect("writing a string to memory cannot fail");
}

fn push_word(json: &mut Vec<u8>, open: &str, word: Option<&str>) {
    let Some(word) = word else { return };
    push(json, open);
    push_string(json, word);
    push(json, "}");
}

fn push_padding(json: &mut Vec<u8>, padding: Option<&str>, after_member: bool) {
    let Some(padding) = padding else { return };
    push(json, if after_member { ",\"p\":\"" } else { "\"p\":\"" });
    push(json, padding);
    push(json, if after_member { "\"" } else { "\"," });
}

fn push_delta(json: &mut Vec<u8>, block: u32, open: &str, text: &str, close: &str, padding: Option<&str>) {
    push(json, "{\"contentBlockIndex\":");
    push(json, &block.to_string());
    push(json, ",\"delta\":");
    push(json, open);
    push_string(json, text);
    push(json, close);
    push_padding(json, padding, true);
    push(json, "}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::Usage;

    /// A real messageStart frame of 118 bytes, as AWS sends it without padding.
    const MESSAGE_START: &str = "000000760000005296d5fade0b3a6576656e742d7479706507000c6d657373616765\
        53746172740d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d657373616765\
        2d747970650700056576656e747b22726f6c65223a22617373697374616e74227d6fa8c599";

    fn unpadded(event: &Event<'_>) -> Vec<u8> {
        let mut out = BytesMut::new();
        write(event, None, &mut out);
        out.to_vec()
    }

    fn payload_text(event: &Event<'_>, padding: Option<&str>) -> String {
        String::from_utf8(payload(event, padding).to_vec()).unwrap()
    }

    #[test]
    fn message_start_is_the_golden_frame() {
        let hex: String = unpadded(&Event::MessageStart).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, MESSAGE_START);
    }

    #[test]
    fn payload_keys_are_in_alphabetical_order() {
        let usage = Usage { input_tokens: 13, output_tokens: 82 }.into();
        let tool = ToolStart { id: "tooluse_1".into(), name: "points".into() };
        let traced = Echo { trace: Some(serde_json::json!({"x": 1})), ..Echo::default() };
        let cases = [
            (Event::MessageStart, r#"{"p":"ab","role":"assistant"}"#),
            (
                Event::Text { block: 0, text: "a \"b\"\n" },
                r#"{"contentBlockIndex":0,"delta":{"text":"a \"b\"\n"},"p":"ab"}"#,
            ),
            (
                Event::Reasoning { block: 1, text: "why" },
                r#"{"contentBlockIndex":1,"delta":{"reasoningContent":{"text":"why"}},"p":"ab"}"#,
            ),
            (
                Event::ToolStart { block: 1, tool: &tool },
                r#"{"contentBlockIndex":1,"p":"ab","start":{"toolUse":{"name":"points","toolUseId":"tooluse_1"}}}"#,
            ),
            (
                Event::ToolInput { block: 1, input: "{\"a\":" },
                r#"{"contentBlockIndex":1,"delta":{"toolUse":{"input":"{\"a\":"}},"p":"ab"}"#,
            ),
            (
                Event::Metadata { usage, echo: &traced, latency_ms: 1 },
                r#"{"metrics":{"latencyMs":1},"p":"ab","trace":{"x":1},"usage":{"inputTokens":13,"outputTokens":82,"serverToolUsage":{},"totalTokens":95}}"#,
            ),
            (Event::BlockStop { block: 2 }, r#"{"contentBlockIndex":2,"p":"ab"}"#),
            (Event::MessageStop { reason: "end_turn" }, r#"{"p":"ab","stopReason":"end_turn"}"#),
            (
                Event::Metadata { usage, echo: &Echo::default(), latency_ms: 522 },
                r#"{"metrics":{"latencyMs":522},"p":"ab","usage":{"inputTokens":13,"outputTokens":82,"serverToolUsage":{},"totalTokens":95}}"#,
            ),
        ];
        for (event, expected) in cases {
            assert_eq!(payload_text(&event, Some("ab")), expected);
        }
    }

    #[test]
    fn a_chunk_holds_the_json_of_the_model_in_base64() {
        let mut out = BytesMut::new();
        write_chunk("{}", Some("ab"), &mut out);
        let text = String::from_utf8_lossy(&out).into_owned();
        assert!(text.contains("chunk") && text.contains(r#"{"bytes":"e30=","p":"ab"}"#), "{text}");
    }

    #[test]
    fn padding_is_a_beginning_of_the_alphabet() {
        let mut random = rand::rng();
        for _ in 0..200 {
            let padding = padding(&mut random);
            assert!(!padding.is_empty() && PADDING.starts_with(padding));
        }
    }

    #[test]
    fn the_length_of_a_frame_is_read_from_its_prelude() {
        let frame = unpadded(&Event::MessageStart);
        assert_eq!(frame_length(&frame), Some(118));
        assert_eq!(frame_length(&frame[..11]), None);
    }
}
