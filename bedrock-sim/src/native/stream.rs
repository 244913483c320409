//! Native streams: from the events of an answer to the chunks of its family.
//!
//! Owns what has been told so far, which some families repeat in every chunk, and the place of the
//! invocation metrics. How a chunk looks is each family's matter; when it comes is the script's.
//! The one rule it protects: the metrics stand in the last chunk of a stream.

use serde_json::{Value, json};

use super::chat;
use super::{
    Format, Label, claude_messages, claude_text, command, command_r, deepseek, llama, mistral, nova,
    reasoning_marks, titan,
};
use crate::frames::Event;
use crate::operations::ToldUsage;
use crate::scenario::StopReason;
use crate::tokens::Tally;

/// What the last chunk says of the invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Metrics {
    pub(crate) usage: ToldUsage,
    pub(crate) latency_ms: u64,
    pub(crate) first_event_ms: u64,
}

impl Metrics {
    /// Adds the metrics to a chunk.
    pub(super) fn add_to(self, chunk: &mut Value) {
        chunk["amazon-bedrock-invocationMetrics"] = json!({
            "inputTokenCount": self.usage.input_tokens,
            "outputTokenCount": self.usage.output_tokens,
            "invocationLatency": self.latency_ms,
            "firstByteLatency": self.first_event_ms,
        });
    }
}

/// Writes the chunks of one answer.
#[derive(Debug)]
pub(crate) struct NativeStream {
    format: Format,
    /// Whether Cohere Command was asked for a stream.
    streams: bool,
    pub(super) label: Label,
    /// What was generated so far.
    told: Tally,
    /// Chunks of text so far.
    pub(super) chunks: u64,
    /// The content block that has begun and not ended.
    pub(super) open_block: Option<u32>,
    reasons: bool,
}

impl NativeStream {
    pub(super) fn new(format: Format, streams: bool, label: Label) -> Self {
        let told = Tally::default();
        Self { format, streams, label, told, chunks: 0, open_block: None, reasons: false }
    }

    /// The chunks of an event. None for an event that is no part of an answer.
    pub(crate) fn chunks(&mut self, event: &Event<'_>) -> Option<Vec<Value>> {
        if matches!(event, Event::Exception(_) | Event::Unheard) {
            return None;
        }
        if let Event::Text { text, .. } | Event::Reasoning { text, .. } = event {
            self.told.add(text);
        }
        let chunks = match self.format {
            Format::ClaudeMessages => claude_messages::chunks(self, event),
            Format::Nova => nova::chunks(event),
            _ => self.chunks_of_text(event),
        };
        Some(chunks)
    }

    /// Whether the family has a place for reasoning of its own, and not inside of the text.
    pub(crate) fn shows_reasoning(&self) -> bool {
        matches!(self.format, Format::ClaudeMessages | Format::Nova)
    }

    /// Tells the tokens of an answer that were not known when it began.
    pub(crate) fn settle(&mut self, usage: ToldUsage) {
        self.label.usage = usage;
    }

    /// The tokens generated so far. Those of a guardrail's message are nobody's.
    pub(super) fn told_tokens(&self) -> u64 {
        let told = self.told.tokens();
        match &self.label.guarded {
            Some(guarded) if guarded.intervened => {
                told.min(u64::try_from(self.label.usage.output_tokens).unwrap_or_default())
            }
            _ => told,
        }
    }

    /// The chunks that tell why the answer ended, with the metrics if they are told at all.
    pub(crate) fn stop(&mut self, reason: StopReason, metrics: Option<&Metrics>) -> Vec<Value> {
        let mut chunks = match self.format {
            Format::ClaudeMessages => claude_messages::stop(self, reason),
            Format::Nova => nova::stop(reason, metrics),
            Format::ClaudeText => vec![claude_text::last(self, reason)],
            Format::Titan => vec![titan::last(self, reason)],
            Format::Llama => vec![llama::last(self, reason)],
            Format::Mistral => vec![mistral::chunk("", Some(reason))],
            Format::Command => vec![command::chunk(self.streams, "", Some(reason))],
            Format::CommandR => vec![command_r::last(self, reason)],
            Format::DeepSeek | Format::Jurassic => vec![deepseek::chunk("", Some(reason))],
            Format::Chat(dialect) => vec![chat::last(dialect, self, reason, metrics.is_some())],
        };
        if let (Some(metrics), Some(last)) = (metrics, chunks.last_mut()) {
            metrics.add_to(last);
        }
        if let (Some(guarded), Some(last)) = (&self.label.guarded, chunks.last_mut()) {
            guarded.add_to(last);
        }
        chunks
    }

    /// The metrics of a stream whose stop came long before.
    pub(crate) fn metrics_alone(&mut self, metrics: &Metrics) -> Vec<Value> {
        let mut chunk = match self.format {
            Format::ClaudeMessages => json!({ "type": "message_stop" }),
            Format::Nova => nova::metadata(metrics),
            _ => self.chunk(""),
        };
        metrics.add_to(&mut chunk);
        if let Some(guarded) = &self.label.guarded {
            guarded.add_to(&mut chunk);
        }
        vec![chunk]
    }

    /// The chunks of a family whose answer is nothing but text.
    fn chunks_of_text(&mut self, event: &Event<'_>) -> Vec<Value> {
        let (open, close) = reasoning_marks(self.format);
        match event {
            Event::MessageStart => match self.format {
                Format::Chat(dialect) => vec![chat::first(dialect, self)],
                Format::CommandR => vec![command_r::first(self)],
                _ => Vec::new(),
            },
            Event::Text { text, .. } => vec![self.chunk(text)],
            Event::Reasoning { text, .. } => {
                let open = if self.reasons { "" } else { open };
                self.reasons = true;
                vec![self.chunk(&format!("{open}{text}"))]
            }
            Event::BlockStop { .. } if self.reasons => {
                self.reasons = false;
                vec![self.chunk(close)]
            }
            _ => Vec::new(),
        }
    }

    fn chunk(&mut self, text: &str) -> Value {
        self.chunks += 1;
        match self.format {
            Format::ClaudeText => claude_text::chunk(text),
            Format::Titan => titan::chunk(self, text),
            Format::Llama => llama::chunk(self, text),
            Format::Mistral => mistral::chunk(text, None),
            Format::Command => command::chunk(self.streams, text, None),
            Format::CommandR => command_r::chunk(text),
            Format::Chat(dialect) => chat::chunk(dialect, self, text),
            // Claude Messages and Nova have chunks of their own, and Jurassic has no stream.
            Format::DeepSeek | Format::ClaudeMessages | Format::Nova | Format::Jurassic => {
                deepseek::chunk(text, None)
            }
        }
    }
}
