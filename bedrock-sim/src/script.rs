//! A script: the steps of one streamed answer, and the body that plays them.
//!
//! Owns waits, cuts and the grouping of frames into pieces. It knows neither scenarios nor requests,
//! nor what the chunks of a native stream hold;
//! an operation writes the script, or goes on writing it while an upstream answers. Frames are
//! encoded when their turn comes, so an open stream holds its text and its steps only.
//! The one rule it protects: the body owns the call's guard, so a body that is dropped early ends
//! every wait at once and is recorded as a client that went away.

mod deltas;
mod tool_start;
mod words;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use tokio::time::Sleep;

use crate::call_log::{Billed, CallGuard, Outcome};
use crate::errors::StreamError;
use crate::frames::{self, Event};
use crate::native::{Metrics, NativeStream};
use crate::operations::{Live, Outlook, ToldUsage, Usage};
use crate::prompt_cache::Memory;
use crate::request::Echo;
use crate::scenario::StopReason;
use crate::server::Connection;
use crate::tokens::{self, Tally};
pub(crate) use deltas::delta_ranges;
pub(crate) use tool_start::ToolStart;
pub(crate) use words::Words;

/// Frames that are ready together leave in pieces of about this size.
const PIECE_BYTES: usize = 16 * 1024;
/// When frames are split, a piece has at most this size.
const MAX_SPLIT_PIECE_BYTES: usize = 192;

/// What a reasoning block says.
pub(crate) const REASONING_TEXT: &str = "The request holds a document and a task. \
    The answer is put together from the sentences of the document. No model takes part.";
pub(crate) const REASONING_SIGNATURE: &str = "c2lnbmVkIGJ5IGEgc2ltdWxhdG9yOyBpdCBwcm92ZXMgbm90aGluZw==";

/// Bytes that are no frame: what would be the lengths and the checksum of a prelude is noise.
pub(crate) const GARBAGE: [u8; 512] = noise();

/// One step of a script. Text is named by its place in the script's text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    MessageStart,
    Text {
        block: u32,
        range: Range<usize>,
    },
    EmptyText {
        block: u32,
    },
    ToolStart {
        block: u32,
        tool: ToolStart,
    },
    /// A piece of the input of a tool.
    ToolInput {
        block: u32,
        range: Range<usize>,
    },
    Reasoning {
        block: u32,
        text: Cow<'static, str>,
    },
    ReasoningSignature {
        block: u32,
        signature: &'static str,
    },
    BlockStop {
        block: u32,
    },
    MessageStop {
        reason: StopReason,
    },
    Metadata {
        usage: ToldUsage,
        echo: Box<Echo>,
    },
    Unheard,
    Exception(StreamError),
    /// The next delta as a frame whose checksum is wrong.
    CorruptText {
        block: u32,
        range: Range<usize>,
    },
    /// The first half of a delta's frame.
    HalfOfText {
        block: u32,
        range: Range<usize>,
    },
    /// Bytes as they are.
    Raw(Bytes),
    /// The answer has begun: its prompt is in the cache from here on.
    Keep(Memory),
    Wait(Duration),
    /// Silence until the client leaves.
    Hang,
    /// The connection ends here, without a proper end.
    Cut,
    /// The connection is reset here.
    Reset,
}

/// The steps of one answer, its text and what it will have been.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) text: Words,
    pub(crate) steps: VecDeque<Step>,
    /// Where more steps come from when these have been played.
    pub(crate) rest: Option<Box<Live>>,
    pub(crate) input_tokens: u64,
    /// What is billed, if it does not depend on what is sent.
    pub(crate) fixed_bill: Option<Billed>,
    /// What the call becomes when the last step has been played, or the cut.
    pub(crate) outcome: Outcome,
    /// How the bytes of the steps leave.
    pub(crate) delivery: Delivery,
    pub(crate) wire: Wire,
}

/// What the steps are written as.
#[derive(Debug)]
pub(crate) enum Wire {
    /// The events of ConverseStream.
    Converse,
    /// Chunks of a model's own JSON.
    Native(Box<NativeStream>),
}

impl Wire {
    /// Whether reasoning of any length has a place of its own in it.
    pub(crate) fn shows_reasoning(&self) -> bool {
        match self {
            Self::Converse => true,
            Self::Native(native) => native.shows_reasoning(),
        }
    }
}

/// How a script's bytes leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// What is ready together leaves together.
    Together,
    /// In pieces of random size, as from AWS.
    Split,
    /// One byte at a time, each after this time.
    ByteByByte(Duration),
}

/// Plays a script as a response body.
#[derive(Debug)]
pub(crate) struct ScriptBody {
    script: Script,
    guard: CallGuard,
    connection: Connection,
    random: SmallRng,
    ready: BytesMut,
    /// The first step that is no bytes and whose turn has come.
    next: Turn,
    wait: Option<Pin<Box<Sleep>>>,
    /// Set after a piece that has to reach the socket by itself.
    flush_first: bool,
    sent_text_bytes: usize,
    sent_reasoning: Tally,
    /// From the call's arrival to the first event.
    first_event_ms: Option<u64>,
}

