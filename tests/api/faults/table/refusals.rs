//! Refusals as a status, before anything of an answer.
//!
//! What may pass within moments is asked for once more; what is a matter of the
//! account or of the model goes to the next model at once.

use super::{Group, Row, fails, falls_back};

const SET_UP: &str = "a warning in the log, once a minute for the model";

pub const GROUP: Group = Group {
    title: "Refused with a status",
    about: "Bedrock answers with a status other than 200 and a typed error. No token was billed.",
    rows: &[
        Row::new("throttling", "429: the model's tokens per minute are used up.", falls_back("throttled", 2)),
        Row::new(
            "throttling-requests",
            "429: the model's requests per minute are used up.",
            falls_back("throttled", 2),
        ),
        Row::new(
            "throttling-per-day",
            "429: the model's tokens of the day are used up.",
            falls_back("daily_quota_used_up", 1),
        ),
        Row::new("untyped-throttling", "429 without an error type.", falls_back("throttled", 2)),
        Row::new("token-bucket", "429 while the bucket of calls is empty.", falls_back("throttled", 2))
            .played(r#"{"kind":"token-bucket","capacity":0,"refill_per_second":0}"#),
        Row::new("model-not-ready", "429: the model is still being loaded.", falls_back("not_ready", 2)),
        Row::new(
            "service-quota-exceeded",
            "400: a quota of the account, other than throttling.",
            falls_back("account_quota_exceeded", 1),
        ),
        Row::new("internal-server", "500: an error inside of Bedrock.", falls_back("unavailable", 2)),
        Row::new("service-unavailable", "503: Bedrock has no room.", falls_back("unavailable", 2)),
        Row::new("too-many-connections", "503: too many connections.", falls_back("unavailable", 2)),
        Row::new(
            "html-bad-gateway",
            "502 with a page of HTML from a proxy on the way.",
            falls_back("unavailable", 2),
        ),
        Row::new(
            "flapping",
            "503 for every second call, the first one included.",
            super::Course::Recovers { word: "unavailable" },
        ),
        Row::new(
            "error-when",
            "503 for calls whose text contains certain words, here any.",
            falls_back("unavailable", 2),
        )
        .played(r#"{"kind":"error-when","contains":"","error":"service-unavailable"}"#),
        Row::new("model-error", "424: the model failed on this call.", falls_back("model_failed", 2)),
        Row::new(
            "model-timeout",
            "408: the model reached Bedrock's own time limit.",
            falls_back("model_timed_out", 1),
        ),
        Row::new(
            "access-denied",
            "403: the account has no access to the model.",
            falls_back("access_denied", 1),
        )
        .operator(SET_UP),
        Row::new(
            "not-authorized",
            "403: no policy of the caller allows the call.",
            falls_back("access_denied", 1),
        )
        .operator(SET_UP),
        Row::new("resource-not-found", "404: there is no such model.", falls_back("model_gone", 1))
            .operator(SET_UP),
        Row::new(
            "end-of-life",
            "404: the model has reached the end of its life.",
            falls_back("model_gone", 1),
        )
        .operator(SET_UP),
        Row::new(
            "legacy-model",
            "404: the model is legacy, and the account did not use it lately.",
            falls_back("model_gone", 1),
        )
        .operator(SET_UP),
        Row::new(
            "use-case-missing",
            "404: the account has not told its use case.",
            falls_back("model_gone", 1),
        )
        .operator(SET_UP),
        Row::new("invalid-model-id", "400: no model has this id.", falls_back("model_gone", 1))
            .operator(SET_UP),
        Row::new(
            "on-demand-unsupported",
            "400: the model can only be called through an inference profile.",
            falls_back("model_gone", 1),
        )
        .operator(SET_UP),
        Row::new(
            "input-too-long",
            "400: the prompt does not fit into the model. Only a model with a larger window is asked next; \
             the default chain has none.",
            fails("input_too_long"),
        ),
        Row::new(
            "validation",
            "400: the request is malformed in another way. Every model would say so.",
            fails("request_rejected"),
        )
        .operator(SET_UP),
    ],
};
