//! What a model was asked: read off a call that the simulator logged.

use bedrock_sim::CallRecord;

use super::all_ended;
use crate::support::TestApp;

/// One call.
pub struct Asked {
    pub call: CallRecord,
    pub stage: Stage,
    pub system: String,
    pub user: String,
}

/// What a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Numbers from 1.
    Part { number: usize, total: usize },
    /// Merges summaries that are merged again.
    Reduce,
    /// Makes the answer out of summaries.
    Answer,
    /// The whole document.
    Whole,
}

impl Asked {
    pub fn of(call: CallRecord) -> Self {
        let request = call.request();
        let system = request["system"][0]["text"].as_str().unwrap().to_owned();
        let user = request["messages"][0]["content"][0]["text"].as_str().unwrap().to_owned();
        let stage = Stage::of(&system);
        Self { call, stage, system, user }
    }

    /// The document, to the byte.
    pub fn document(&self) -> &str {
        self.between("document").expect("every call has a document")
    }

    /// The summary of the parts before.
    pub fn so_far(&self) -> Option<&str> {
        self.between("so-far")
    }

    /// The answer, as it was sent.
    pub fn answer(&self) -> &str {
        self.call.text.as_deref().expect("an answer was sent")
    }

    /// The part's number, from 1.
    pub fn number(&self) -> Option<usize> {
        match self.stage {
            Stage::Part { number, .. } => Some(number),
            Stage::Reduce | Stage::Answer | Stage::Whole => None,
        }
    }

    fn between(&self, fence: &str) -> Option<&str> {
        let tag = format!("<{fence}-");
        let at = self.user.find(&tag)?;
        let boundary = self.user[at + tag.len()..].split('>').next()?;
        let from = at + tag.len() + boundary.len() + ">\n".len();
        let to = self.user.rfind(&format!("\n</{fence}-{boundary}>"))?;
        Some(&self.user[from..to])
    }
}

impl Stage {
    fn of(system: &str) -> Self {
        if let Some((_, place)) = system.split_once("The document is part ") {
            let mut numbers = place.split([' ', '.']).filter_map(|word| word.parse().ok());
            let (number, total) = (numbers.next().unwrap(), numbers.next().unwrap());
            return Self::Part { number, total };
        }
        match system.contains("The document holds summaries of the parts") {
            true if system.contains("for an editor who will merge") => Self::Reduce,
            true => Self::Answer,
            false => Self::Whole,
        }
    }
}

/// All calls that wrote or would have written, in the order in which they came; none runs
/// any more.
pub async fn asked(app: &TestApp) -> Vec<Asked> {
    all_ended(app).await.into_iter().map(Asked::of).collect()
}

/// The summaries in a call that merges, in order.
pub fn summaries(document: &str) -> Vec<Summary<'_>> {
    let is_label = |line: &&str| line.starts_with("[Part") && line.ends_with(']');
    let mut summaries = Vec::new();
    let mut lines = document.lines();
    while let Some(label) = lines.find(is_label) {
        let text = lines.next().unwrap_or_default();
        let mut numbers = label.split([' ', ':', ']']).filter_map(|word| word.parse::<usize>().ok());
        let first = numbers.next().unwrap();
        let last = if label.starts_with("[Parts ") { numbers.next().unwrap() } else { first };
        summaries.push(Summary { first, last, text });
    }
    summaries
}

/// One of the summaries that a call merges.
#[derive(Debug)]
pub struct Summary<'a> {
    /// Numbers of the first and last part that it sums up.
    pub first: usize,
    pub last: usize,
    /// Its first line.
    pub text: &'a str,
}

/// Those about parts, in the order of the document.
pub fn parts(asked: &[Asked]) -> Vec<&Asked> {
    let mut parts: Vec<&Asked> = asked.iter().filter(|call| call.number().is_some()).collect();
    parts.sort_by_key(|call| call.number());
    parts
}

/// The answers of all parts as one text, with the document's white space at the seams.
pub fn joined(parts: &[&Asked], answer: impl Fn(&Asked) -> String) -> String {
    let mut text = String::new();
    for part in parts {
        let document = part.document();
        text.push_str(&document[..document.len() - document.trim_start().len()]);
        text.push_str(answer(part).trim());
        text.push_str(&document[document.trim_end().len()..]);
    }
    text.trim().to_owned()
}

/// Words of one part that stand in no call but its own.
pub fn mark_of<'a>(parts: &[&'a Asked], number: usize) -> &'a str {
    let own = parts.iter().find(|part| part.number() == Some(number)).unwrap();
    let others = || parts.iter().filter(|part| part.number() != Some(number));
    let facts = own.document().match_indices("Fact ").map(|(at, _)| &own.document()[at..]);
    let marks = facts.filter_map(|fact| fact.get(.."Fact 0000".len()));
    let mut free = marks.filter(|mark| others().all(|part| !part.user.contains(mark)));
    free.next().expect("a fact that no other call shows")
}
