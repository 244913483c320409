//! What of a native body is for a guardrail.
//!
//! Owns `amazon-bedrock-guardrailConfig`, the tags around the guarded parts of a text, and how an answer
//! tells what the guardrail did. What is found in the texts is not decided here.
//! The one rule it protects: no tag reaches a model.

use serde_json::{Value, json};

use super::schema::{Kind, Member, Object, optional, text};
use crate::request::{ConverseRequest, Guarding};

/// What an account may add to a body of any format.
pub(super) const CONFIG: &str = "amazon-bedrock-guardrailConfig";
pub(super) const CONFIG_MEMBERS: &[Member] = &[
    optional("tagSuffix", Kind::Suffix(20)),
    optional("streamProcessingMode", Kind::Word(&["SYNCHRONOUS", "ASYNCHRONOUS"])),
];

/// What an answer says of the guardrail that it passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guarded {
    pub(crate) intervened: bool,
    /// The trace as Converse tells it.
    pub(crate) trace: Option<Value>,
}

impl Guarded {
    /// Adds it to an answer, or to the last chunk of a stream.
    pub(crate) fn add_to(&self, json: &mut Value) {
        json["amazon-bedrock-guardrailAction"] =
            Value::from(if self.intervened { "INTERVENED" } else { "NONE" });
        if let Some(trace) = &self.trace {
            json["amazon-bedrock-trace"] = native_trace(trace);
        }
    }
}

/// The trace in the words of InvokeModel, which lists the outputs instead of naming them.
fn native_trace(trace: &Value) -> Value {
    let trace = &trace["guardrail"];
    let mut native = json!({ "actionReason": trace["actionReason"], "input": trace["inputAssessment"] });
    if let Some(outputs) = trace["outputAssessments"].as_object() {
        let told = |(id, assessments): (&String, &Value)| json!({ id.as_str(): assessments[0] });
        native["modelOutput"] = trace["modelOutput"].clone();
        native["outputs"] = outputs.iter().map(told).collect();
    }
    json!({ "guardrail": native })
}

/// Whether the body wants a stream to flow while it is looked at.
pub(super) fn flows(body: &Object) -> bool {
    config(body).is_some_and(|config| text(config, "streamProcessingMode") == "ASYNCHRONOUS")
}

/// The tags that a body announces.
#[derive(Debug)]
pub(super) struct Tags {
    open: String,
    close: String,
}

impl Tags {
    pub(super) fn of(body: &Object) -> Option<Self> {
        let suffix = config(body).map(|config| text(config, "tagSuffix"))?;
        let name = format!("amazon-bedrock-guardrails-guardContent_{suffix}");
        (!suffix.is_empty()).then(|| Self { open: format!("<{name}>"), close: format!("</{name}>") })
    }

    /// Takes the tags out of every text of a body.
    pub(super) fn take_out(&self, body: &mut Object) {
        body.values_mut().for_each(|value| self.take_out_of(value));
    }

    fn take_out_of(&self, value: &mut Value) {
        match value {
            Value::String(text) if text.contains(&self.open) || text.contains(&self.close) => {
                *text = text.replace(&self.open, "").replace(&self.close, "");
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.take_out_of(item)),
            Value::Object(members) => self.take_out(members),
            _ => {}
        }
    }

    /// The tagged parts of a text. A part that is not closed goes on to the end of the text.
    fn parts<'t>(&'t self, text: &'t str) -> impl Iterator<Item = String> + 't {
        let opened = text.split(&self.open).skip(1);
        opened.map(|part| part.split(&self.close).next().unwrap_or(part).to_owned())
    }
}

impl Guarding {
    /// Takes the texts to look at out of a body that has been read: the tagged parts of what the user
    /// says, or all of it where there are none, and the tagged parts of the system text. `tagged` is
    /// the same request with its tags, if it has any.
    pub(super) fn take_native_texts(
        &mut self,
        asked: &ConverseRequest,
        tagged: Option<&(Tags, ConverseRequest)>,
    ) {
        let mut of_system = Vec::new();
        if let Some((tags, tagged)) = tagged {
            self.texts = tagged.user_texts.iter().flat_map(|text| tags.parts(text)).collect();
            of_system = tags.parts(&tagged.system).collect();
        }
        if self.texts.is_empty() {
            self.texts.clone_from(&asked.user_texts);
        }
        let all = asked.user_texts.iter().chain(&of_system);
        self.total_chars = all.map(|text| text.chars().count() as u64).sum();
        self.texts.extend(of_system);
    }
}

fn config(body: &Object) -> Option<&Object> {
    body.get(CONFIG).and_then(Value::as_object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_taken_out_of_every_text_and_their_parts_are_found() {
        let open = "<amazon-bedrock-guardrails-guardContent_x1>";
        let close = "</amazon-bedrock-guardrails-guardContent_x1>";
        let text = format!("a {open}b{close} c {open}d");
        let mut body = json!({CONFIG: {"tagSuffix": "x1"}, "m": [{"t": text}]});
        let body = body.as_object_mut().unwrap();
        let tags = Tags::of(body).unwrap();
        assert_eq!(tags.parts(&text).collect::<Vec<_>>(), ["b", "d"]);
        tags.take_out(body);
        assert_eq!(body["m"][0]["t"], "a b c d");
        assert!(Tags::of(json!({CONFIG: {}}).as_object().unwrap()).is_none());
    }
}
