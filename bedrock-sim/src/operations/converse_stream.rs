//! ConverseStream: the answer as an event stream.
//!
//! Owns the order of events of a healthy answer and what each scenario does to it: the script, which
//! streams of native chunks follow too. How a script becomes bytes is not its matter.
//! The one rule it protects: a healthy stream is `messageStart`, then per block its deltas and a
//! stop, then `messageStop`, then `metadata`, and a text block has no start event.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;

use super::answer::Answer;
use super::answering::Wanted;
use super::live::Live;
use super::telling::Telling;
use super::{Call, Received, answering};
use crate::call_log::{Operation, Outcome};
use crate::pacing::Pacing;
use crate::prompt_cache::Memory;
use crate::request::ConverseRequest;
use crate::scenario::Scenario;
use crate::script::{Delivery, GARBAGE, Script, ScriptBody, Step, Wire, Words};

const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";

pub(super) async fn answer(received: Received) -> Response {
    stream(received).await.unwrap_or_else(|refused| refused)
}

async fn stream(received: Received) -> Result<Response, Response> {
    let (call, body) = Call::open(received, Operation::ConverseStream)?;
    let request = ConverseRequest::read_for_stream(call.guard.model_id(), &body)
        .map_err(|refusal| call.refuse(&refusal))?;
    let scenario = call.scenario(Some(&request.user_text)).await?;
    refuse_to_stream(&call, &scenario)?;
    let (answer, memory) = answering::write(&call, request, &scenario, Wanted::Pieces).await?;
    Ok(respond(call, answer, memory, &scenario, Wire::Converse))
}

/// Sends an answer as a stream of this kind, as far as the scenario lets it.
pub(super) fn respond(
    call: Call,
    answer: Answer,
    memory: Option<Memory>,
    scenario: &Scenario,
    wire: Wire,
) -> Response {
    let delivery = match scenario {
        Scenario::ByteTrickle { gap_ms } => Delivery::ByteByByte(Duration::from_millis(*gap_ms)),
        _ if call.backend.split_frames => Delivery::Split,
        _ => Delivery::Together,
    };
    let script = script(answer, memory, scenario, call.backend.pacing, delivery, wire);
    let mut response = call.response(StatusCode::OK, EVENT_STREAM, Body::empty());
    *response.body_mut() = Body::new(ScriptBody::new(script, call.guard, call.connection));
    response
}

/// What comes instead of a stream where a scenario sends JSON.
pub(super) fn refuse_to_stream(call: &Call, scenario: &Scenario) -> Result<(), Response> {
    if *scenario != Scenario::JsonInsteadOfStream {
        return Ok(());
    }
    call.guard.failed(200, "json-instead-of-stream");
    let json = Body::from("{\"message\":\"This is no event stream.\"}");
    Err(call.response(StatusCode::OK, "application/json", json))
}

fn script(
    mut answer: Answer,
    memory: Option<Memory>,
    scenario: &Scenario,
    pacing: Pacing,
    delivery: Delivery,
    wire: Wire,
) -> Script {
    if let Some(reply) = answer.rest.take() {
        let telling = Telling::new(scenario.clone(), pacing, answer.tool.clone());
        return Script {
            input_tokens: answer.usage.input_tokens,
            fixed_bill: None,
            text: Words::Growing(String::new()),
            steps: VecDeque::new(),
            // What is told when the rest has come.
            outcome: Outcome::Completed,
            delivery,
            rest: Some(Box::new(Live::new(*reply, telling, answer, memory, wire.shows_reasoning()))),
            wire,
        };
    }
    let (steps, error) = match scenario {
        Scenario::StreamError { error, after_deltas: 0 } => {
            (VecDeque::from([Step::Exception(*error)]), Some(error.member()))
        }
        Scenario::StalledBody => (VecDeque::from([Step::Hang]), Some("stalled-body")),
        Scenario::GarbageFrames { after_deltas: None } => {
            (VecDeque::from([Step::Raw(Bytes::from_static(&GARBAGE))]), Some("garbage-frames"))
        }
        _ => told(&answer, memory, scenario, pacing),
    };
    let outcome = match error {
        None => Outcome::Completed,
        Some(error) => Outcome::Failed { status: 200, error: error.to_owned() },
    };
    // A call that is refused in place of its first event is not billed.
    let refused = matches!(scenario, Scenario::StreamError { after_deltas: 0, .. });
    Script {
        input_tokens: if refused { 0 } else { answer.usage.input_tokens },
        fixed_bill: answer.fixed_bill(),
        text: Words::Whole(answer.text),
        steps,
        outcome,
        delivery,
        rest: None,
        wire,
    }
}

/// The steps of a stream that begins well, and how the scenario spoils it.
fn told(
    answer: &Answer,
    memory: Option<Memory>,
    scenario: &Scenario,
    pacing: Pacing,
) -> (VecDeque<Step>, Option<&'static str>) {
    let ranges = match scenario {
        Scenario::HugeDelta { .. } => std::iter::once(0..answer.text.len()).collect(),
        _ => answer.deltas(),
    };
    let mut telling = Telling::new(scenario.clone(), pacing, answer.tool.clone());
    if *scenario == Scenario::TextAfterStop {
        telling.stop_early(ranges.len() / 2, answer.stop_reason);
    }
    let mut steps = VecDeque::new();
    let fault = tell(&mut telling, &mut steps, answer, memory, ranges).err();
    (steps, fault)
}

fn tell(
    telling: &mut Telling,
    steps: &mut VecDeque<Step>,
    answer: &Answer,
    memory: Option<Memory>,
    ranges: Vec<Range<usize>>,
) -> Result<(), &'static str> {
    telling.begin(steps, answer.preamble, memory);
    telling.open_block(steps);
    for range in ranges {
        telling.delta(steps, range)?;
    }
    telling.end(steps, answer.stop_reason, answer.told_usage, answer.echo.clone())
}
