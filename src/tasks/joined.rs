//! Tasks whose answers to the parts of a document, joined in order, are the answer.
//!
//! Owns what such tasks have in common where a document is worked on in parts: the
//! call of a part, and what stands between two answers. The rule it protects: the
//! seams of the answer are those of the document.

use super::expand::Expand;
use super::own::OwnTask;
use super::part::Part;
use super::rephrase::Rephrase;
use crate::domain::{Boundary, OutputSize, Prompt};

/// A task that is done part by part.
#[derive(Debug, Clone)]
pub enum Joined {
    Rephrase(Rephrase),
    Expand(Expand),
    Own(OwnTask),
}

impl Joined {
    /// What is asked of a model about this part; `None` when there is nothing in it to work on.
    pub fn part(&self, part: &Part, boundary: &Boundary) -> Option<(Prompt, OutputSize)> {
        match self {
            Self::Rephrase(whole) => {
                let task = whole.on(part)?;
                let size = task.output_size(part.tokens);
                Some((task.part_prompt(part, &whole.document(), boundary), size))
            }
            Self::Expand(whole) => {
                let task = whole.on(part)?;
                let size = task.output_size(part.tokens);
                Some((task.part_prompt(part, &whole.document(), boundary), size))
            }
            Self::Own(whole) => {
                let task = whole.on(part)?;
                let size = task.output_size(part.tokens);
                Some((task.joined_prompt(part, &whole.document(), boundary), size))
            }
        }
    }

    /// The size of the answer to this part, with its share of what all parts share.
    pub fn part_size(&self, part: &Part) -> OutputSize {
        let size = match self {
            Self::Rephrase(whole) => whole.on(part).map(|task| task.output_size(part.tokens)),
            Self::Expand(whole) => whole.on(part).map(|task| task.output_size(part.tokens)),
            Self::Own(whole) => whole.on(part).map(|task| task.output_size(part.tokens)),
        };
        size.unwrap_or_else(|| self.output_size(part.tokens))
    }

    /// The size of the answer to a stretch of so many tokens.
    pub fn output_size(&self, input_tokens: u32) -> OutputSize {
        match self {
            Self::Rephrase(task) => task.output_size(input_tokens),
            Self::Expand(task) => task.output_size(input_tokens),
            Self::Own(task) => task.output_size(input_tokens),
        }
    }

    /// The white space that stands before and after the answer to a part: that of the
    /// part itself. Items of a list become paragraphs.
    pub fn edges<'a>(&self, part: &'a str) -> (&'a str, &'a str) {
        let lead = &part[..part.len() - part.trim_start().len()];
        match self {
            Self::Expand(task) if task.is_list() => ("", "\n\n"),
            // A blank part is all before its empty answer.
            Self::Rephrase(_) | Self::Expand(_) | Self::Own(_) if lead.len() == part.len() => (lead, ""),
            Self::Rephrase(_) | Self::Expand(_) | Self::Own(_) => (lead, &part[part.trim_end().len()..]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Joined;
    use crate::domain::{Boundary, Passage, TaskKind};
    use crate::tasks::{Fields, Part, Task};
    use serde_json::{Value, json};

    fn joined(kind: TaskKind, body: Value) -> Joined {
        let Value::Object(members) = body else { panic!("not an object") };
        match Task::read(kind, &mut Fields::new(members)).unwrap() {
            Task::Rephrase(task) => Joined::Rephrase(task),
            Task::Expand(task) => Joined::Expand(task),
            Task::Summarize(_) | Task::Generate(_) | Task::Refine(_) | Task::Own(_) => {
                panic!("it is not joined")
            }
        }
    }

    fn document(task: &Joined) -> Passage {
        match task {
            Joined::Rephrase(task) => task.document(),
            Joined::Expand(task) => task.document(),
            Joined::Own(task) => task.document(),
        }
    }

    fn half(document: &Passage, range: std::ops::Range<usize>) -> Part {
        let before = document.part(0..range.start);
        let text = document.part(range);
        Part { text, before, headings: Vec::new(), number: 2, total: 2, tokens: 50, document_tokens: 100 }
    }

    #[test]
    fn a_word_limit_is_shared_by_the_parts() {
        let table = [
            (TaskKind::Rephrase, json!({"text": "One. Two.", "max_words": 100}), "at most 50 words"),
            (TaskKind::Expand, json!({"text": "One. Two.", "max_words": 100}), "at most 50 words"),
            (TaskKind::Expand, json!({"text": "One. Two.", "length": "short"}), "at most 50 words"),
        ];
        for (kind, body, limit) in table {
            let task = joined(kind, body);
            let part = half(&document(&task), 5..9);
            let (prompt, _) = task.part(&part, &Boundary::fixed("b")).unwrap();
            assert!(prompt.system.contains(limit), "{}", prompt.system);
            assert_eq!(
                prompt.user.assemble(),
                "<before-b>\nOne.\n</before-b>\n<document-b>\nTwo.\n</document-b>"
            );
        }
    }

    #[test]
    fn every_part_is_told_the_same_voice() {
        let task = joined(TaskKind::Rephrase, json!({"text": "We met. We talked. We left."}));
        let document = document(&task);
        let voices = [0..8, 8..19, 19..27].map(|range| {
            let (prompt, _) = task.part(&half(&document, range), &Boundary::fixed("b")).unwrap();
            let at = prompt.system.find("All parts keep one voice").unwrap();
            prompt.system[at..].to_owned()
        });
        assert!(voices.windows(2).all(|pair| {
            // Only the first part has nothing before it, which changes the line about its place.
            pair[0].split("Document:").next() == pair[1].split("Document:").next()
        }));
        assert!(voices[0].contains("\n<opening-b>\nWe met. We talked. We left.\n</opening-b>\n"));
    }

    #[test]
    fn a_blank_part_is_no_work() {
        let task = joined(TaskKind::Rephrase, json!({"text": "One.\n\n\n\n"}));
        let part = half(&document(&task), 5..8);
        assert!(task.part(&part, &Boundary::fixed("b")).is_none());
    }

    #[test]
    fn edges_are_those_of_the_part_and_list_items_become_paragraphs() {
        let text = joined(TaskKind::Rephrase, json!({"text": "a"}));
        assert_eq!(text.edges("\tOne. \n"), ("\t", " \n"));
        assert_eq!(text.edges("unbroken"), ("", ""));
        assert_eq!(text.edges(" \n "), (" \n ", ""));
        let list = joined(TaskKind::Expand, json!({"bullets": ["a", "b"]}));
        assert_eq!(list.edges("- a\n"), ("", "\n\n"));
    }
}
