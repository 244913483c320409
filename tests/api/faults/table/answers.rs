//! Answers: sound ones, odd ones, and those that are none.
//!
//! An answer without a word is a failure of the model. One that was cut short is
//! an answer, and says that it was cut.

use super::{ANSWERS, ANSWERS_ESTIMATED, Course, Group, Row, Usage, breaks_off, fails, falls_back};

const fn ends(finish: &'static str) -> Course {
    Course::Answers { finish, usage: Usage::True }
}

pub const GROUP: Group = Group {
    title: "Odd answers, and answers that are none",
    about: "The call succeeds as far as HTTP goes.",
    rows: &[
        Row::new("normal", "A healthy answer.", ANSWERS),
        Row::new("reasoning", "The model thinks before it writes. What it thought is not shown.", ANSWERS),
        Row::new("gpt-oss-order", "An empty text, then thoughts, then the text.", ANSWERS),
        Row::new("unknown-event", "An event, or a member, of a later version. It is passed over.", ANSWERS),
        Row::new("huge-delta", "One delta of a megabyte.", ANSWERS),
        Row::new("duplicate-stop", "The model says twice that it is done.", ANSWERS),
        Row::new(
            "text-after-stop",
            "The model says that it is done, and then writes on. All of its text is the answer.",
            ANSWERS,
        ),
        Row::new(
            "end-without-metadata",
            "The answer comes without its usage, which is then estimated.",
            ANSWERS_ESTIMATED,
        ),
        Row::new("usage-negative", "The usage is less than nothing, so it is estimated.", ANSWERS_ESTIMATED),
        Row::new(
            "usage-absurd",
            "The usage speaks of a long answer to no prompt at all, so it is estimated.",
            ANSWERS_ESTIMATED,
        ),
        Row::new(
            "usage-uncountable",
            "The usage is a number that AWS's API has no room for.",
            falls_back("bad_response", 1),
        )
        .streamed(ANSWERS_ESTIMATED),
        Row::new("empty-content", "An answer without any text.", falls_back("empty_answer", 1)),
        Row::new("empty-text", "An answer of no characters.", falls_back("empty_answer", 1)),
        Row::new(
            "invalid-json",
            "Where data is asked for, it ends in the middle or has another shape: the model is asked once more, \
             and then the request fails with 502 `output_invalid`. Prose, as here, is not touched.",
            ANSWERS,
        ),
    ],
};

pub const STOP_REASONS: Group = Group {
    title: "Stop reasons",
    about: "The model says why it stopped. In a stream that comes last, when the words have left.",
    rows: &[
        Row::new("stop-end-turn", "It is done.", ANSWERS),
        Row::new("stop-stop-sequence", "It reached a stop sequence.", ANSWERS),
        Row::new("stop-max-tokens", "It reached the limit of its output.", ends("length")),
        Row::new("stop-model-context-window-exceeded", "It filled its context window.", ends("length")),
        Row::new(
            "stop-content-filtered",
            "Its provider's filter cut the text short.",
            ends("content_filter"),
        ),
        Row::new("stop-unknown", "A reason of a later version.", ends("other")),
        Row::new(
            "stop-guardrail-intervened",
            "A guardrail put its own words in place of the text. No other model is asked.",
            fails("content_filtered"),
        )
        .streamed(breaks_off("content_filtered")),
        Row::new(
            "stop-malformed-model-output",
            "The model wrote what its provider cannot read.",
            falls_back("malformed_answer", 1),
        )
        .streamed(breaks_off("malformed_answer")),
        Row::new(
            "stop-malformed-tool-use",
            "The model made a broken call of a tool.",
            falls_back("malformed_answer", 1),
        )
        .streamed(breaks_off("malformed_answer")),
        Row::new(
            "stop-tool-use",
            "The model wants a tool to be called; it was given none.",
            falls_back("malformed_answer", 1),
        )
        .streamed(breaks_off("malformed_answer")),
    ],
};
