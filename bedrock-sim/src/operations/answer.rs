//! The answer: what the model says, and what the request and the scenario make of it.
//!
//! Owns the text, its end and its tokens, whoever wrote it. A stream of an upstream begins with an
//! answer that has no text yet. Guardrails and the cache come after it, and are not its matter.
//! The one rule it protects: bounds of the request hold for the usual author; a real model is given
//! them, and says itself where it stopped.

use std::sync::Arc;

use serde_json::json;

use super::{ToldUsage, Usage};
use crate::author;
use crate::call_log::Billed;
use crate::models::Preamble;
use crate::request::{ConverseRequest, Echo};
use crate::scenario::{Scenario, StopReason};
use crate::script::{REASONING_TEXT, ToolStart};
use crate::tokens;
use crate::upstream::{Client, Counted, Ended, Reply, UpstreamError, Writer};

/// Prompts of more bytes than this are answered off the event loop.
const LARGE_PROMPT_BYTES: usize = 64 * 1024;
/// A frame's payload has at most 16 MiB, and JSON writes some characters as two.
const MAX_HUGE_DELTA_BYTES: u32 = 8 * 1024 * 1024;

/// What the model says.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) preamble: Preamble,
    pub(super) text: Arc<str>,
    /// What an upstream has yet to say: everything, if there is any.
    pub(super) rest: Option<Box<Reply>>,
    /// What the text is the input of, if it is no text.
    pub(super) tool: Option<ToolStart>,
    /// If a guardrail changed the text: where its message begins, in bytes. A text that was masked
    /// has none at its end.
    pub(super) message_at: Option<usize>,
    pub(super) stop_reason: StopReason,
    /// The stop sequence that ended the text.
    pub(super) stop_sequence: Option<String>,
    pub(super) usage: Usage,
    /// What the answer says of its tokens.
    pub(super) told_usage: ToldUsage,
    pub(super) echo: Echo,
}

/// A text as its author ended it.
#[derive(Debug)]
struct Written {
    text: String,
    stop_reason: StopReason,
    stop_sequence: Option<String>,
    counted: Option<Counted>,
}

impl Answer {
    /// Has the answer written, and changes what the scenario would have otherwise.
    pub(super) async fn write(
        writer: &Writer,
        request: ConverseRequest,
        preamble: Preamble,
        scenario: &Scenario,
    ) -> Result<Self, UpstreamError> {
        let mut answer = Self::unwritten(&request, preamble, scenario);
        let is_silent = matches!(scenario, Scenario::EmptyContent | Scenario::EmptyText);
        if is_silent {
            answer.tool = None;
            answer.preamble = Preamble::None;
        }
        let caches = !request.cache_points.is_empty();
        let is_data = request.answer_schema().is_some();
        let mut written = match writer {
            _ if is_silent => Written::whole(String::new()),
            Writer::Sentences => Written::by_author(request).await,
            Writer::Model(client) => Written::by_upstream(client, &request).await?,
        };
        match scenario {
            Scenario::HugeDelta { bytes } => {
                written.text = grown(&written.text, (*bytes).min(MAX_HUGE_DELTA_BYTES));
            }
            // A tool's input is always JSON.
            Scenario::InvalidJson if answer.tool.is_some() => {
                written.text = json!({ "answer": "of another shape" }).to_string();
            }
            Scenario::InvalidJson if is_data => written.text = half_of(&written.text).to_owned(),
            _ => {}
        }
        answer.stop_reason = stop_reason(written.stop_reason, answer.tool.is_some(), scenario);
        answer.stop_sequence = written.stop_sequence;
        answer.usage.output_tokens = tokens::count(&written.text) + reasoning_tokens(answer.preamble);
        answer.usage = counted(answer.usage, written.counted, caches);
        answer.told_usage = told(answer.usage, scenario);
        answer.text = Arc::from(written.text);
        Ok(answer)
    }

    /// Has the answer begun. Its text is told as it comes.
    pub(super) async fn begin(
        client: &Client,
        request: &ConverseRequest,
        scenario: &Scenario,
    ) -> Result<Self, UpstreamError> {
        let mut answer = Self::unwritten(request, Preamble::None, scenario);
        answer.rest = Some(Box::new(client.ask(request).await?));
        Ok(answer)
    }

