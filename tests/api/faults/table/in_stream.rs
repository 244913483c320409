//! Exceptions inside a stream, as its first event or after some words.
//!
//! As first event they are refusals like any other. After a word has left, the
//! model does not change any more: the caller gets what there is, and is told.

use super::{Group, Row, breaks_off, fails, falls_back};

pub const GROUP: Group = Group {
    title: "Refused inside the stream",
    about: "Bedrock answers 200 and opens the event stream; then an exception comes as an event. A whole answer \
            (JSON) has no events: there the same exception is a status.",
    rows: &[
        Row::new("stream-throttling", "Throttling as the first event.", falls_back("throttled", 2)),
        Row::new(
            "stream-internal-server",
            "An internal error as the first event.",
            falls_back("unavailable", 2),
        ),
        Row::new(
            "stream-service-unavailable",
            "Unavailability as the first event.",
            falls_back("unavailable", 2),
        ),
        Row::new(
            "stream-model-stream-error",
            "An error of the model as the first event.",
            falls_back("model_failed", 2),
        ),
        Row::new(
            "stream-model-timeout",
            "A time-out of the model as the first event.",
            falls_back("model_timed_out", 1),
        ),
        Row::new(
            "stream-unmodelled",
            "An error that no published model has as the first event.",
            falls_back("unavailable", 2),
        )
        .streamed(falls_back("bad_response", 1)),
        Row::new(
            "stream-validation",
            "A complaint about the length of the prompt as the first event.",
            fails("input_too_long"),
        ),
        Row::new("stream-throttling-late", "Throttling after some words.", falls_back("throttled", 2))
            .streamed(breaks_off("throttled")),
        Row::new(
            "stream-internal-server-late",
            "An internal error after some words.",
            falls_back("unavailable", 2),
        )
        .streamed(breaks_off("unavailable")),
        Row::new(
            "stream-service-unavailable-late",
            "Unavailability after some words.",
            falls_back("unavailable", 2),
        )
        .streamed(breaks_off("unavailable")),
        Row::new(
            "stream-model-stream-error-late",
            "An error of the model after some words.",
            falls_back("model_failed", 2),
        )
        .streamed(breaks_off("model_failed")),
        Row::new(
            "stream-model-timeout-late",
            "A time-out of the model after some words.",
            falls_back("model_timed_out", 1),
        )
        .streamed(breaks_off("model_timed_out")),
        Row::new(
            "stream-unmodelled-late",
            "An error that no published model has after some words.",
            falls_back("unavailable", 2),
        )
        .streamed(breaks_off("bad_response")),
        Row::new(
            "stream-validation-late",
            "A complaint about the length of the prompt after some words.",
            fails("input_too_long"),
        )
        .streamed(breaks_off("input_too_long")),
    ],
};
