//! One call of one target under its clocks, up to the point where it is an answer.
//!
//! A whole answer is judged here; a streamed one is handed out once its first
//! word has come, because until then another model can still take over unseen.
//! Every way out of this file has ended the running call, its place and its record.

use tokio::time::{Instant, timeout_at};
use tokio_stream::StreamExt as _;

use super::clocks::{Clocks, Deadline, Limit};
use super::open_answer::OpenAnswer;
use super::running_call::RunningCall;
use crate::domain::{CallFailure, Metered, OnBlock};
use crate::inference::{BackendError, Completion, ModelBackend, ModelCall, ModelEvent, StopReason};

/// What a chain came back with.
pub enum Answer {
    /// All of it.
    Whole { text: String, finish: FinishReason, usage: Option<Metered> },
    /// Its beginning, and the rest as it is written.
    Open(Box<OpenAnswer>),
}

/// How an answer ended that is an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// The model was done.
    Stop,
    /// A limit cut it short.
    Length,
    /// The provider's filter cut it short.
    ContentFilter,
    /// It holds a guardrail's own text, because the catalogue wants that told.
    Guardrail,
    /// The model gave a reason that this version does not know.
    Other,
}

impl FinishReason {
    /// The word in answers and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ContentFilter | Self::Guardrail => "content_filter",
            Self::Other => "other",
        }
    }
}

/// What is known about the tokens of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// The model did not take the call.
    Nothing,
    /// The provider's own count.
    Exact(Metered),
    /// The model worked, and nobody said how much.
    Unknown,
}

impl Spent {
    pub(super) fn of(usage: Option<Metered>) -> Self {
        usage.map_or(Self::Unknown, Self::Exact)
    }

    /// Of a call that failed before a word of its answer was understood. What could not
    /// be understood may have been written and billed all the same.
    fn before_answer(failure: CallFailure) -> Self {
        if failure == CallFailure::BadResponse { Self::Unknown } else { Self::Nothing }
    }
}

/// A call that gave no answer, or stopped giving one.
#[derive(Debug, Clone)]
pub(super) struct AttemptError {
    pub error: BackendError,
    pub spent: Spent,
    /// Whether it says something about the target, and not about a caller in a hurry.
    pub at_fault: bool,
}

impl AttemptError {
    pub(super) fn new(failure: CallFailure, cause: &str, spent: Spent) -> Self {
        Self::of(BackendError::new(failure, cause), spent)
    }

    pub(super) fn of(error: BackendError, spent: Spent) -> Self {
        Self { error, spent, at_fault: true }
    }

    /// Ends the call with this error.
    pub(super) fn ending(self, call: RunningCall) -> Self {
        call.failed(&self);
        self
    }
}

/// Calls the target and waits for the whole answer.
pub(super) async fn complete(
    backend: &dyn ModelBackend,
    call: &ModelCall,
    running: RunningCall,
    limit: Limit,
) -> Result<Answer, AttemptError> {
    let judged = match timeout_at(limit.at, backend.complete(call)).await {
        Ok(Ok(Completion { text, stop_reason, usage })) => {
            match judge(stop_reason, !text.trim().is_empty(), on_block(call)) {
                Ok(finish) => Ok((text, finish, usage)),
                Err(failure) => Err(AttemptError::new(failure, ended_by(stop_reason), Spent::of(usage))),
            }
        }
        Ok(Err(error)) => {
            let spent = Spent::before_answer(error.kind);
            Err(AttemptError::of(error, spent))
        }
        Err(_elapsed) => Err(out_of_time(limit, CallFailure::AnswerClock, Spent::Unknown)),
    };
    match judged {
        Ok((text, finish, usage)) => {
            running.succeeded(usage.as_ref());
            Ok(Answer::Whole { text, finish, usage })
        }
        Err(error) => Err(error.ending(running)),
    }
}

/// Calls the target and waits for the first word of its answer.
pub(super) async fn open(
    backend: &dyn ModelBackend,
    call: &ModelCall,
    mut running: RunningCall,
    clocks: &Clocks,
    deadline: Deadline,
    others_remain: bool,
) -> Result<Answer, AttemptError> {
    let started = Instant::now();
    let first = deadline.limit(clocks.first_event, others_remain);
    let whole = deadline.limit(clocks.attempt, others_remain);
    let opening = async {
        let mut stream = backend.stream(call).await?;
        let event = stream.next().await;
        Ok((stream, event))
    };
    let (mut stream, mut event) = match timeout_at(first.at, opening).await {
        Ok(Ok(opened)) => opened,
        Ok(Err(error)) => return Err(AttemptError::of(error, Spent::Nothing).ending(running)),
        Err(_elapsed) => {
            // Silence says nothing about what the model did with the prompt.
            return Err(out_of_time(first, CallFailure::FirstEventClock, Spent::Unknown).ending(running));
        }
    };
    let mut spent = Spent::Nothing;
    let mut beginning = String::new();
    loop {
        let failed = match event {
            Some(Ok(ModelEvent::Text(text))) => {
                beginning.push_str(&text);
                if !beginning.trim().is_empty() {
                    running.first_text();
                    let end = deadline.limit(clocks.attempt.saturating_sub(started.elapsed()), false);
                    let on_block = on_block(call);
                    let answer = OpenAnswer::new(beginning, stream, running, clocks.idle, end, on_block);
                    return Ok(Answer::Open(Box::new(answer)));
                }
                None
            }
            Some(Ok(ModelEvent::Started | ModelEvent::Thinking | ModelEvent::Usage(_))) => None,
            Some(Ok(ModelEvent::Stopped(reason))) => {
                let failure = judge(reason, false, OnBlock::Refuse).err().unwrap_or(CallFailure::EmptyAnswer);
                let soon = whole.at.min(Instant::now() + clocks.idle);
                // The usage follows the stop; a failed call's cost is worth one more event.
                if let Ok(Some(Ok(ModelEvent::Usage(usage)))) = timeout_at(soon, stream.next()).await {
                    spent = Spent::Exact(usage);
                }
                Some(AttemptError::new(failure, ended_by(reason), spent))
            }
            Some(Err(error)) => {
                let spent = if spent == Spent::Nothing { Spent::before_answer(error.kind) } else { spent };
                Some(AttemptError::of(error, spent))
            }
            None => Some(AttemptError::new(CallFailure::StreamCut, "the stream ended without a word", spent)),
        };
        if let Some(error) = failed {
            return Err(error.ending(running));
        }
        spent = Spent::Unknown;
        let idle = deadline.limit(clocks.idle, others_remain);
        let (limit, clock) = if whole.at < idle.at {
            (whole, CallFailure::AttemptClock)
        } else {
            (idle, CallFailure::IdleClock)
        };
        event = match timeout_at(limit.at, stream.next()).await {
            Ok(event) => event,
            Err(_elapsed) => return Err(out_of_time(limit, clock, spent).ending(running)),
        };
    }
}

