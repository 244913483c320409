//! What a caller must read in a cell: the answer, the error, or the part that came.
//!
//! Owns the comparison of each representation with what the row promises. Texts and
//! tokens are compared with the simulator's log, which knows what was written.

use serde_json::{Value, json};

use super::{Cell, Dialect, End, Expected};
use crate::faults::subject::Subject;
use crate::faults::table::words::Word;
use crate::faults::table::{Fault, Usage};
use crate::support::{Answer, Transcript};

impl Cell {
    pub(super) fn check_answer(
        &self,
        subject: &Subject,
        answer: &Answer,
        expected: &Expected,
        chain: &[String],
    ) {
        match (expected.end, self.dialect) {
            (End::Refused(word), Dialect::Json | Dialect::Text) => {
                assert_eq!(answer.status, word.status, "{self}: {}", answer.text());
                assert_eq!(answer.header("content-type"), "application/problem+json", "{self}");
                self.check_problem(&answer.json(), word);
                self.check_attempts(&answer.json()["attempts"], expected, chain);
                let asks_back = word.retryable;
                assert_eq!(!answer.header("retry-after").is_empty(), asks_back, "{self}: Retry-After");
            }
            (End::BrokenOff(_), Dialect::Text) => {
                assert_eq!(answer.status, 200, "{self}");
                assert!(answer.cut, "{self}: a text that broke off must not look whole");
                self.check_partial_text(subject, &answer.text());
            }
            (_, Dialect::Json) => self.check_json(subject, answer, expected, chain),
            (_, Dialect::Sse) => self.check_events(subject, &answer.sse(), expected, chain),
            (_, Dialect::Ndjson) => self.check_events(subject, &answer.ndjson(), expected, chain),
            (_, Dialect::Text) => {
                assert_eq!(answer.status, 200, "{self}: {}", answer.text());
                assert!(!answer.cut, "{self}");
                assert_eq!(answer.text(), self.written(subject), "{self}");
            }
        }
    }

    fn check_json(&self, subject: &Subject, answer: &Answer, expected: &Expected, chain: &[String]) {
        assert_eq!(answer.status, 200, "{self}: {}", answer.text());
        let answer = answer.json();
        let fell_back = expected.end == End::FallbackAnswer;
        assert_eq!(answer["text"], self.written(subject), "{self}");
        assert_eq!(answer["model"], chain[usize::from(fell_back)], "{self}");
        assert_eq!(answer["fallback"], fell_back, "{self}");
        self.check_attempts(&answer["attempts"], expected, chain);
        if let End::Answer { finish, usage } = expected.end {
            assert_eq!(answer["finish_reason"], finish, "{self}");
            self.check_usage(subject, &answer, usage);
            let warnings: Vec<&Value> = answer["warnings"].as_array().unwrap().iter().collect();
            self.check_truncation(&warnings, finish);
        }
    }

    fn check_events(&self, subject: &Subject, events: &Transcript, expected: &Expected, chain: &[String]) {
        events.assert_grammar();
        let fallbacks: Vec<&Value> = events.all("fallback").map(|frame| &frame.data).collect();
        let changes = self.changes(expected);
        assert_eq!(fallbacks.len(), changes.len(), "{self}: {:?}", events.outline());
        for (told, (from, word)) in fallbacks.iter().zip(&changes) {
            assert_eq!(
                (&told["from"], &told["to"]),
                (&json!(chain[*from]), &json!(chain[from + 1])),
                "{self}"
            );
            assert_eq!(told["reason"], *word, "{self}");
        }
        self.check_resets(events, expected);
        match expected.end {
            End::Answer { finish, usage } => {
                assert_eq!(events.text(), self.written(subject), "{self}");
                let done = events.one("done");
                assert_eq!(
                    (&done["finish_reason"], &done["fallback"]),
                    (&json!(finish), &json!(false)),
                    "{self}"
                );
                assert_eq!(done["attempts"], expected.calls.len(), "{self}");
                self.check_usage(subject, events.one("usage"), usage);
                let warnings: Vec<&Value> = events.all("warning").map(|frame| &frame.data).collect();
                self.check_truncation(&warnings, finish);
            }
            End::FallbackAnswer => {
                assert_eq!(events.text(), self.written(subject), "{self}");
                let done = events.one("done");
                assert_eq!((&done["model"], &done["fallback"]), (&json!(chain[1]), &json!(true)), "{self}");
                assert_eq!(done["attempts"], expected.calls.len(), "{self}");
            }
            End::Refused(word) | End::BrokenOff(word) => {
                let error = events.one("error");
                let partial = matches!(expected.end, End::BrokenOff(_));
                assert_eq!(error["partial"], partial, "{self}");
                self.check_problem(error, word);
                self.check_attempts(&error["attempts"], expected, chain);
                if partial {
                    self.check_partial_text(subject, &events.text());
                    let untold = !self.is_told();
                    assert_eq!(events.one("usage")["cost"]["estimated"], untold, "{self}");
                } else {
                    assert_eq!(events.text(), "", "{self}");
                }
            }
        }
    }

