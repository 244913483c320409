//! Reads a ConverseStream answer.
//!
//! The SDK reports a stream that just ends as a normal end, so the rule lives
//! here: an answer is complete only when `messageStop` was seen. After it,
//! `metadata` brings the usage; a stream that ends without it is still complete.

use aws_sdk_bedrockruntime::primitives::event_stream::EventReceiver;
use aws_sdk_bedrockruntime::types::error::ConverseStreamOutputError;
use aws_sdk_bedrockruntime::types::{ContentBlockDelta, ConverseStreamOutput};
use futures_util::StreamExt as _;
use futures_util::stream;

use super::held::Held;
use super::{classify, convert, findings};
use crate::domain::CallFailure;
use crate::inference::{BackendError, ModelCall, ModelEvent, ModelStream, StopReason};

type Receiver = EventReceiver<ConverseStreamOutput, ConverseStreamOutputError>;

struct Reader {
    receiver: Receiver,
    call: ModelCall,
    held: Held,
    stopped: Option<StopReason>,
    told_stop: bool,
    /// The newest text beside a tool's input: of no use, unless a guardrail speaks.
    words: Option<String>,
    ended: bool,
}

pub(super) fn read(receiver: Receiver, call: &ModelCall) -> ModelStream {
    let held = Held::for_call(call);
    let reader = Reader {
        receiver,
        call: call.clone(),
        held,
        stopped: None,
        told_stop: false,
        words: None,
        ended: false,
    };
    stream::unfold(reader, |mut reader| async move {
        let item = reader.next().await?;
        Some((item, reader))
    })
    .boxed()
}

impl Reader {
    async fn next(&mut self) -> Option<Result<ModelEvent, BackendError>> {
        loop {
            if let Some(event) = self.held.ready() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            match self.receiver.recv().await {
                Ok(Some(event)) => self.take(event),
                Ok(None) => {
                    self.ended = true;
                    if self.stopped.is_none() {
                        let cause = "the stream ended without messageStop";
                        self.held.push(Err(BackendError::new(CallFailure::StreamCut, cause)));
                    }
                    self.tell_stop();
                }
                // What breaks after messageStop costs the usage, not the answer.
                Err(_) if self.stopped.is_some() => {
                    self.ended = true;
                    self.tell_stop();
                }
                Err(error) => {
                    self.ended = true;
                    self.held.push(Err(classify::event(error)));
                }
            }
        }
    }

    fn take(&mut self, event: ConverseStreamOutput) {
        match event {
            ConverseStreamOutput::MessageStart(_) => self.held.push(Ok(ModelEvent::Started)),
            ConverseStreamOutput::ContentBlockDelta(delta) => {
                let event = self.delta(delta.delta);
                self.held.push(Ok(event));
            }
            ConverseStreamOutput::MessageStop(stop) => {
                let reason = convert::stop_reason(&stop.stop_reason, &self.call);
                self.stopped = Some(reason);
                let traced = self.call.guardrail.as_ref().is_some_and(|guardrail| guardrail.trace);
                // Whether it only masked, the trace says, which comes last.
                if !traced || reason != StopReason::GuardrailIntervened {
                    self.tell_stop();
                }
            }
            ConverseStreamOutput::Metadata(metadata) => {
                self.ended = true;
                if let Some(trace) = metadata.trace.as_ref().and_then(|trace| trace.guardrail.as_ref()) {
                    findings::tell(&self.call, trace);
                    self.stopped = self.stopped.map(|reason| convert::after_trace(reason, trace));
                }
                self.tell_stop();
                let served = convert::Served {
                    tier: metadata.service_tier.as_ref(),
                    performance: metadata.performance_config.as_ref(),
                };
                let reason = self.stopped.unwrap_or(StopReason::Other);
                let usage = metadata.usage.as_ref();
                let usage = usage.and_then(|usage| convert::metered(usage, served, &self.call.terms, reason));
                if let Some(usage) = usage {
                    self.held.push(Ok(ModelEvent::Usage(usage)));
                }
            }
            _ => {}
        }
    }

    /// Tells the stop, once it is known.
    fn tell_stop(&mut self) {
        if let Some(reason) = self.stopped
            && !std::mem::replace(&mut self.told_stop, true)
        {
            // A guardrail speaks in text, also where data was asked for.
            let words = self.words.take().filter(|_| reason == StopReason::GuardrailIntervened);
            if let Some(text) = words {
                self.held.push(Ok(ModelEvent::Text(text)));
            }
            self.held.push(Ok(ModelEvent::Stopped(reason)));
        }
    }

    /// Only text is the answer, or what a tool is given where that was asked for.
    fn delta(&mut self, delta: Option<ContentBlockDelta>) -> ModelEvent {
        let by_tool = convert::is_by_tool(&self.call);
        match delta {
            Some(ContentBlockDelta::Text(text)) if !by_tool && !text.is_empty() => ModelEvent::Text(text),
            Some(ContentBlockDelta::Text(text)) if by_tool => {
                self.words = Some(text);
                ModelEvent::Thinking
            }
            Some(ContentBlockDelta::ToolUse(tool)) if by_tool && !tool.input.is_empty() => {
                ModelEvent::Text(tool.input)
            }
            _ => ModelEvent::Thinking,
        }
    }
}
