//! The way to Bedrock, and the right to call it: faults that all models share.
//!
//! The models of a region have one address and one signature. What is wrong with
//! the signature is not tried on the next model.

use super::{Fault, Group, Row, fails, falls_back};

const NOT_READY: &str =
    "`/readyz` answers 503, for 30 s after the last rejected call, and names the credentials";

pub const GROUP: Group = Group {
    title: "The network",
    about: "The models of a region share one address, so the next model has the same fault. It is asked all the \
            same: it may be in another region.",
    rows: &[
        Row::new("connection refused", "Nobody listens at the address.", falls_back("unreachable", 2))
            .made_by(Fault::NoListener),
        Row::new(
            "unknown host",
            "The address has a name that DNS does not know.",
            falls_back("unreachable", 2),
        )
        .made_by(Fault::NoSuchHost),
        Row::new("no TLS", "The address does not speak TLS.", falls_back("unreachable", 2))
            .made_by(Fault::NoTls),
    ],
};

pub const CREDENTIALS: Group = Group {
    title: "Credentials",
    about: "Bedrock does not accept the signature. No other model would, so none is asked.",
    rows: &[
        Row::new("expired-token", "403: the session token has expired.", fails("credentials_rejected"))
            .operator(NOT_READY),
        Row::new("unrecognized-client", "403: the access key is not known.", fails("credentials_rejected"))
            .operator(NOT_READY),
        Row::new(
            "invalid-signature",
            "403: the signature is wrong, or this machine's clock is.",
            fails("credentials_rejected"),
        )
        .operator(NOT_READY),
        Row::new(
            "no credentials",
            "There is nothing to sign with, so Bedrock is not called at all.",
            fails("credentials_rejected"),
        )
        .made_by(Fault::NoCredentials)
        .operator("`/readyz` answers 503 and says what to set"),
    ],
};
