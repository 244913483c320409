//! Silence and slowness: the clocks decide.
//!
//! Within its clock a slow model is a model like any other. Beyond it, it is not
//! asked again: silence says nothing about what it did with the prompt.

use super::{ANSWERS, Clocks, Group, Row, breaks_off, falls_back};

pub const GROUP: Group = Group {
    title: "Silence and slowness",
    about: "Nobody says that anything is wrong; it only takes long. The clocks are settings: `clocks.answer_ms` for \
            an answer in one piece, `clocks.first_event_ms`, `clocks.idle_ms` and `clocks.attempt_ms` for a stream. \
            A model whose clock ran out is not asked again, because it may have worked and be billed for it.",
    rows: &[
        Row::new("slow-headers", "A pause before the head of the answer, within the clock.", ANSWERS)
            .played(r#"{"kind":"slow-headers","wait_ms":60}"#),
        Row::new(
            "slow-headers",
            "No head of an answer, until the clock runs out.",
            falls_back("answer_timeout", 1),
        )
        .streamed(falls_back("first_event_timeout", 1))
        .played(r#"{"kind":"slow-headers","wait_ms":600000}"#)
        .on(Clocks::ShortSilence),
        Row::new("slow-first-event", "A pause before the first event, within the clock.", ANSWERS)
            .played(r#"{"kind":"slow-first-event","wait_ms":60}"#),
        Row::new(
            "slow-first-event",
            "A head, but no event, until the clock runs out.",
            falls_back("answer_timeout", 1),
        )
        .streamed(falls_back("first_event_timeout", 1))
        .played(r#"{"kind":"slow-first-event","wait_ms":600000}"#)
        .on(Clocks::ShortSilence),
        Row::new("slow-first-delta", "A pause before the first word, within the clock.", ANSWERS)
            .played(r#"{"kind":"slow-first-delta","wait_ms":60}"#),
        Row::new(
            "slow-first-delta",
            "A first event, but no word, until the clock runs out.",
            falls_back("answer_timeout", 1),
        )
        .streamed(falls_back("idle_timeout", 1))
        .played(r#"{"kind":"slow-first-delta","wait_ms":600000}"#)
        .on(Clocks::ShortSilence),
        Row::new("pause", "A pause between two words, within the clock.", ANSWERS)
            .played(r#"{"kind":"stall","after_deltas":2,"for_ms":60}"#),
        Row::new("stall", "Some words, then silence.", falls_back("answer_timeout", 1))
            .streamed(breaks_off("idle_timeout"))
            .on(Clocks::ShortSilence),
        Row::new(
            "stalled-body",
            "A head, then silence: half of the body of a whole answer, no event of a stream.",
            falls_back("answer_timeout", 1),
        )
        .streamed(falls_back("first_event_timeout", 1))
        .on(Clocks::ShortSilence),
        Row::new("trickle", "An answer that comes slowly, within the clocks.", ANSWERS)
            .played(r#"{"kind":"trickle","gap_ms":5}"#),
        Row::new(
            "trickle",
            "An answer that comes word by word and takes too long as a whole.",
            falls_back("answer_timeout", 1),
        )
        .streamed(breaks_off("attempt_timeout"))
        .played(r#"{"kind":"trickle","gap_ms":400}"#)
        .on(Clocks::ShortWhole),
        Row::new(
            "byte-trickle",
            "One byte a second: something always comes, but never an event.",
            falls_back("answer_timeout", 1),
        )
        .streamed(falls_back("first_event_timeout", 1))
        .on(Clocks::ShortSilence),
    ],
};
