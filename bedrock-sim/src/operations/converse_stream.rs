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

use super::{Answer, Call, Received, answering};
use crate::call_log::{Operation, Outcome};
use crate::models::Preamble;
use crate::pacing::Pacing;
use crate::prompt_cache::Memory;
use crate::request::ConverseRequest;
use crate::scenario::Scenario;
use crate::script::{Delivery, GARBAGE, REASONING_SIGNATURE, REASONING_TEXT, Script, ScriptBody, Step, Wire};

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
    let (answer, memory) = answering::write(&call, request, &scenario).await?;
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
    answer: Answer,
    memory: Option<Memory>,
    scenario: &Scenario,
    pacing: Pacing,
    delivery: Delivery,
    wire: Wire,
) -> Script {
    let (steps, error) = match scenario {
        Scenario::StreamError { error, after_deltas: 0 } => {
            (vec![Step::Exception(*error)], Some(error.member()))
        }
        Scenario::StalledBody => (vec![Step::Hang], Some("stalled-body")),
        Scenario::GarbageFrames { after_deltas: None } => {
            (vec![Step::Raw(Bytes::from_static(&GARBAGE))], Some("garbage-frames"))
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
        text: answer.text,
        steps: VecDeque::from(steps),
        outcome,
        delivery,
        wire,
    }
}

/// The steps of a stream that begins well, and how the scenario spoils it.
fn told(
    answer: &Answer,
    memory: Option<Memory>,
    scenario: &Scenario,
    pacing: Pacing,
) -> (Vec<Step>, Option<&'static str>) {
    let mut steps = Vec::new();
    if let Scenario::SlowFirstEvent { wait_ms } = scenario {
        steps.push(Step::Wait(Duration::from_millis(*wait_ms)));
    }
    steps.push(Step::MessageStart);
    steps.extend(memory.map(Step::Keep));
    let mut waits = Waits::new(scenario, pacing);
    let block = push_preamble(&mut steps, answer.preamble, &mut waits);
    let ranges = match scenario {
        Scenario::HugeDelta { .. } => std::iter::once(0..answer.text.len()).collect(),
        _ => answer.deltas(),
    };
    steps.extend(answer.tool.clone().map(|tool| Step::ToolStart { block, tool }));
    let reason = answer.stop_reason;
    let spoilt_at = scenario.spoils_after().map(|deltas| deltas.min(ranges.len()));
    for at in 0..=ranges.len() {
        let range = ranges.get(at).cloned();
        if spoilt_at == Some(at) {
            let next = range.clone().unwrap_or(0..0);
            if let Some(error) = push_fault(&mut steps, scenario, block, next) {
                return (steps, Some(error));
            }
        }
        if *scenario == Scenario::TextAfterStop && at == ranges.len() / 2 {
            steps.push(Step::MessageStop { reason });
        }
        if let Some(range) = range {
            waits.push_next(&mut steps);
            steps.push(match answer.tool {
                None => Step::Text { block, range },
                Some(_) => Step::ToolInput { block, range },
            });
        }
    }
    if *scenario == Scenario::EmptyText {
        steps.push(Step::EmptyText { block });
    }
    if *scenario != Scenario::EmptyContent {
        steps.push(Step::BlockStop { block });
    }
    if *scenario != Scenario::TextAfterStop {
        steps.push(Step::MessageStop { reason });
    }
    if *scenario == Scenario::DuplicateStop {
        steps.push(Step::MessageStop { reason });
    }
    if *scenario == Scenario::EndWithoutMetadata {
        return (steps, Some("end-without-metadata"));
    }
    steps.push(Step::Metadata { usage: answer.told_usage, echo: Box::new(answer.echo.clone()) });
    (steps, None)
}

/// The waits before deltas, of either kind.
#[derive(Debug)]
struct Waits {
    next: Duration,
    between: Duration,
}

impl Waits {
    fn new(scenario: &Scenario, pacing: Pacing) -> Self {
        match scenario {
            Scenario::SlowFirstDelta { wait_ms } => {
                Self { next: Duration::from_millis(*wait_ms), between: pacing.between_deltas }
            }
            Scenario::Trickle { gap_ms } => {
                Self { next: Duration::from_millis(*gap_ms), between: Duration::from_millis(*gap_ms) }
            }
            _ => Self { next: pacing.first_delta, between: pacing.between_deltas },
        }
    }

    fn push_next(&mut self, steps: &mut Vec<Step>) {
        if !self.next.is_zero() {
            steps.push(Step::Wait(self.next));
        }
        self.next = self.between;
    }
}

/// Pushes the blocks that come before the text and returns the index of the text block.
fn push_preamble(steps: &mut Vec<Step>, preamble: Preamble, waits: &mut Waits) -> u32 {
    let block = match preamble {
        Preamble::None => return 0,
        Preamble::Reasoning => 0,
        Preamble::EmptyTextAndReasoning => {
            steps.push(Step::EmptyText { block: 0 });
            steps.push(Step::BlockStop { block: 0 });
            1
        }
    };
    for text in REASONING_TEXT.split_inclusive(". ") {
        waits.push_next(steps);
        steps.push(Step::Reasoning { block, text });
    }
    if preamble == Preamble::Reasoning {
        steps.push(Step::ReasoningSignature { block, signature: REASONING_SIGNATURE });
    }
    steps.push(Step::BlockStop { block });
    block + 1
}

/// Pushes the fault that comes after some deltas. Some(name) means that the stream ends with it.
fn push_fault(
    steps: &mut Vec<Step>,
    scenario: &Scenario,
    block: u32,
    next: Range<usize>,
) -> Option<&'static str> {
    match scenario {
        Scenario::StreamError { error, .. } => {
            steps.push(Step::Exception(*error));
            Some(error.member())
        }
        Scenario::Stall { for_ms: Some(for_ms), .. } => {
            steps.push(Step::Wait(Duration::from_millis(*for_ms)));
            None
        }
        Scenario::Stall { for_ms: None, .. } => {
            steps.push(Step::Hang);
            Some("stall")
        }
        Scenario::CutMidFrame { .. } => {
            steps.push(Step::HalfOfText { block, range: next });
            steps.push(Step::Cut);
            Some("cut-mid-frame")
        }
        Scenario::CutBetweenFrames { .. } => {
            steps.push(Step::Cut);
            Some("cut-between-frames")
        }
        Scenario::ResetMidStream { .. } => {
            steps.push(Step::Reset);
            Some("reset-mid-stream")
        }
        Scenario::GarbageFrames { .. } => {
            steps.push(Step::Raw(Bytes::from_static(&GARBAGE)));
            Some("garbage-frames")
        }
        Scenario::EndWithoutMessageStop { .. } => Some("end-without-message-stop"),
        Scenario::CorruptCrc { .. } => {
            steps.push(Step::CorruptText { block, range: next });
            Some("corrupt-crc")
        }
        Scenario::UnknownEvent { .. } => {
            steps.push(Step::Unheard);
            None
        }
        _ => None,
    }
}