pub(super) fn out_of_time(limit: Limit, clock: CallFailure, spent: Spent) -> AttemptError {
    let failure = if limit.is_deadline { CallFailure::Deadline } else { clock };
    AttemptError { at_fault: limit.is_whole_clock, ..AttemptError::new(failure, "a clock ran out", spent) }
}

/// What a block by the call's guardrail means.
fn on_block(call: &ModelCall) -> OnBlock {
    call.guardrail.as_ref().map_or(OnBlock::Refuse, |guardrail| guardrail.on_block)
}

/// Who ended a turn, for the log.
pub(super) const fn ended_by(reason: StopReason) -> &'static str {
    match reason {
        StopReason::GuardrailIntervened => "a guardrail intervened",
        StopReason::ContentFiltered => "the provider's filter ended the turn",
        _ => "the model ended its turn",
    }
}

/// Whether a turn that ended like this is an answer.
pub(super) fn judge(
    reason: StopReason,
    has_text: bool,
    on_block: OnBlock,
) -> Result<FinishReason, CallFailure> {
    match (reason, has_text) {
        (StopReason::GuardrailIntervened, true) if on_block == OnBlock::Answer => Ok(FinishReason::Guardrail),
        (StopReason::GuardrailIntervened, _) | (StopReason::ContentFiltered, false) => {
            Err(CallFailure::Filtered)
        }
        (StopReason::Malformed, _) => Err(CallFailure::MalformedAnswer),
        (StopReason::ContextWindowExceeded, false) => Err(CallFailure::InputTooLong),
        (StopReason::EndTurn | StopReason::MaxTokens | StopReason::Other, false) => {
            Err(CallFailure::EmptyAnswer)
        }
        (StopReason::EndTurn, true) => Ok(FinishReason::Stop),
        (StopReason::MaxTokens | StopReason::ContextWindowExceeded, true) => Ok(FinishReason::Length),
        (StopReason::ContentFiltered, true) => Ok(FinishReason::ContentFilter),
        (StopReason::Other, true) => Ok(FinishReason::Other),
    }
}

#[cfg(test)]
mod tests {
    use super::{FinishReason, judge};
    use crate::domain::{CallFailure, OnBlock};
    use crate::inference::StopReason as Stop;

    #[test]
    fn a_cut_answer_is_never_called_complete_and_an_empty_one_is_no_answer() {
        assert_eq!(judge(Stop::EndTurn, true, OnBlock::Refuse), Ok(FinishReason::Stop));
        assert_eq!(judge(Stop::MaxTokens, true, OnBlock::Refuse), Ok(FinishReason::Length));
        assert_eq!(judge(Stop::ContextWindowExceeded, true, OnBlock::Refuse), Ok(FinishReason::Length));
        assert_eq!(judge(Stop::ContentFiltered, true, OnBlock::Refuse), Ok(FinishReason::ContentFilter));
        assert_eq!(judge(Stop::Other, true, OnBlock::Refuse), Ok(FinishReason::Other));
        for reason in [Stop::EndTurn, Stop::MaxTokens, Stop::Other] {
            assert_eq!(judge(reason, false, OnBlock::Refuse), Err(CallFailure::EmptyAnswer));
        }
        assert_eq!(
            judge(Stop::ContextWindowExceeded, false, OnBlock::Refuse),
            Err(CallFailure::InputTooLong)
        );
        assert_eq!(judge(Stop::ContentFiltered, false, OnBlock::Refuse), Err(CallFailure::Filtered));
        for has_text in [false, true] {
            assert_eq!(
                judge(Stop::GuardrailIntervened, has_text, OnBlock::Refuse),
                Err(CallFailure::Filtered)
            );
            assert_eq!(judge(Stop::Malformed, has_text, OnBlock::Refuse), Err(CallFailure::MalformedAnswer));
        }
    }

    #[test]
    fn a_guardrails_own_text_is_an_answer_only_where_the_catalogue_says_so() {
        let intervened = |has_text, on_block| judge(Stop::GuardrailIntervened, has_text, on_block);
        assert_eq!(intervened(true, OnBlock::Answer), Ok(FinishReason::Guardrail));
        assert_eq!(intervened(false, OnBlock::Answer), Err(CallFailure::Filtered));
        assert_eq!(intervened(true, OnBlock::Refuse), Err(CallFailure::Filtered));
    }
}
