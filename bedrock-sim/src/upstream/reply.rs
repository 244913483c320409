//! The reply of an upstream: pieces as they come, until the answer ends.
//!
//! Owns the reading of the stream, its clocks and its end. It reads only when it is asked, so a slow
//! reader slows the upstream down.
//! The one rule it protects: an answer has ended when the upstream says why; until then the end of
//! its stream is a cut.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body::Body as _;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, Sleep, sleep_until};

use super::connection::Line;
use super::lines::Lines;
use super::{Counted, Ended, UpstreamError};
use crate::scenario::StopReason;

/// An answer has at most this size. No model writes so much; a server that never ends would.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// What ends the stream of an answer.
const DONE: &[u8] = b"[DONE]";
/// How long the tokens are waited for once the answer has ended.
const COUNT_WITHIN: Duration = Duration::from_secs(5);

/// A part of an answer, or its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Reasoning(String),
    End(Ended),
}

/// An answer that is being read. Dropping it ends the call.
#[derive(Debug)]
pub(crate) struct Reply {
    body: Incoming,
    lines: Lines,
    pieces: VecDeque<Piece>,
    clock: Pin<Box<Sleep>>,
    idle: Duration,
    has_begun: bool,
    said_bytes: usize,
    reason: Option<StopReason>,
    counted: Option<Counted>,
    is_over: bool,
    _line: Line,
}

#[derive(Deserialize)]
struct Chunk {
    choices: Option<Vec<Choice>>,
    usage: Option<Value>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
    reasoning_content: Option<String>,
    reasoning: Option<String>,
}

impl Reply {
    pub(super) fn new(body: Incoming, line: Line, first_piece_by: Instant, idle: Duration) -> Self {
        Self {
            body,
            lines: Lines::default(),
            pieces: VecDeque::new(),
            clock: Box::pin(sleep_until(first_piece_by)),
            idle,
            has_begun: false,
            said_bytes: 0,
            reason: None,
            counted: None,
            is_over: false,
            _line: line,
        }
    }

    /// The next piece. Nothing follows the end, nor an error.
    pub(super) async fn next(&mut self) -> Result<Piece, UpstreamError> {
        poll_fn(|context| self.poll_next(context)).await
    }

    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Piece, UpstreamError>> {
        loop {
            if let Some(piece) = self.pieces.pop_front() {
                return Poll::Ready(Ok(piece));
            }
            if self.is_over {
                let end = self.reason.map(|reason| Piece::End(Ended { reason, counted: self.counted }));
                return Poll::Ready(end.ok_or(UpstreamError::Cut));
            }
            match self.lines.next_data() {
                Ok(Some(data)) => match self.take(&data) {
                    Ok(()) => {}
                    // What goes wrong after the answer ended takes nothing from it.
                    Err(_) if self.reason.is_some() => self.is_over = true,
                    Err(error) => return Poll::Ready(Err(error)),
                },
                Ok(None) => ready!(self.poll_bytes(context))?,
                Err(_) => return Poll::Ready(Err(UpstreamError::TooLarge)),
            }
        }
    }

    /// Reads more of the stream, or finds that there is no more.
    fn poll_bytes(&mut self, context: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(bytes) = frame.data_ref() {
                    self.lines.add(bytes);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Some(Err(_)) | None) => {
                self.is_over = true;
                Poll::Ready(Ok(()))
            }
            Poll::Pending => {
                ready!(self.clock.as_mut().poll(context));
                self.is_over = true;
                Poll::Ready(match self.reason {
                    Some(_) => Ok(()),
                    None if self.has_begun => Err(UpstreamError::Stalled),
                    None => Err(UpstreamError::Silent),
                })
            }
        }
    }

    /// Takes one event in.
    fn take(&mut self, data: &[u8]) -> Result<(), UpstreamError> {
        if data == DONE {
            self.is_over = true;
            return Ok(());
        }
        let chunk: Chunk = serde_json::from_slice(data).map_err(|_| UpstreamError::NotUnderstood)?;
        if chunk.error.is_some() {
            return Err(UpstreamError::Failed);
        }
        let choices = match chunk.choices {
            // Some servers count in an event without choices.
            None if chunk.usage.is_none() => return Err(UpstreamError::NotUnderstood),
            choices => choices.unwrap_or_default(),
        };
        for choice in choices {
            self.take_choice(choice)?;
        }
        let counted = chunk.usage.and_then(|usage| Counted::deserialize(usage).ok());
        self.counted = counted.or(self.counted);
        Ok(())
    }

    fn take_choice(&mut self, choice: Choice) -> Result<(), UpstreamError> {
        if self.reason.is_some() {
            return Ok(());
        }
        if let Some(delta) = choice.delta {
            let reasoning = delta.reasoning_content.or(delta.reasoning);
            self.say(reasoning, Piece::Reasoning)?;
            self.say(delta.content, Piece::Text)?;
        }
        if let Some(word) = choice.finish_reason.filter(|word| !word.is_empty()) {
            self.reason = Some(reason(&word).ok_or(UpstreamError::Failed)?);
            self.clock.as_mut().reset(Instant::now() + COUNT_WITHIN.min(self.idle));
        }
        Ok(())
    }

    fn say(&mut self, text: Option<String>, as_piece: fn(String) -> Piece) -> Result<(), UpstreamError> {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(()) };
        self.said_bytes += text.len();
        if self.said_bytes > MAX_ANSWER_BYTES {
            return Err(UpstreamError::TooLarge);
        }
        self.has_begun = true;
        self.clock.as_mut().reset(Instant::now() + self.idle);
        self.pieces.push_back(as_piece(text));
        Ok(())
    }
}

/// Why an answer ended. None for a word that does not say that the answer is whole, or how it was
/// bounded: a server that gave up says `abort` or `error`.
fn reason(word: &str) -> Option<StopReason> {
    match word {
        "stop" | "eos" | "eos_token" | "end_turn" | "stop_sequence" | "tool_calls" | "function_call" => {
            Some(StopReason::EndTurn)
        }
        "length" | "max_tokens" => Some(StopReason::MaxTokens),
        "content_filter" => Some(StopReason::ContentFiltered),
        _ => None,
    }
}
