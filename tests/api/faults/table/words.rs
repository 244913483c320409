//! The words of `attempts`: what each means when it is the last one, and how its
//! calls are counted.
//!
//! Written by hand and not asked from the service: it is what the service is
//! compared with.

/// What follows from one word.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Word {
    pub word: &'static str,
    /// A sentence for people.
    pub meaning: &'static str,
    /// What the caller reads when no model is left, or none is asked any more.
    pub code: &'static str,
    pub status: u16,
    pub retryable: bool,
    /// The label `outcome` of `redraft_model_calls_total`; "" where no call is made.
    pub call_outcome: &'static str,
    /// The clock that ran out, if one did.
    pub clock: Option<Clock>,
}

/// A clock of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    Answer,
    FirstEvent,
    Idle,
    Attempt,
}

const fn word(
    word: &'static str,
    meaning: &'static str,
    (status, code): (u16, &'static str),
    retryable: bool,
    call_outcome: &'static str,
) -> Word {
    Word { word, meaning, code, status, retryable, call_outcome, clock: None }
}

const fn timeout(word: &'static str, meaning: &'static str, clock: Clock) -> Word {
    let (code, call_outcome) = ("upstream_timeout", "timeout");
    Word { word, meaning, code, status: 504, retryable: true, call_outcome, clock: Some(clock) }
}

const CAPACITY: (u16, &str) = (503, "model_capacity");
const UNAVAILABLE: (u16, &str) = (503, "all_models_unavailable");
const BAD_RESPONSE: (u16, &str) = (502, "upstream_bad_response");

/// Every word that a row uses.
pub const WORDS: &[Word] = &[
    word("throttled", "The model's requests or tokens per minute are used up.", CAPACITY, true, "throttled"),
    word("daily_quota_used_up", "The model's tokens of the day are used up.", CAPACITY, true, "throttled"),
    word("account_quota_exceeded", "Another quota of the account is used up.", CAPACITY, true, "throttled"),
    word("not_ready", "The model is being loaded.", CAPACITY, true, "error"),
    word(
        "unavailable",
        "Bedrock, or a proxy on the way, is overloaded or broken for the moment.",
        UNAVAILABLE,
        true,
        "error",
    ),
    word(
        "unreachable",
        "There was no connection, or it broke before any answer.",
        UNAVAILABLE,
        true,
        "error",
    ),
    word(
        "model_gone",
        "The model cannot be called like this: wrong id, end of life, not enabled.",
        UNAVAILABLE,
        true,
        "error",
    ),
    word(
        "credentials_rejected",
        "The signature is missing, expired or wrong, and no other credentials were found.",
        UNAVAILABLE,
        true,
        "error",
    ),
    word("model_failed", "The model failed on this call.", (502, "upstream_error"), true, "error"),
    word("access_denied", "The account may not use the model.", (502, "upstream_auth"), false, "error"),
    word("bad_response", "The answer cannot be read.", BAD_RESPONSE, true, "error"),
    word(
        "stream_cut",
        "The stream ended before the model said that it was done.",
        BAD_RESPONSE,
        true,
        "error",
    ),
    word("empty_answer", "The model wrote nothing.", BAD_RESPONSE, true, "error"),
    word("malformed_answer", "The model wrote something that is no text.", BAD_RESPONSE, true, "error"),
    word(
        "model_timed_out",
        "The model reached Bedrock's own time limit.",
        (504, "upstream_timeout"),
        true,
        "timeout",
    ),
    timeout("answer_timeout", "A whole answer took longer than `clocks.answer_ms`.", Clock::Answer),
    timeout(
        "first_event_timeout",
        "A stream's first event took longer than `clocks.first_event_ms`.",
        Clock::FirstEvent,
    ),
    timeout("idle_timeout", "Between two events passed more than `clocks.idle_ms`.", Clock::Idle),
    timeout("attempt_timeout", "A whole stream took longer than `clocks.attempt_ms`.", Clock::Attempt),
    word(
        "input_too_long",
        "The prompt does not fit into the model.",
        (413, "input_too_large"),
        false,
        "error",
    ),
    word(
        "request_rejected",
        "The model rejects what it is asked.",
        (422, "validation_failed"),
        false,
        "error",
    ),
    word(
        "content_filtered",
        "A guardrail blocked the text or the answer, or the provider's filter withheld it.",
        (422, "content_filtered"),
        false,
        "filtered",
    ),
    word(
        "breaker_open",
        "The model was not called: it has been failing, or it is taken out.",
        UNAVAILABLE,
        true,
        "",
    ),
    word("target_busy", "The model was not called: it has as many calls as it takes.", CAPACITY, true, ""),
];

/// What follows from `word`.
pub fn known(word: &str) -> Word {
    *WORDS.iter().find(|known| known.word == word).unwrap_or_else(|| panic!("no word {word}"))
}
