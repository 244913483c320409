//! Connections that break and bytes that mean nothing.
//!
//! A stream that ends without saying so is a failure, not an answer, and so is
//! one that cannot be read.

use super::{ANSWERS, Group, Row, breaks_off, falls_back};

pub const GROUP: Group = Group {
    title: "Cuts and garbage",
    about: "The connection breaks, or what it brings cannot be read.",
    rows: &[
        Row::new(
            "reset-before-headers",
            "The connection is reset before any byte of the answer.",
            falls_back("unreachable", 2),
        ),
        Row::new(
            "reset-mid-stream",
            "The connection is reset inside the answer.",
            falls_back("bad_response", 1),
        )
        .streamed(breaks_off("stream_cut")),
        Row::new("cut-mid-frame", "The connection ends inside a frame.", falls_back("bad_response", 1))
            .streamed(breaks_off("stream_cut")),
        Row::new(
            "cut-between-frames",
            "The connection ends between two frames; the body's length was not announced.",
            falls_back("bad_response", 1),
        )
        .streamed(breaks_off("stream_cut")),
        Row::new(
            "end-without-message-stop",
            "The answer ends in good order, but in the middle.",
            falls_back("bad_response", 1),
        )
        .streamed(breaks_off("stream_cut")),
        Row::new("corrupt-crc", "A frame has a wrong checksum.", falls_back("bad_response", 1))
            .streamed(breaks_off("bad_response")),
        Row::new(
            "garbage-frames",
            "Bytes that are no frame after some words.",
            falls_back("bad_response", 1),
        )
        .streamed(breaks_off("bad_response")),
        Row::new(
            "garbage-from-start",
            "Bytes that are no frame instead of an answer.",
            falls_back("bad_response", 1),
        ),
        Row::new("empty-json", "200 with the body `{}`.", falls_back("bad_response", 1)),
        Row::new("json-instead-of-stream", "200 with JSON where a stream was asked for.", ANSWERS)
            .streamed(falls_back("bad_response", 1)),
    ],
};