    fn unwritten(request: &ConverseRequest, preamble: Preamble, scenario: &Scenario) -> Self {
        let preamble = match scenario {
            Scenario::Reasoning => Preamble::Reasoning,
            Scenario::GptOssOrder => Preamble::EmptyTextAndReasoning,
            _ => preamble,
        };
        let usage = Usage { input_tokens: request.input_tokens, output_tokens: 0 };
        Self {
            preamble,
            text: Arc::default(),
            rest: None,
            tool: request.tools.forced.as_ref().map(|tool| ToolStart::new(&tool.name)),
            message_at: None,
            stop_reason: StopReason::EndTurn,
            stop_sequence: None,
            usage,
            told_usage: told(usage, scenario),
            echo: request.echo.clone(),
        }
    }

    pub(super) fn billed(&self) -> Billed {
        Billed {
            input_tokens: self.usage.input_tokens,
            output_tokens: self.usage.output_tokens,
            text: Arc::clone(&self.text),
        }
    }
}

impl Written {
    fn whole(text: String) -> Self {
        Self { text, stop_reason: StopReason::EndTurn, stop_sequence: None, counted: None }
    }

    /// The author's text, ended where the request says so.
    async fn by_author(request: ConverseRequest) -> Self {
        let limits = request.inference.clone();
        let text = text_for(request).await;
        let stop_sequence = limits.stop_sequence_in(&text).map(str::to_owned);
        let (text, stop_reason) = limits.end_of(text);
        let stop_sequence = stop_sequence.filter(|_| stop_reason == StopReason::StopSequence);
        Self { text, stop_reason, stop_sequence, counted: None }
    }

    async fn by_upstream(client: &Client, request: &ConverseRequest) -> Result<Self, UpstreamError> {
        let (text, Ended { reason, counted }) = client.write(request).await?;
        Ok(Self { stop_reason: reason, counted, ..Self::whole(text) })
    }
}

/// Why the answer ended, as the request and the scenario have it told.
pub(super) fn stop_reason(reason: StopReason, uses_tool: bool, scenario: &Scenario) -> StopReason {
    match scenario {
        Scenario::StopReason { reason } => *reason,
        _ if uses_tool && reason == StopReason::EndTurn => StopReason::ToolUse,
        _ => reason,
    }
}

/// The usage as an upstream counts it, if it does. What a cache holds is counted here: then the
/// input is too, so that the two can be told apart.
pub(super) fn counted(own: Usage, counted: Option<Counted>, caches: bool) -> Usage {
    match counted {
        None => own,
        Some(Counted { output, .. }) if caches => Usage { output_tokens: output, ..own },
        Some(Counted { input, output }) => Usage { input_tokens: input, output_tokens: output },
    }
}

/// The usage as the answer tells it.
pub(super) fn told(usage: Usage, scenario: &Scenario) -> ToldUsage {
    match *scenario {
        Scenario::WrongUsage { input_tokens, output_tokens } => {
            ToldUsage { input_tokens, output_tokens, cached: None }
        }
        _ => usage.into(),
    }
}

async fn text_for(request: ConverseRequest) -> String {
    let large = request.prompt_bytes() > LARGE_PROMPT_BYTES;
    let write = move || match request.answer_schema() {
        Some(schema) => {
            author::answer_json(schema, &request.system, request.around.before(), &request.user_text)
        }
        None => author::answer(&request.system, request.around.before(), &request.user_text),
    };
    if large {
        // The author does not panic; if the runtime is going down there is nobody to answer.
        tokio::task::spawn_blocking(write).await.unwrap_or_default()
    } else {
        write()
    }
}

/// The first half of a text.
fn half_of(text: &str) -> &str {
    let mut end = text.len() / 2;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The text again and again, until it has this size.
fn grown(text: &str, bytes: u32) -> String {
    let text = if text.is_empty() { "." } else { text };
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    text.repeat(bytes.div_ceil(text.len()))
}

pub(super) fn reasoning_tokens(preamble: Preamble) -> u64 {
    match preamble {
        Preamble::None => 0,
        Preamble::Reasoning | Preamble::EmptyTextAndReasoning => tokens::count(REASONING_TEXT),
    }
}
