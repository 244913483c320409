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
    ended: bool,
}

pub(super) fn read(receiver: Receiver, call: &ModelCall) -> ModelStream {
    let held = Held::for_call(call);
    let reader = Reader { receiver, call: call.clone(), held, stopped: None, ended: false };
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
                Ok(Some(event)) => {
                    if let Some(event) = self.translate(event) {
                        self.held.push(Ok(event));
                    }
                }
                Ok(None) => {
                    self.ended = true;
                    if self.stopped.is_none() {
                        let cause = "the stream ended without messageStop";
                        self.held.push(Err(BackendError::new(CallFailure::StreamCut, cause)));
                    }
                }
                // What breaks after messageStop costs the usage, not the answer.
                Err(_) if self.stopped.is_some() => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    self.held.push(Err(classify::event(error)));
                }
            }
        }
    }

    fn translate(&mut self, event: ConverseStreamOutput) -> Option<ModelEvent> {
        match event {
            ConverseStreamOutput::MessageStart(_) => Some(ModelEvent::Started),
            ConverseStreamOutput::ContentBlockDelta(delta) => Some(self.delta(delta.delta)),
            ConverseStreamOutput::MessageStop(stop) => {
                let reason = convert::stop_reason(&stop.stop_reason, &self.call);
                self.stopped = Some(reason);
                Some(ModelEvent::Stopped(reason))
            }
            ConverseStreamOutput::Metadata(metadata) => {
                self.ended = true;
                if let Some(trace) = metadata.trace.as_ref().and_then(|trace| trace.guardrail.as_ref()) {
                    findings::tell(&self.call, trace);
                }
                let served = convert::Served {
                    tier: metadata.service_tier.as_ref(),
                    performance: metadata.performance_config.as_ref(),
                };
                let usage = metadata.usage.as_ref()?;
                let reason = self.stopped.unwrap_or(StopReason::Other);
                convert::metered(usage, served, &self.call.terms, reason).map(ModelEvent::Usage)
            }
            _ => None,
        }
    }

    /// Only text is the answer, or what a tool is given where that was asked for.
    fn delta(&self, delta: Option<ContentBlockDelta>) -> ModelEvent {
        let by_tool = convert::is_by_tool(&self.call);
        match delta {
            Some(ContentBlockDelta::Text(text)) if !by_tool && !text.is_empty() => ModelEvent::Text(text),
            Some(ContentBlockDelta::ToolUse(tool)) if by_tool && !tool.input.is_empty() => {
                ModelEvent::Text(tool.input)
            }
            _ => ModelEvent::Thinking,
        }
    }
}
