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

use super::{classify, convert};
use crate::domain::CallFailure;
use crate::inference::{BackendError, ModelEvent, ModelStream};

type Receiver = EventReceiver<ConverseStreamOutput, ConverseStreamOutputError>;

struct Reader {
    receiver: Receiver,
    stopped: bool,
    ended: bool,
}

pub(super) fn read(receiver: Receiver) -> ModelStream {
    stream::unfold(Reader { receiver, stopped: false, ended: false }, |mut reader| async move {
        let item = reader.next().await?;
        Some((item, reader))
    })
    .boxed()
}

impl Reader {
    async fn next(&mut self) -> Option<Result<ModelEvent, BackendError>> {
        while !self.ended {
            match self.receiver.recv().await {
                Ok(Some(event)) => {
                    if let Some(event) = self.translate(event) {
                        return Some(Ok(event));
                    }
                }
                Ok(None) => {
                    self.ended = true;
                    let cut =
                        || BackendError::new(CallFailure::StreamCut, "the stream ended without messageStop");
                    return (!self.stopped).then(|| Err(cut()));
                }
                // What breaks after messageStop costs the usage, not the answer.
                Err(_) if self.stopped => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(classify::event(error)));
                }
            }
        }
        None
    }

    fn translate(&mut self, event: ConverseStreamOutput) -> Option<ModelEvent> {
        match event {
            ConverseStreamOutput::MessageStart(_) => Some(ModelEvent::Started),
            ConverseStreamOutput::ContentBlockDelta(delta) => match delta.delta {
                Some(ContentBlockDelta::Text(text)) if !text.is_empty() => Some(ModelEvent::Text(text)),
                _ => Some(ModelEvent::Thinking),
            },
            ConverseStreamOutput::MessageStop(stop) => {
                self.stopped = true;
                Some(ModelEvent::Stopped(convert::stop_reason(&stop.stop_reason)))
            }
            ConverseStreamOutput::Metadata(metadata) => {
                self.ended = true;
                metadata
                    .usage
                    .as_ref()
                    .and_then(convert::token_usage)
                    .map(|usage| ModelEvent::Usage(usage.into()))
            }
            _ => None,
        }
    }
}
