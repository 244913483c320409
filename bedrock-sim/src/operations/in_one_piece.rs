//! Answers in one JSON body, whole or broken on purpose.
//!
//! Owns what the faults of a body do to it: a stall, a cut, a reset, a slow drip. Content is the matter of
//! each operation. The one rule it protects: a whole body carries its length, a broken one
//! announces the length that it never reaches.

use std::collections::VecDeque;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, StatusCode};

use super::Call;
use crate::call_log::{Billed, Outcome};
use crate::scenario::Scenario;
use crate::script::{Delivery, GARBAGE, Script, ScriptBody, Step, Wire, Words};

const DRIP_BYTES: usize = 16;

/// Sends `json` as the answer of `call`, as far as the scenario lets it.
pub(super) async fn respond(
    call: Call,
    json: String,
    scenario: &Scenario,
    billed: Option<Billed>,
) -> Response {
    let json = Bytes::from(json);
    let half = json.len() / 2;
    let first_half = Step::Raw(json.slice(..half));
    let (steps, announced, error) = match scenario {
        Scenario::SlowFirstEvent { wait_ms }
        | Scenario::SlowFirstDelta { wait_ms }
        | Scenario::Stall { for_ms: Some(wait_ms), .. } => {
            tokio::time::sleep(Duration::from_millis(*wait_ms)).await;
            return whole(call, json, billed);
        }
        Scenario::StalledBody | Scenario::Stall { for_ms: None, .. } => {
            (vec![first_half, Step::Hang], true, "stalled-body")
        }
        Scenario::CutMidFrame { .. } => (vec![first_half, Step::Cut], true, "cut-mid-frame"),
        Scenario::CutBetweenFrames { .. } => (vec![first_half, Step::Cut], false, "cut-between-frames"),
        Scenario::ResetMidStream { .. } => (vec![first_half, Step::Reset], true, "reset-mid-stream"),
        Scenario::GarbageFrames { .. } => {
            (vec![Step::Raw(Bytes::from_static(&GARBAGE))], false, "garbage-frames")
        }
        Scenario::EndWithoutMessageStop { .. } => (vec![first_half], false, "end-without-message-stop"),
        Scenario::CorruptCrc { .. } => {
            (vec![Step::Raw(Bytes::from_static(b"\0\0")), first_half], false, "corrupt-crc")
        }
        Scenario::Trickle { gap_ms } => return drip(call, &json, *gap_ms, billed),
        Scenario::ByteTrickle { gap_ms } => {
            let gap = Delivery::ByteByByte(Duration::from_millis(*gap_ms));
            let length = Some(json.len());
            return played(call, [Step::Raw(json)].into(), gap, Outcome::Completed, length, billed);
        }
        _ => return whole(call, json, billed),
    };
    let outcome = Outcome::Failed { status: 200, error: error.to_owned() };
    let length = announced.then_some(json.len());
    played(call, steps.into(), Delivery::Together, outcome, length, billed)
}

fn whole(call: Call, json: Bytes, billed: Option<Billed>) -> Response {
    let response = call.response(StatusCode::OK, "application/json", Body::from(json));
    call.guard.end(Outcome::Completed, billed);
    response
}

fn drip(call: Call, json: &Bytes, gap_ms: u64, billed: Option<Billed>) -> Response {
    let gap = Duration::from_millis(gap_ms);
    let steps = (0..json.len())
        .step_by(DRIP_BYTES)
        .flat_map(|start| {
            let end = json.len().min(start + DRIP_BYTES);
            [Step::Wait(gap), Step::Raw(json.slice(start..end))]
        })
        .collect();
    played(call, steps, Delivery::Together, Outcome::Completed, Some(json.len()), billed)
}

fn played(
    call: Call,
    steps: VecDeque<Step>,
    delivery: Delivery,
    outcome: Outcome,
    length: Option<usize>,
    billed: Option<Billed>,
) -> Response {
    let mut response = call.response(StatusCode::OK, "application/json", Body::empty());
    if let Some(length) = length {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    let script = Script {
        text: Words::default(),
        steps,
        input_tokens: 0,
        fixed_bill: billed,
        outcome,
        delivery,
        rest: None,
        wire: Wire::Converse,
    };
    *response.body_mut() = Body::new(ScriptBody::new(script, call.guard, call.connection));
    response
}
