//! The shape of a prompt: rules on one side, the fenced document on the other, and what was
//! said of it since.
//!
//! The document is data. It stands alone in the first user turn between two lines that
//! carry a random boundary, so that text inside it cannot pretend to end it. It
//! is shared, not copied: a prompt that is tried on three models holds it once.
//! What a user says of an answer stands in turns of its own, outside of every fence.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;

use super::passage::Passage;

/// Where fences get their names from: one for a process.
#[derive(Debug, Clone, Default)]
pub struct Fences(RandomState);

impl Fences {
    /// A name of 64 random bits for the fences of one prompt.
    pub fn boundary(&self) -> Boundary {
        Boundary { name: hex(rand::random()), fences: Some(self.clone()) }
    }
}

/// A random name for one prompt's fences, unknown to whoever wrote the document: 16
/// hexadecimal digits.
#[derive(Debug, Clone)]
pub struct Boundary {
    name: String,
    fences: Option<Fences>,
}

impl Boundary {
    /// A boundary of the caller's choosing, for golden files and replays.
    pub fn fixed(name: &str) -> Self {
        Self { name: name.to_owned(), fences: None }
    }

    /// The name of the fences around a text that many prompts hold: the same for the same
    /// text as long as the process lives, so that those prompts begin alike, and unknown
    /// to whoever wrote the text.
    pub fn around(&self, text: &str) -> String {
        self.fences.as_ref().map_or_else(|| self.name.clone(), |fences| hex(fences.0.hash_one(text)))
    }
}

fn hex(bits: u64) -> String {
    format!("{bits:016x}")
}

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The first user turn: an opening fence, the document, a closing fence.
#[derive(Clone)]
pub struct FencedDocument {
    /// What of the whole document helps to understand this part of it, in fences of its
    /// own; else empty.
    pub before: String,
    pub opening: String,
    pub document: Passage,
    pub closing: String,
}

impl FencedDocument {
    /// The whole turn as the model reads it.
    pub fn assemble(&self) -> String {
        [self.before.as_str(), &self.opening, &self.document, &self.closing].concat()
    }
}

/// What was said after the document: an answer to it, and what the user wishes of the next.
/// Neither is blank.
#[derive(Clone, PartialEq, Eq)]
pub struct Exchange {
    /// In the assistant's turn. It comes back by way of the caller, who may have changed it.
    pub answer: Passage,
    /// In a user turn of its own.
    pub wish: Passage,
}

/// Everything a model is told in one call.
#[derive(Clone)]
pub struct Prompt {
    /// Role and rules. Empty only when a task needs none.
    pub system: String,
    /// How much of `system`, in bytes from its begin, other calls are told word for
    /// word, too: those of the other parts of a document, or of the next request with
    /// the same background. Never inside a character; 0 where nothing is known.
    pub shared_bytes: usize,
    /// Where `system` quotes the document, in bytes: behind what is shared, never inside a
    /// character, and empty where it does not.
    pub quoted: Range<usize>,
    /// The document to work on.
    pub user: FencedDocument,
    /// What came after it, in order; empty where the document is all that was said.
    pub later: Vec<Exchange>,
}

impl Prompt {
    /// A document without a word about it: for a model that is to count it.
    pub fn of_document(document: Passage) -> Self {
        let user = FencedDocument {
            before: String::new(),
            opening: String::new(),
            document,
            closing: String::new(),
        };
        Self { system: String::new(), shared_bytes: 0, quoted: 0..0, user, later: Vec::new() }
    }

    /// The rules that other calls are told, too, and the rest of them.
    pub fn split_system(&self) -> (&str, &str) {
        self.system.split_at_checked(self.shared_bytes).unwrap_or((&self.system, ""))
    }

    /// The answers that came back with the caller's wishes, as one text; `None` where there are none.
    pub fn answers_so_far(&self) -> Option<Passage> {
        match self.later.as_slice() {
            [] => None,
            [only] => Some(only.answer.clone()),
            several => {
                let answers: Vec<&str> = several.iter().map(|exchange| &*exchange.answer).collect();
                Some(answers.join("\n\n").into())
            }
        }
    }

    /// The rules before the quotation of the document, the quotation, and the rules behind it.
    pub fn around_quotation(&self) -> [&str; 3] {
        let at = |range: Range<usize>| self.system.get(range).unwrap_or_default();
        if self.quoted.is_empty() {
            return [&self.system, "", ""];
        }
        [at(0..self.quoted.start), at(self.quoted.clone()), at(self.quoted.end..self.system.len())]
    }
}

/// Tells sizes alone: a prompt holds somebody's document.
impl fmt::Debug for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prompt({} bytes of rules, {:?}, {:?})", self.system.len(), self.user, self.later)
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exchange({:?}, {:?})", self.answer, self.wish)
    }
}

impl fmt::Debug for FencedDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FencedDocument({:?})", self.document)
    }
}

#[cfg(test)]
mod tests {
    use super::{Boundary, Fences};

    #[test]
    fn a_shared_text_has_fences_of_one_name_and_every_prompt_has_others() {
        let fences = Fences::default();
        let (one, other) = (fences.boundary(), fences.boundary());
        assert_ne!(one.to_string(), other.to_string());
        assert_eq!(one.around("background"), other.around("background"));
        assert_ne!(one.around("background"), one.around("other background"));
        assert_ne!(one.around("background"), Fences::default().boundary().around("background"));
        assert_eq!(Boundary::fixed("b").around("background"), "b");
    }
}
