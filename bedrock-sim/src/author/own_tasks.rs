//! Two tasks that no stand-in can do well, and what it answers to them.
//!
//! Owns the translation that is none, which says so, and the lines of a document in which
//! somebody is to do something. The one rule it protects: it claims no translation, and no
//! action that does not stand in the document.

use super::text::{self, Kind};

/// Stands before a text that was to be translated.
const UNTRANSLATED: &str = "[The simulator does not translate. This is the text as it stands.]";

/// What tells that a sentence speaks of something to be done.
const TO_DO: &[&str] = &[
    "will", "must", "should", "shall", "please", "todo", "needs", "need", "agreed", "promised", "by", "until",
];

const NOTHING_TO_DO: &str = "- No action items.";

/// The most lines of a list.
const MOST_ITEMS: usize = 12;

/// The answer, if the instructions ask for one of the two.
pub(super) fn write(system: &str, document: &str) -> Option<String> {
    let lines = || system.lines().map(|line| line.trim_start_matches(['-', ' ']));
    let orders = |words: &str| lines().any(|line| line.starts_with(words));
    if orders("Translate the document") {
        Some(untranslated(system, document))
    } else if orders("Make one list of all action items") {
        Some(merged(document))
    } else if orders("List the action items") {
        Some(action_items(document))
    } else {
        None
    }
}

/// The note stands once, however many parts the text is worked on in.
fn untranslated(system: &str, document: &str) -> String {
    let later_part = system.lines().any(|line| {
        let place = line.split_once("The document is part ").map(|(_, place)| place);
        place.is_some_and(|place| !place.starts_with("1 of "))
    });
    if later_part { document.to_owned() } else { format!("{UNTRANSLATED}\n\n{document}") }
}

fn action_items(document: &str) -> String {
    let blocks =
        text::blocks(document).into_iter().filter(|block| matches!(block.kind, Kind::Prose | Kind::Item));
    let sentences = blocks.flat_map(|block| text::sentences(block.text));
    list(
        sentences
            .filter(|sentence| is_to_do(sentence))
            .map(|sentence| format!("- [ ] {}", text::one_line(sentence))),
    )
}

fn is_to_do(sentence: &str) -> bool {
    let words = sentence.split(|c: char| !c.is_alphanumeric());
    words.map(str::to_lowercase).any(|word| TO_DO.contains(&word.as_str()))
}

/// The items of all lists, each once.
fn merged(document: &str) -> String {
    list(document.lines().filter(|line| line.starts_with("- [")).map(str::to_owned))
}

fn list(items: impl Iterator<Item = String>) -> String {
    let mut kept: Vec<String> = Vec::new();
    for item in items {
        if kept.len() < MOST_ITEMS && !kept.contains(&item) {
            kept.push(item);
        }
    }
    if kept.is_empty() { NOTHING_TO_DO.to_owned() } else { kept.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::{NOTHING_TO_DO, UNTRANSLATED, write};

    #[test]
    fn a_translation_that_is_none_says_so_once() {
        let whole = "You are a translator.\n\nJob:\n- Translate the document into the language: de.";
        assert_eq!(write(whole, "A text.").unwrap(), format!("{UNTRANSLATED}\n\nA text."));
        let first = format!("{whole}\n\nParts:\n- The document is part 1 of 3 of a longer text.");
        assert!(write(&first, "A text.").unwrap().starts_with(UNTRANSLATED));
        let later = format!("{whole}\n\nParts:\n- The document is part 2 of 3 of a longer text.");
        assert_eq!(write(&later, "A text.").unwrap(), "A text.");
    }

    #[test]
    fn items_are_sentences_of_the_document_and_merge_without_repetition() {
        let job = "- List the action items of the document: what somebody is to do.";
        let minutes = "We met on Monday. Dana will send the plan by Friday.\n\n- Please book a room.";
        assert_eq!(
            write(job, minutes).unwrap(),
            "- [ ] Dana will send the plan by Friday.\n- [ ] Please book a room."
        );
        assert_eq!(write(job, "It rained.").unwrap(), NOTHING_TO_DO);
        let merge = "- Make one list of all action items in the document.";
        let lists = "[Part 1 of 2]\n- [ ] One.\n- [ ] Two.\n\n[Part 2 of 2]\n- [ ] Two.\n- No action items.";
        assert_eq!(write(merge, lists).unwrap(), "- [ ] One.\n- [ ] Two.");
        assert_eq!(write("Summarize the document.", minutes), None);
    }
}
