//! The author: answers a prompt from the sentences of the document in it.
//!
//! The usual author is no model. It finds the document, finds the task in the instructions by common
//! words, and writes an answer out of the document's own sentences. Where it has answered already and
//! is told what to change, it changes that answer. The same prompt always gets the same answer, in
//! the language of the document, in time linear in its length.
//! The one rule it protects: it states nothing that the document does not state.

mod brief;
mod document;
mod expand;
mod generate;
mod headline;
mod own_tasks;
mod rank;
mod rephrase;
mod revise;
mod structured;
mod summary;
mod text;
mod wording;
mod words;

use serde_json::Value;

use crate::request::Speaker;
use crate::upstream::Upstream;
use brief::{Brief, Form};

/// Who writes the answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Author {
    /// This module: no model, but sentences of the document in the prompt.
    #[default]
    Sentences,
    /// A real model behind a server of chat completions. It answers for every model id.
    Upstream(Upstream),
}

/// Answers `user_text` as `system` asks.
///
/// The document is a region of `user_text` between a pair of lines such as `<text>` and `</text>`, or
/// all of it: one whose name begins with `document` if there is one, and among equals the longest.
/// The task is read from `system` and from what stands outside of all regions.
pub fn write(system: &str, user_text: &str) -> String {
    if let Some(schema) = schema_in(system) {
        return write_json(&schema, system, user_text);
    }
    let (document, around) = document::find(user_text);
    if let Some(answer) = own_tasks::write(system, document) {
        return answer;
    }
    if let Some(piece) = generate::asked(system) {
        return generate::write(piece, document, system);
    }
    let brief = Brief::read(system, &around);
    let answer = match brief.form {
        Form::Bullets | Form::Prose => summary::write(document, &brief),
        Form::Headline => headline::write(document, &brief),
        Form::Rephrase => rephrase::write(document, &brief),
        Form::Expand => expand::write(document, &brief),
        Form::Reply => summary::reply(document, &brief),
    };
    if answer.is_empty() { text::one_line(document) } else { answer }
}

/// Answers the last word of a conversation.
///
/// Where that holds no document of its own, but one was sent and answered before, it is a wish
/// about that answer. Else it is answered as if nothing had been said before.
pub(crate) fn answer(system: &str, earlier: &[(Speaker, String)], user_text: &str) -> String {
    let revised =
        earlier.last().filter(|(speaker, _)| *speaker == Speaker::Assistant).and_then(|(_, last)| {
            let document = document_before(earlier, user_text)?;
            Some(revise::write(document, last, user_text))
        });
    revised.unwrap_or_else(|| write(system, user_text))
}

/// The same as JSON that follows `schema`; a wish about it is not heard.
pub(crate) fn answer_json(
    schema: &Value,
    system: &str,
    earlier: &[(Speaker, String)],
    user_text: &str,
) -> String {
    let document = document_before(earlier, user_text).unwrap_or_else(|| document::find(user_text).0);
    data(schema, system, document)
}

/// The document that was sent last, if `user_text` holds none.
fn document_before<'t>(earlier: &'t [(Speaker, String)], user_text: &str) -> Option<&'t str> {
    if document::fenced(user_text).is_some() {
        return None;
    }
    let said = earlier.iter().rev().filter(|(speaker, _)| *speaker == Speaker::User);
    said.filter_map(|(_, text)| document::fenced(text)).next()
}

/// Answers with JSON that follows `schema`, filled from the document's sentences.
pub fn write_json(schema: &Value, system: &str, user_text: &str) -> String {
    data(schema, system, document::find(user_text).0)
}

fn data(schema: &Value, system: &str, document: &str) -> String {
    match generate::asked_as(schema) {
        Some(piece) => generate::write_json(piece, schema, document, system),
        None => structured::write(schema, document),
    }
    .to_string()
}

/// The schema that instructions ask to follow in words: a line of its own after one that announces it.
fn schema_in(system: &str) -> Option<Value> {
    let (_, behind) = system.split_once("JSON schema:\n")?;
    serde_json::from_str(behind.lines().next()?).ok()
}

#[cfg(test)]
mod tests;
