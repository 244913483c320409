//! Tells a model's reasoning from its answer where both come as one text.
//!
//! Reasoning stands at the beginning, between tags, or up to a tag whose opening the
//! prompt has written already. A tag later on is text: an answer may be about XML. Tags
//! may come in pieces, so what could be the begin of one waits. The one rule: reasoning
//! that is never closed is never told.

use crate::inference::NativeFormat;

/// What reasoning stands between.
const TAGS: [(&str, &str); 2] = [("<reasoning>", "</reasoning>"), ("<think>", "</think>")];

/// A text on its way from a model.
#[derive(Debug)]
pub(super) struct Prose {
    state: State,
    /// Whether reasoning may come, and with it what begins like a tag.
    tagged: bool,
    /// What may be the begin of a tag, or white space before the first word.
    waiting: String,
    /// The newest piece of reasoning that is not closed.
    newest: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No word of the answer was there yet.
    Before,
    Reasoning {
        close: &'static str,
    },
    Answer,
}

/// What became of a piece.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sorted {
    pub(super) text: String,
    /// Whether some of it was reasoning.
    pub(super) thinks: bool,
}

impl Prose {
    pub(super) fn of(format: NativeFormat) -> Self {
        let (state, tagged) = match format {
            NativeFormat::DeepSeek => (State::Reasoning { close: "</think>" }, false),
            // Imported models of these formats may have been taught to think.
            NativeFormat::OpenAi
            | NativeFormat::MetaLlama2
            | NativeFormat::MetaLlama3
            | NativeFormat::MetaLlama4
            | NativeFormat::Mistral => (State::Before, true),
            // After a template, white space before the first word is the template's.
            NativeFormat::AnthropicText
            | NativeFormat::AmazonTitanText
            | NativeFormat::CohereCommand
            | NativeFormat::Ai21Jurassic => (State::Before, false),
            NativeFormat::AnthropicMessages
            | NativeFormat::AmazonNova
            | NativeFormat::CohereCommandR
            | NativeFormat::Ai21Jamba => (State::Answer, false),
        };
        Self { state, tagged, waiting: String::new(), newest: String::new() }
    }

    /// Takes the next piece.
    pub(super) fn push(&mut self, piece: &str) -> Sorted {
        let mut sorted = Sorted::default();
        if self.state == State::Answer {
            piece.clone_into(&mut sorted.text);
            return sorted;
        }
        let joined = std::mem::take(&mut self.waiting) + piece;
        let mut rest = joined.as_str();
        loop {
            match self.state {
                State::Answer => {
                    rest.clone_into(&mut sorted.text);
                    return sorted;
                }
                State::Reasoning { close } => {
                    sorted.thinks |= !rest.is_empty();
                    let Some(at) = rest.find(close) else {
                        rest[rest.len() - begun(rest, close)..].clone_into(&mut self.waiting);
                        if !piece.is_empty() {
                            piece.clone_into(&mut self.newest);
                        }
                        return sorted;
                    };
                    self.state = State::Before;
                    self.newest.clear();
                    rest = &rest[at + close.len()..];
                }
                State::Before => {
                    rest = rest.trim_start();
                    let tags = TAGS.iter().filter(|_| self.tagged);
                    if let Some((open, close)) = tags.clone().find(|(open, _)| rest.starts_with(open)) {
                        self.state = State::Reasoning { close };
                        rest = &rest[open.len()..];
                    } else if rest.is_empty() || tags.clone().any(|(open, _)| open.starts_with(rest)) {
                        rest.clone_into(&mut self.waiting);
                        return sorted;
                    } else {
                        self.state = State::Answer;
                    }
                }
            }
        }
    }

    /// What has waited and turned out to be text. A guardrail that is known to have
    /// `blocked` puts its own text in the answer's place and closes no tag of the model.
    pub(super) fn end(&mut self, blocked: bool) -> String {
        let waiting = std::mem::take(&mut self.waiting);
        let newest = std::mem::take(&mut self.newest);
        match self.state {
            State::Reasoning { .. } if blocked => newest,
            State::Reasoning { .. } => String::new(),
            State::Before | State::Answer => waiting,
        }
    }
}

/// How many bytes at the end of a text could be the begin of a tag.
fn begun(text: &str, tag: &str) -> usize {
    (1..tag.len()).rev().find(|len| text.ends_with(&tag[..*len])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Prose;
    use crate::inference::NativeFormat;

    /// The answer in a text that comes in pieces of `size` characters.
    fn told(format: NativeFormat, text: &str, size: usize) -> String {
        let chars: Vec<char> = text.chars().collect();
        let mut prose = Prose::of(format);
        let mut told = String::new();
        for piece in chars.chunks(size) {
            told += &prose.push(&piece.iter().collect::<String>()).text;
        }
        told + &prose.end(false)
    }

    #[test]
    fn reasoning_is_never_told_wherever_a_text_is_cut() {
        use NativeFormat::{AmazonNova, AmazonTitanText, DeepSeek, MetaLlama3, OpenAi};
        let cases = [
            (OpenAi, "<reasoning>Ä <b> </reason</reasoning>The answer.", "The answer."),
            (OpenAi, "\n<think>a</think>\n\n<reasoning>b</reasoning> The answer.", "The answer."),
            (OpenAi, "<reasoning>never closed", ""),
            (OpenAi, "<reasons> are text", "<reasons> are text"),
            (OpenAi, "<reas", "<reas"),
            (OpenAi, "Use <reasoning>tags</reasoning>.", "Use <reasoning>tags</reasoning>."),
            (DeepSeek, "Hm <x></thin</think>\n\nThe </think> answer.", "The </think> answer."),
            (DeepSeek, "never closed", ""),
            (MetaLlama3, " \n<think>a</think>The answer.\n", "The answer.\n"),
            (MetaLlama3, " \nThe <think> answer.\n", "The <think> answer.\n"),
            (AmazonTitanText, " \n<think>The answer.\n", "<think>The answer.\n"),
            (AmazonNova, " <think>x ", " <think>x "),
        ];
        for (format, text, answer) in cases {
            for size in 1..=text.chars().count() {
                assert_eq!(told(format, text, size), answer, "{format:?}, in pieces of {size}");
            }
        }
    }

    #[test]
    fn a_guardrails_text_is_not_taken_for_reasoning() {
        let mut prose = Prose::of(NativeFormat::DeepSeek);
        assert!(prose.push("Let me think").thinks);
        assert!(prose.push("Blocked.").thinks);
        assert_eq!(prose.end(true), "Blocked.");
    }
}
