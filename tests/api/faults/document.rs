//! `docs/FAULTS.md`, written from the table that the matrix runs.
//!
//! Owns the sentences between the tables and how a course reads. It states
//! nothing about a fault that a cell does not check.

use std::fmt::Write as _;

use super::history::{self, Everywhere};
use super::table::words::{WORDS, Word, known};
use super::table::{Course, GROUPS, Group, Row, Usage};

const OPENING: &str = "\
# Faults

What happens upstream, and what callers and operators then see. This file is written from the table in
`tests/api/faults/`, and a test runs every line of it against the service, with the simulator of Bedrock in Bedrock's
place: once with the fault in the first model of the chain only, and once with the fault in every model. After each
run nothing is left open.

To see a line for yourself, start `redraft demo`. It prints the simulator's address, and the name in front of the line
is a scenario of the simulator:

```sh
curl -d '{\"scenario\": \"throttling\"}' http://127.0.0.1:PORT/_sim/scenarios
curl -d '{\"scenario\": \"throttling\", \"model\": \"us.amazon.nova-2-lite-v1:0\"}' http://127.0.0.1:PORT/_sim/scenarios
curl -X DELETE http://127.0.0.1:PORT/_sim/scenarios
```

The first call gives every model the fault, the second one the first model of the default chain only, the third takes
all faults away. The service remembers its failures ([below](#what-the-service-remembers)): start the demo anew before
the next line.

## How to read the tables

- **Word** is what `attempts[].error` of an answer, `reason` of a `fallback` event, and the labels `reason` of
  `redraft_retries_total` and `redraft_fallbacks_total` say.
- **Next model** means that the next model of the chain answers: 200, `fallback: true`, and a `fallback` event on a
  stream. What follows after \"none left\" is what the caller gets when every model of the chain has the fault.
- **As an error** means that no other model is asked.
- **Breaks off** means that words of the answer have already left. The model does not change any more. A stream gets
  an `error` event with `partial: true`, after the `usage` so far. Plain text has no place for an error, so its
  connection breaks: it never ends as if it were whole. Before the first word, plain text gets the same status and
  problem as JSON.
- **Or restarts** means that a stream whose request says `on_failover: \"restart\"` does not break off while another
  model is left: it gets a `reset` event, then a `fallback` event, and the next model starts over. The `delta`s after
  the last `reset` are the answer. Plain text cannot restart.
- **Calls** counts the calls of each model that has the fault. 2 means that the same model was asked once more
  (`routing.max_retries` is 1), after a short wait.
- **Operator** is what moves besides `redraft_requests_total`: calls by their outcome (`redraft_model_calls_total`),
  repeated calls (`redraft_retries_total`) and changes of the model (`redraft_fallbacks_total`).

Three rules are behind all lines. What a model may have begun to work on is not repeated on the same model. What every
model would refuse is not tried on the next. And an answer that was cut short is never called complete.
";

const WORDS_OPENING: &str = "
## The words

What each word means, what the caller reads when it is the last word of the chain, and how the call is counted.

| Word | Meaning | Status and `code` | Try again? | Call outcome |
|---|---|---|---|---|
";

const HISTORY_OPENING: &str = "
## What the service remembers

A model that has been failing, or has enough to do, is passed over without a call. `attempts` tells it with the
`outcome` `skipped` and one of the words below, a stream tells it in a `fallback` event, and
`redraft_targets_skipped_total` counts it. `redraft_breaker_state` shows which models are out at the moment. Every
representation takes the same course.

| What happened before | Word | While another model can be asked | When all models have this past |
|---|---|---|---|
";

/// The whole document.
pub fn document() -> String {
    let mut text = OPENING.to_owned();
    text.push_str(WORDS_OPENING);
    for word in WORDS {
        let outcome = match word.call_outcome {
            "" => "no call".to_owned(),
            outcome => format!("`{outcome}`"),
        };
        let retry = if word.retryable { "yes" } else { "no" };
        writeln!(text, "| `{}` | {} | {} | {retry} | {outcome} |", word.word, word.meaning, status(*word))
            .expect("writing to a string cannot fail");
    }
    for group in GROUPS {
        push_group(&mut text, group);
    }
    text.push_str(HISTORY_OPENING);
    for row in history::ROWS {
        let everywhere = match row.everywhere {
            Everywhere::LastIsTried => "the last model is called all the same".to_owned(),
            Everywhere::Refused { status, code } => format!("{status} `{code}`"),
        };
        writeln!(
            text,
            "| {} | `{}` | next model, without a call of this one | {everywhere} |",
            row.before, row.word
        )
        .expect("writing to a string cannot fail");
    }
    text
}

fn push_group(text: &mut String, group: &Group) {
    let head = "| Fault | Word | JSON | SSE, NDJSON | Plain text | Calls | Operator |\n|---|---|---|---|---|---|---|\n";
    write!(text, "\n## {}\n\n{}\n\n{head}", group.title, group.about)
        .expect("writing to a string cannot fail");
    for row in group.rows {
        let cells = [
            format!("{}{}", name(row), row.upstream),
            differing(word(row.json), word(row.stream)),
            whole(row.json),
            unless_same(streamed(row.stream), &whole(row.json)),
            unless_same(plain(row.stream), &streamed(row.stream)),
            differing(row.json.calls().to_string(), row.stream.calls().to_string()),
            operator(row),
        ];
        writeln!(text, "| {} |", cells.join(" | ")).expect("writing to a string cannot fail");
    }
}

fn name(row: &Row) -> String {
    if row.fault.is_of_a_model() { format!("`{}`: ", row.name) } else { String::new() }
}

/// Both, where a stream takes another course than a whole answer.
fn differing(json: String, stream: String) -> String {
    if json == stream { json } else { format!("{json}; stream: {stream}") }
}

/// Refers to the cell on the left, so that differences stand out.
fn unless_same(cell: String, left: &str) -> String {
    if cell == left { "the same".to_owned() } else { cell }
}

fn word(course: Course) -> String {
    course.word().map_or("none".to_owned(), |word| format!("`{word}`"))
}

fn status(word: Word) -> String {
    format!("{} `{}`", word.status, word.code)
}

fn whole(course: Course) -> String {
    match course {
        Course::Answers { finish, usage } => format!("200{}", remarks(finish, usage)),
        Course::Recovers { .. } => "200 from the same model".to_owned(),
        Course::FallsBack { word, .. } => format!("next model; none left: {}", status(known(word))),
        Course::Fails { word } => format!("as an error: {}", status(known(word))),
        Course::BreaksOff { word } if course.restarts() => {
            format!("breaks off, or restarts: {}", status(known(word)))
        }
        Course::BreaksOff { word } => format!("breaks off: {}", status(known(word))),
    }
}

fn streamed(course: Course) -> String {
    match course {
        Course::Answers { finish, usage } => format!("`done`{}", remarks(finish, usage)),
        Course::Recovers { .. } => "`done` from the same model".to_owned(),
        Course::FallsBack { .. } | Course::Fails { .. } => {
            whole(course).replace("error: ", "`error` event: ")
        }
        Course::BreaksOff { .. } => whole(course),
    }
}

fn plain(course: Course) -> String {
    match course {
        Course::Answers { .. } => "200".to_owned(),
        Course::BreaksOff { .. } => "breaks off".to_owned(),
        Course::Recovers { .. } | Course::FallsBack { .. } | Course::Fails { .. } => whole(course),
    }
}

fn remarks(finish: &str, usage: Usage) -> String {
    let mut remarks = String::new();
    if finish != "stop" {
        remarks.push_str(&format!(", `finish_reason: {finish}`"));
    }
    if ["length", "content_filter"].contains(&finish) {
        remarks.push_str(", warning `truncated`");
    }
    if usage == Usage::Estimated {
        remarks.push_str(", cost marked `estimated`");
    }
    remarks
}

fn operator(row: &Row) -> String {
    let moved = differing(moved(row.json), moved(row.stream));
    if row.operator.is_empty() { moved } else { format!("{moved}; {}", row.operator) }
}

/// The counters that a request moves whose first model alone has the fault.
fn moved(course: Course) -> String {
    let failed = |word, calls: usize| {
        let outcome = known(word).call_outcome;
        let (calls, again) = if calls == 1 { ("call", "") } else { ("calls", ", 1 retry") };
        format!("{} {calls} `{outcome}`{again}", if again.is_empty() { 1 } else { 2 })
    };
    match course {
        Course::Answers { .. } => "1 call `ok`".to_owned(),
        Course::Recovers { word } => format!("{}, 1 retry, 1 call `ok`", failed(word, 1)),
        Course::FallsBack { word, calls } => format!("{}, 1 fallback", failed(word, calls)),
        Course::Fails { word } | Course::BreaksOff { word } => failed(word, 1),
    }
}
