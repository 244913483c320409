//! Event-stream frames as Bedrock lays them out.

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use serde_json::Value;

/// The frame of an `event` or an `exception` of that name.
pub fn frame(kind: &'static str, name: &str, payload: &Value) -> Vec<u8> {
    let name_header = if kind == "exception" { ":exception-type" } else { ":event-type" };
    let headers = [(name_header, name), (":content-type", "application/json"), (":message-type", kind)];
    encode(&headers, payload.to_string())
}

/// The frame of an error that no model describes: its headers say it all.
pub fn error_frame(code: &str, message: &str) -> Vec<u8> {
    encode(&[(":error-code", code), (":error-message", message), (":message-type", "error")], String::new())
}

fn encode(headers: &[(&'static str, &str)], payload: String) -> Vec<u8> {
    let message = headers.iter().fold(Message::new(payload), |message, (name, value)| {
        message.add_header(Header::new(*name, HeaderValue::String((*value).to_owned().into())))
    });
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).unwrap();
    bytes
}
