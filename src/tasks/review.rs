//! What is made of an answer that has to be of some shape or length.
//!
//! Owns the verdict on a finished answer. It calls no model: whoever does asks here
//! whether the answer can be told, and if not, what to tell the model. The rule it
//! protects: what was told as it came is never changed afterwards.

use super::generate::Platform;
use super::shape::Shape;

/// The verdict on an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Review {
    /// It can be told.
    Good(Reviewed),
    /// It cannot be told as it is; the sentences say to the model what is wrong.
    Poor { problem: String },
}

/// An answer in its final words.
#[derive(Debug, Clone, PartialEq)]
pub struct Reviewed {
    pub text: String,
    pub remarks: Vec<Remark>,
    pub source: AnswerSource,
}

/// Of two answers, the one that the words are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerSource {
    /// The one at hand, with or without what was good of the one before it.
    Latest,
    /// The one before it alone.
    Earlier,
}

/// Something the caller should know of what was done to the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remark {
    /// A post was longer than its platform takes, also when it was written anew.
    PostShortened(Platform),
}

impl Reviewed {
    /// The words of the answer at hand, of which nothing has to be said.
    pub(crate) fn latest(text: String) -> Self {
        Self { text, remarks: Vec::new(), source: AnswerSource::Latest }
    }
}

/// The verdict on an answer that is of a shape or, where there is none, prose. What was told
/// as it came has to be data to the byte; else it may stand among words.
pub(super) fn verdict(shape: Option<&Shape>, answer: &str, was_told: bool) -> Review {
    let Some(shape) = shape else { return Review::Good(Reviewed::latest(answer.to_owned())) };
    match shape.data(answer) {
        Ok(_) => Review::Good(Reviewed::latest(answer.to_owned())),
        Err(problem) if was_told => Review::Poor { problem },
        Err(_) => match shape.data_within(answer) {
            Ok(value) => Review::Good(Reviewed::latest(value.to_string())),
            Err(problem) => Review::Poor { problem },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{Review, Reviewed, verdict};
    use crate::tasks::shape::Shape;

    #[test]
    fn words_around_data_are_taken_away_only_where_nothing_was_told() {
        let shape = Shape::of_ours("sample", r#"{"type": "object", "required": ["a"]}"#);
        let good = |text: &str| Review::Good(Reviewed::latest(text.to_owned()));
        let exact = "{ \"a\": 1 }";
        let wordy = "{ \"a\": 1 }\n\nHope this helps!";
        assert_eq!(verdict(Some(&shape), exact, true), good(exact));
        assert_eq!(verdict(Some(&shape), exact, false), good(exact));
        assert_eq!(verdict(Some(&shape), wordy, false), good("{\"a\":1}"));
        assert!(matches!(verdict(Some(&shape), wordy, true), Review::Poor { .. }));
        assert_eq!(verdict(None, wordy, true), good(wordy));
    }
}
