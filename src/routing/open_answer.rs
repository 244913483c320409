//! An answer that is being written, under the clocks that remain.
//!
//! The model does not change any more. What can still happen: more text, an end
//! that is an answer, or a failure. Dropping it ends the call upstream, its
//! record says cancelled and its target is not judged.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::{Instant, Sleep, sleep_until};

use super::attempt::{AttemptError, FinishReason, Spent, ended_by, judge, out_of_time};
use super::clocks::Limit;
use super::route_error::RouteError;
use super::running_call::RunningCall;
use crate::domain::{CallFailure, Metered, OnBlock};
use crate::inference::{BackendError, ModelEvent, ModelStream, StopReason};

/// The next part of an open answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    Text(String),
    /// The answer is complete; the usage is missing when the provider did not send it.
    End {
        finish: FinishReason,
        usage: Option<Metered>,
    },
}

/// An answer that broke off.
#[derive(Debug, Clone, PartialEq)]
pub struct Broken {
    pub error: RouteError,
    /// What it took all the same, where the provider told.
    pub usage: Option<Metered>,
}

/// An answer that is being written.
pub struct OpenAnswer {
    beginning: Option<String>,
    stream: ModelStream,
    running: Option<RunningCall>,
    idle: Duration,
    last_event: Instant,
    end: Limit,
    on_block: OnBlock,
    timer: Pin<Box<Sleep>>,
    /// Set once the model has stopped: whether what it wrote is an answer.
    end_of_turn: Option<(StopReason, Result<FinishReason, CallFailure>)>,
}

enum Wait {
    Event(Option<Result<ModelEvent, BackendError>>),
    ClockRanOut(Limit, CallFailure),
}

impl OpenAnswer {
    pub(super) fn new(
        beginning: String,
        stream: ModelStream,
        running: RunningCall,
        idle: Duration,
        end: Limit,
        on_block: OnBlock,
    ) -> Self {
        let now = Instant::now();
        Self {
            beginning: Some(beginning),
            stream,
            running: Some(running),
            idle,
            last_event: now,
            end,
            on_block,
            timer: Box::pin(sleep_until((now + idle).min(end.at))),
            end_of_turn: None,
        }
    }

    /// Waits for the next part. After [`Piece::End`] or an error there is nothing more.
    ///
    /// # Errors
    /// The failure that ended the answer before it was complete.
    pub async fn next(&mut self) -> Result<Piece, Broken> {
        if let Some(text) = self.beginning.take() {
            return Ok(Piece::Text(text));
        }
        loop {
            match poll_fn(|cx| self.poll(cx)).await {
                Wait::Event(Some(Ok(ModelEvent::Text(text)))) => return Ok(Piece::Text(text)),
                Wait::Event(Some(Ok(ModelEvent::Started | ModelEvent::Thinking))) => {}
                Wait::Event(Some(Ok(ModelEvent::Stopped(reason)))) => {
                    self.end_of_turn = Some((reason, judge(reason, true, self.on_block)));
                }
                Wait::Event(Some(Ok(ModelEvent::Usage(usage)))) => {
                    if let Some(end) = self.end_of_turn {
                        return self.ended(end, Some(usage));
                    }
                }
                Wait::Event(Some(Err(error))) => {
                    return Err(self.failed(AttemptError::of(error, Spent::Unknown)));
                }
                Wait::Event(None) => match self.end_of_turn {
                    Some(end) => return self.ended(end, None),
                    None => {
                        let cause = "the stream ended without a stop";
                        let cut = AttemptError::new(CallFailure::StreamCut, cause, Spent::Unknown);
                        return Err(self.failed(cut));
                    }
                },
                Wait::ClockRanOut(limit, clock) => match self.end_of_turn {
                    Some(end) => return self.ended(end, None),
                    None => return Err(self.failed(out_of_time(limit, clock, Spent::Unknown))),
                },
            }
        }
    }

    /// The timer is set again only when it fires: most events then cost no timer work.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Wait> {
        if let Poll::Ready(event) = self.stream.poll_next_unpin(cx) {
            self.last_event = Instant::now();
            // A model that never pauses is under the clock too.
            if self.last_event >= self.end.at && self.end_of_turn.is_none() {
                return Poll::Ready(self.out_of_attempt_time());
            }
            return Poll::Ready(Wait::Event(event));
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            let idle_until = self.last_event + self.idle;
            let due = idle_until.min(self.end.at);
            if Instant::now() >= due {
                let idle = Limit { at: idle_until, is_deadline: false, is_whole_clock: true };
                return Poll::Ready(if self.end.at <= idle_until {
                    self.out_of_attempt_time()
                } else {
                    Wait::ClockRanOut(idle, CallFailure::IdleClock)
                });
            }
            self.timer.as_mut().reset(due);
        }
        Poll::Pending
    }

    /// The clock of the whole call ran out while text came. That is no fault of the target:
    /// the text was long, or its reader was slow, and neither must close it for others. A
    /// model that falls silent is judged by the idle clock.
    fn out_of_attempt_time(&self) -> Wait {
        Wait::ClockRanOut(Limit { is_whole_clock: false, ..self.end }, CallFailure::AttemptClock)
    }

    /// The model is done, and its usage has been told or never will be.
    fn ended(
        &mut self,
        (reason, end): (StopReason, Result<FinishReason, CallFailure>),
        usage: Option<Metered>,
    ) -> Result<Piece, Broken> {
        let finish = match end {
            Ok(finish) => finish,
            Err(failure) => {
                let error = AttemptError::new(failure, ended_by(reason), Spent::of(usage));
                return Err(self.failed(error));
            }
        };
        if let Some(running) = self.running.take() {
            running.succeeded(usage.as_ref());
        }
        Ok(Piece::End { finish, usage })
    }

    fn failed(&mut self, error: AttemptError) -> Broken {
        if let Some(running) = self.running.take() {
            running.failed(&error);
        }
        let usage = match error.spent {
            Spent::Exact(usage) => Some(usage),
            Spent::Nothing | Spent::Unknown => None,
        };
        Broken { error: RouteError::from_last(error), usage }
    }
}
