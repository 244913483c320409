//! Reads the chunks of a native stream: bytes in, events of the port out.
//!
//! Owns the order of the events, whatever a family's chunks look like, and when the stop
//! may be told: on a guarded call not before the end, for the last chunk of all says
//! whether the guardrail has spoken. After the stop nothing of the answer can come.

use std::sync::Arc;

use serde_json::Value;

use super::prose::Prose;
use super::said::{Billing, Counts};
use super::{METRICS, has_intervened, trace};
use crate::domain::Guardrail;
use crate::inference::{ModelEvent, NativeFormat, StopReason};

/// The state of one stream.
#[derive(Debug)]
pub(in super::super) struct Decoder {
    format: NativeFormat,
    billing: Billing,
    guardrail: Option<Arc<Guardrail>>,
    prose: Prose,
    started: bool,
    intervened: bool,
    /// Whether it is known that the guardrail only masked, or that it blocked.
    masked: bool,
    blocked: bool,
    /// Why the model stopped, by its own account.
    stop: Option<StopReason>,
    /// Why it stopped, as it was told.
    told_stop: Option<StopReason>,
    counts: Counts,
    told_all: bool,
}

/// The bytes of a chunk are no JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a chunk of the stream is no JSON object")]
pub(in super::super) struct NoChunk;

impl Decoder {
    pub(in super::super) fn new(
        format: NativeFormat,
        billing: Billing,
        guardrail: Option<Arc<Guardrail>>,
    ) -> Self {
        Self {
            format,
            billing,
            guardrail,
            prose: Prose::of(format),
            started: false,
            intervened: false,
            masked: false,
            blocked: false,
            stop: None,
            told_stop: None,
            counts: Counts::default(),
            told_all: false,
        }
    }

    /// Whether the model said why it stopped: what breaks now costs the usage alone.
    pub(in super::super) fn has_stopped(&self) -> bool {
        self.stop.is_some()
    }

    /// Whether everything was told.
    pub(in super::super) fn is_done(&self) -> bool {
        self.told_all
    }

    /// Takes the bytes of the next chunk.
    ///
    /// # Errors
    /// [`NoChunk`].
    pub(in super::super) fn chunk(&mut self, bytes: &[u8]) -> Result<Vec<ModelEvent>, NoChunk> {
        let body: Value = serde_json::from_slice(bytes).map_err(|_| NoChunk)?;
        if !body.is_object() {
            return Err(NoChunk);
        }
        let mut events = Vec::new();
        if !self.started {
            self.started = true;
            events.push(ModelEvent::Started);
        }
        self.intervened |= has_intervened(&body);
        self.masked |= trace::only_masks(&body);
        self.blocked |= trace::blocks(&body);
        trace::tell(self.guardrail.as_deref(), &body);
        let said = super::chunk_of(self.format, &body);
        let metrics = body.get(METRICS);
        self.counts = Counts::of_metrics(metrics.unwrap_or(&Value::Null)).or(said.counts).or(self.counts);
        if self.stop.is_none() {
            let sorted = self.prose.push(&said.text);
            if !sorted.text.is_empty() {
                events.push(ModelEvent::Text(sorted.text));
            } else if said.thinks || sorted.thinks {
                events.push(ModelEvent::Thinking);
            }
            self.stop = said.stop;
        }
        // A trace may say that it only masked, and comes last.
        let is_known = match &self.guardrail {
            None => true,
            Some(guardrail) => metrics.is_some() || (self.intervened && !guardrail.trace),
        };
        if self.stop.is_some() && is_known {
            self.tell_stop(&mut events);
        }
        if metrics.is_some() {
            self.tell_usage(&mut events);
        }
        Ok(events)
    }

    /// What is left to tell when the stream ends; `None` when it ended before the model.
    pub(in super::super) fn end(&mut self) -> Option<Vec<ModelEvent>> {
        let mut events = Vec::new();
        if self.stop.is_some() || self.intervened {
            self.tell_stop(&mut events);
        }
        self.tell_usage(&mut events);
        self.told_stop.map(|_| events)
    }

    fn tell_stop(&mut self, events: &mut Vec<ModelEvent>) {
        if self.told_stop.is_some() {
            return;
        }
        let intervened = self.intervened && !self.masked;
        let text = self.prose.end(intervened && self.blocked);
        if !text.is_empty() {
            events.push(ModelEvent::Text(text));
        }
        let stop = match self.stop {
            _ if intervened => StopReason::GuardrailIntervened,
            stop => stop.unwrap_or(StopReason::Other),
        };
        self.told_stop = Some(stop);
        events.push(ModelEvent::Stopped(stop));
    }

    fn tell_usage(&mut self, events: &mut Vec<ModelEvent>) {
        if let Some(stop) = self.told_stop
            && !self.told_all
        {
            self.told_all = true;
            events.extend(self.billing.metered(self.counts, stop).map(ModelEvent::Usage));
        }
    }
}