#[derive(Debug, PartialEq)]
enum Turn {
    Bytes,
    /// More steps, once there are any.
    Rest,
    Wait(Duration),
    Hang,
    Cut,
    Reset,
    End,
}

impl ScriptBody {
    /// The connection is the one that the body goes to; a script may reset it.
    pub(crate) fn new(script: Script, guard: CallGuard, connection: Connection) -> Self {
        Self {
            script,
            guard,
            connection,
            random: SmallRng::from_rng(&mut rand::rng()),
            ready: BytesMut::new(),
            next: Turn::Bytes,
            wait: None,
            flush_first: false,
            sent_text_bytes: 0,
            sent_reasoning: Tally::default(),
            first_event_ms: None,
        }
    }

    /// Plays the steps that are bytes, until one is not or a piece is full.
    fn fill(&mut self) {
        while self.next == Turn::Bytes && self.ready.len() < PIECE_BYTES {
            match self.script.steps.pop_front() {
                None if self.script.rest.is_some() => self.next = Turn::Rest,
                None => self.next = Turn::End,
                Some(Step::Wait(duration)) if duration.is_zero() => {}
                Some(Step::Wait(duration)) => self.next = Turn::Wait(duration),
                Some(Step::Hang) => self.next = Turn::Hang,
                Some(Step::Cut) => self.next = Turn::Cut,
                Some(Step::Reset) => self.next = Turn::Reset,
                Some(step) => self.write(&step),
            }
        }
    }

    fn write(&mut self, step: &Step) {
        let text = std::mem::take(&mut self.script.text);
        self.write_with(step, &text);
        self.script.text = text;
    }

    fn write_with(&mut self, step: &Step, text: &str) {
        let start = self.ready.len();
        let event = match step {
            Step::MessageStart => Event::MessageStart,
            Step::Text { block, range }
            | Step::CorruptText { block, range }
            | Step::HalfOfText { block, range } => Event::Text { block: *block, text: &text[range.clone()] },
            Step::EmptyText { block } => Event::Text { block: *block, text: "" },
            Step::ToolStart { block, tool } => Event::ToolStart { block: *block, tool },
            Step::ToolInput { block, range } => {
                Event::ToolInput { block: *block, input: &text[range.clone()] }
            }
            Step::Reasoning { block, text } => Event::Reasoning { block: *block, text },
            Step::ReasoningSignature { block, signature } => {
                Event::ReasoningSignature { block: *block, signature }
            }
            Step::BlockStop { block } => Event::BlockStop { block: *block },
            Step::MessageStop { reason } => Event::MessageStop { reason: reason.as_str() },
            Step::Metadata { usage, echo } => {
                Event::Metadata { usage: *usage, echo, latency_ms: self.guard.elapsed_ms() }
            }
            Step::Unheard => Event::Unheard,
            Step::Exception(error) => Event::Exception(*error),
            Step::Raw(bytes) => return self.ready.extend_from_slice(bytes),
            Step::Keep(memory) => return memory.keep(),
            // These are turns, not bytes; `fill` keeps them.
            Step::Wait(_) | Step::Hang | Step::Cut | Step::Reset => return,
        };
        match self.native_chunks(step, &event) {
            None => {
                let padding = frames::padding(&mut self.random);
                frames::write(&event, Some(padding), &mut self.ready);
                self.after_write(step, start);
            }
            Some(chunks) => {
                let mut last = None;
                for chunk in chunks {
                    last = Some(self.ready.len());
                    let padding = frames::padding(&mut self.random);
                    frames::write_chunk(&chunk.to_string(), Some(padding), &mut self.ready);
                }
                if let Some(last) = last {
                    self.after_write(step, last);
                }
            }
        }
    }

    /// The event as chunks of a native stream. None if it is no native stream, or if the event is
    /// of the stream itself. A stop that the metrics follow takes them along.
    fn native_chunks(&mut self, step: &Step, event: &Event<'_>) -> Option<Vec<Value>> {
        let Wire::Native(native) = &mut self.script.wire else { return None };
        let latency_ms = self.guard.elapsed_ms();
        let first_event_ms = *self.first_event_ms.get_or_insert(latency_ms);
        let metrics = |usage: &ToldUsage| Metrics { usage: *usage, latency_ms, first_event_ms };
        match step {
            Step::MessageStop { reason } => {
                let metrics = match self.script.steps.front() {
                    Some(Step::Metadata { usage, .. }) => Some(metrics(usage)),
                    _ => None,
                };
                if metrics.is_some() {
                    self.script.steps.pop_front();
                }
                Some(native.stop(*reason, metrics.as_ref()))
            }
            Step::Metadata { usage, .. } => Some(native.metrics_alone(&metrics(usage))),
            _ => native.chunks(event),
        }
    }