    /// Whether the model told what the broken answer took: it ended its turn by itself.
    fn is_told(&self) -> bool {
        matches!(self.row.fault, Fault::Named) && self.row.name.starts_with("stop-")
    }

    /// Words that are void are taken back before the next model writes, and counted.
    fn check_resets(&self, events: &Transcript, expected: &Expected) {
        let resets = events.all("reset").count();
        let restarts = if expected.restarts { self.changes(expected).len() } else { 0 };
        assert_eq!(resets, restarts, "{self}: {:?}", events.outline());
        let mut void = 0;
        for frame in &events.frames {
            match frame.kind.as_str() {
                "delta" => void += frame.data["text"].as_str().unwrap().chars().count(),
                "reset" => {
                    assert_eq!(frame.data["discarded_chars"], std::mem::take(&mut void), "{self}");
                    assert_eq!(frame.data["reason"], self.course().word().unwrap(), "{self}");
                }
                _ => {}
            }
        }
    }

    fn check_problem(&self, problem: &Value, word: Word) {
        assert_eq!(problem["code"], word.code, "{self}: {problem}");
        assert_eq!(problem["status"], word.status, "{self}");
        assert_eq!(problem["retryable"], word.retryable, "{self}");
        let said = problem.to_string().to_lowercase();
        for secret in ["exception", "arn:", "amazonaws", "library", "127.0.0.1"] {
            assert!(!said.contains(secret), "{self}: {secret} in {said}");
        }
    }

    fn check_attempts(&self, attempts: &Value, expected: &Expected, chain: &[String]) {
        let told: Vec<(&str, Option<&str>)> = attempts
            .as_array()
            .unwrap_or_else(|| panic!("{self}: no attempts"))
            .iter()
            .map(|attempt| (attempt["model"].as_str().unwrap(), attempt["error"].as_str()))
            .collect();
        let calls: Vec<_> =
            expected.calls.iter().map(|(model, word)| (chain[*model].as_str(), *word)).collect();
        assert_eq!(told, calls, "{self}: attempts");
    }

    fn check_usage(&self, subject: &Subject, report: &Value, usage: Usage) {
        let estimated = usage == Usage::Estimated;
        assert_eq!(report["cost"]["estimated"], estimated, "{self}: {report}");
        let last = subject.sim.calls().pop().unwrap();
        let (input, output) = match usage {
            Usage::True => (last.billed_input_tokens, last.billed_output_tokens),
            Usage::Estimated => {
                assert!(report["usage"]["output_tokens"].as_u64().unwrap() > 0, "{self}");
                return;
            }
        };
        let told = &report["usage"];
        assert_eq!(
            (&told["input_tokens"], &told["output_tokens"]),
            (&json!(input), &json!(output)),
            "{self}"
        );
    }

    /// An answer that was cut short says so.
    fn check_truncation(&self, warnings: &[&Value], finish: &str) {
        let cut_short = ["length", "content_filter"].contains(&finish);
        let told = warnings.iter().any(|warning| warning["code"] == "truncated");
        assert_eq!(told, cut_short, "{self}: {warnings:?}");
    }

    fn check_partial_text(&self, subject: &Subject, text: &str) {
        let sent = subject.sim.calls().pop().unwrap().text.unwrap_or_default();
        assert!(!text.is_empty() && sent.starts_with(text), "{self}: {text:?} of {sent:?}");
    }

    /// The text of the call that gave the answer, as the simulator wrote it.
    fn written(&self, subject: &Subject) -> String {
        let last = subject.sim.calls().pop().unwrap_or_else(|| panic!("{self}: no call was made"));
        last.text.unwrap_or_else(|| panic!("{self}: the last call wrote nothing"))
    }
}