    fn after_write(&mut self, step: &Step, start: usize) {
        match step {
            Step::Text { range, .. } | Step::ToolInput { range, .. } => {
                self.sent_text_bytes = range.end;
                self.guard.sent_delta();
            }
            Step::Reasoning { text, .. } => {
                self.sent_reasoning.add(text);
                self.guard.sent_delta();
            }
            Step::EmptyText { .. } | Step::ReasoningSignature { .. } => self.guard.sent_delta(),
            Step::CorruptText { .. } => {
                let last = self.ready.len() - 1;
                self.ready[last] ^= 0xff;
            }
            Step::HalfOfText { .. } => {
                let frame =
                    frames::frame_length(&self.ready[start..]).expect("a whole frame was just written");
                self.ready.truncate(start + frame / 2);
            }
            _ => {}
        }
    }

    fn take_piece(&mut self) -> Bytes {
        let size = match self.script.delivery {
            Delivery::Together => self.ready.len(),
            // A frame beyond all measure would take thousands of small pieces.
            Delivery::Split if self.ready.len() > 2 * PIECE_BYTES => PIECE_BYTES,
            Delivery::Split => self.random.random_range(1..=self.ready.len().min(MAX_SPLIT_PIECE_BYTES)),
            Delivery::ByteByByte(_) => 1,
        };
        self.flush_first = self.script.delivery == Delivery::Split;
        self.ready.split_to(size).freeze()
    }

    fn finish(&mut self) {
        if !self.guard.is_open() {
            return;
        }
        let outcome = self.script.outcome.clone();
        self.guard.end(outcome, Some(self.billed()));
    }

    fn billed(&self) -> Billed {
        if let Some(billed) = &self.script.fixed_bill {
            return billed.clone();
        }
        let text = self.script.text.up_to(self.sent_text_bytes);
        Billed {
            input_tokens: self.script.input_tokens,
            output_tokens: tokens::count(&text) + self.sent_reasoning.tokens(),
            text,
        }
    }

    /// Waits for more steps of an answer that is being written.
    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let script = &mut self.script;
        let (Some(rest), Words::Growing(text)) = (&mut script.rest, &mut script.text) else {
            return Poll::Ready(());
        };
        if let Outlook::Over { outcome, usage, told } = ready!(rest.poll(context, &mut script.steps, text)) {
            script.rest = None;
            script.outcome = outcome;
            if let (Some(told), Wire::Native(native)) = (told, &mut script.wire) {
                native.settle(told);
            }
            script.fixed_bill = usage.map(|Usage { input_tokens, output_tokens }| {
                let text = script.text.up_to(script.text.len());
                Billed { input_tokens, output_tokens, text }
            });
        }
        Poll::Ready(())
    }

    fn poll_wait(&mut self, duration: Duration, context: &mut Context<'_>) -> Poll<()> {
        let sleep = self.wait.get_or_insert_with(|| Box::pin(tokio::time::sleep(duration)));
        ready!(sleep.as_mut().poll(context));
        self.wait = None;
        Poll::Ready(())
    }
}

impl Body for ScriptBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        loop {
            if std::mem::take(&mut self.flush_first) {
                // A body that is not ready makes the connection write out what it holds.
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.fill();
            if !self.ready.is_empty() {
                if let Delivery::ByteByByte(gap) = self.script.delivery {
                    ready!(self.poll_wait(gap, context));
                }
                let piece = self.take_piece();
                // What precedes a cut or a reset has to reach the client.
                let broken_off = matches!(self.next, Turn::Cut | Turn::Reset);
                self.flush_first |= broken_off && self.ready.is_empty();
                if self.next == Turn::End && self.ready.is_empty() {
                    // A body that has reached its announced length is not asked again.
                    self.finish();
                }
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            match self.next {
                Turn::Bytes => {}
                Turn::Rest => {
                    ready!(self.poll_rest(context));
                    self.next = Turn::Bytes;
                }
                Turn::Wait(duration) => {
                    ready!(self.poll_wait(duration, context));
                    self.next = Turn::Bytes;
                }
                // Nothing wakes this body: the connection drops it when the client leaves.
                Turn::Hang => return Poll::Pending,
                Turn::Cut => {
                    self.finish();
                    return Poll::Ready(Some(Err(io::Error::other("cut by the scenario"))));
                }
                Turn::Reset => {
                    self.finish();
                    self.connection.reset();
                    // The connection drops this body together with its socket.
                    return Poll::Pending;
                }
                Turn::End => {
                    self.finish();
                    return Poll::Ready(None);
                }
            }
        }
    }
}

const fn noise() -> [u8; 512] {
    let mut noise = [0; 512];
    let mut state: u32 = 0x2545_f491;
    let mut at = 0;
    while at < noise.len() {
        // Xorshift, by Marsaglia.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        noise[at] = state.to_le_bytes()[3];
        at += 1;
    }
    noise
}

impl Drop for ScriptBody {
    /// A script that was not played to its end belongs to a client that went away.
    fn drop(&mut self) {
        if self.guard.is_open() {
            self.guard.end(Outcome::ClientGone, Some(self.billed()));
        }
    }
}
