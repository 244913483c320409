//! The answer to a conversation: what a guardrail and the prompt cache make of it.
//!
//! Owns the order of steps that all operations with a model share: the model's own refusals, the
//! guardrail of the input, the cache, the author, the guardrail of the output. The shape of the
//! answer on the wire is each operation's matter.
//! The one rule it protects: where the input is blocked, no model runs and nothing is billed.

use std::ops::Range;
use std::sync::Arc;

use axum::response::Response;

use super::answer::{Answer, reasoning_tokens};
use super::{Call, ToldUsage, Usage};
use crate::errors::Refusal;
use crate::guardrails::{Assessment, Guardrail, NO_SUCH_GUARDRAIL, Source};
use crate::models::{self, Preamble};
use crate::prompt_cache::{CacheUse, Memory};
use crate::request::{ConverseRequest, Echo, Guarding};
use crate::scenario::{Scenario, StopReason};
use crate::script::delta_ranges;
use crate::tokens;
use crate::upstream::{UpstreamError, Writer};

/// How an operation sends an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Whole,
    /// As it is written, if it is not known before.
    Pieces,
}

/// Answers, and tells what the prompt cache will hold once the answer begins.
pub(super) async fn write(
    call: &Call,
    request: ConverseRequest,
    scenario: &Scenario,
    wanted: Wanted,
) -> Result<(Answer, Option<Memory>), Response> {
    let preamble = models::check(call.guard.model_id(), &request).map_err(|refusal| call.refuse(&refusal))?;
    write_checked(call, request, preamble, scenario, wanted).await
}

/// Answers a request that its model takes.
pub(super) async fn write_checked(
    call: &Call,
    mut request: ConverseRequest,
    preamble: Preamble,
    scenario: &Scenario,
    wanted: Wanted,
) -> Result<(Answer, Option<Memory>), Response> {
    let refused = |refusal: Refusal| call.refuse(&refusal);
    let guard = request.guarding.take().map(|guarding| Guard::open(call, guarding)).transpose();
    let guard = guard.map_err(refused)?;
    if let Some(guard) = guard.as_ref().filter(|guard| guard.input.is_blocked()) {
        return Ok((guard.blocked_input(request.echo), None));
    }
    let cached = look_into_cache(call, &request);
    let answer = author(call, request, preamble, scenario, wanted, guard.is_some()).await;
    let mut answer = answer.map_err(|error| refused(error.refusal(call.guard.model_id())))?;
    let memory = cached.map(|(used, memory)| {
        answer.use_cache(used, scenario);
        call.guard.used_cache(used);
        memory
    });
    if let Some(guard) = guard {
        guard.check_output(&mut answer, scenario);
    }
    Ok((answer, memory))
}

/// Has the answer written, or begun.
async fn author(
    call: &Call,
    request: ConverseRequest,
    preamble: Preamble,
    scenario: &Scenario,
    wanted: Wanted,
    is_guarded: bool,
) -> Result<Answer, UpstreamError> {
    let writer = &call.backend.writer;
    let Writer::Model(client) = writer else {
        return Answer::write(writer, request, preamble, scenario).await;
    };
    match (wanted, scenario) {
        // Nobody will see the text of these, so no model is asked for it.
        (
            Wanted::Pieces,
            Scenario::StreamError { after_deltas: 0, .. }
            | Scenario::StalledBody
            | Scenario::GarbageFrames { after_deltas: None },
        ) => Answer::write(&Writer::Sentences, request, preamble, scenario).await,
        // What these do depends on the whole of the answer.
        (
            Wanted::Pieces,
            Scenario::HugeDelta { .. }
            | Scenario::InvalidJson
            | Scenario::TextAfterStop
            | Scenario::EmptyContent
            | Scenario::EmptyText,
        ) => Answer::write(writer, request, Preamble::None, scenario).await,
        // So does what a guardrail finds.
        (Wanted::Pieces, _) if !is_guarded => Answer::begin(client, &request, scenario).await,
        // How the model of this id would begin says nothing of a model that writes in its place.
        _ => Answer::write(writer, request, Preamble::None, scenario).await,
    }
}

fn look_into_cache(call: &Call, request: &ConverseRequest) -> Option<(CacheUse, Memory)> {
    let model_id = call.guard.model_id();
    let least = models::min_cached_tokens(model_id).filter(|_| !request.cache_points.is_empty())?;
    Some(call.backend.cache.look_up(model_id, &request.cache_points, least))
}

/// A guardrail at work on one call.
#[derive(Debug)]
struct Guard {
    guardrail: Guardrail,
    guarding: Guarding,
    input: Assessment,
}

impl Guard {
    /// Looks at the input. Phrases to mask are left to the output: a model gets the input as it is.
    fn open(call: &Call, guarding: Guarding) -> Result<Self, Refusal> {
        let guardrail = call
            .backend
            .guardrails
            .find(&guarding.identifier, &guarding.version)
            .ok_or_else(|| Refusal::validation(NO_SUCH_GUARDRAIL))?;
        let input = guardrail.rules.assess(Source::Input, &guarding.texts, guarding.total_chars, false);
        Ok(Self { guardrail, guarding, input })
    }

    fn blocked_input(&self, echo: Echo) -> Answer {
        let usage = Usage { input_tokens: 0, output_tokens: 0 };
        let trace = self.guarding.traced.then(|| self.guardrail.trace(&self.input, None));
        Answer {
            preamble: Preamble::None,
            text: Arc::from(self.guardrail.rules.message(Source::Input)),
            rest: None,
            tool: None,
            message_at: Some(0),
            stop_reason: StopReason::GuardrailIntervened,
            stop_sequence: None,
            usage,
            told_usage: usage.into(),
            echo: Echo { trace, ..echo },
        }
    }

    /// Looks at what the model said and changes it where it cannot pass. The input of a tool is not
    /// looked at, and a stream that flows meanwhile is not masked.
    fn check_output(&self, answer: &mut Answer, scenario: &Scenario) {
        let said: Vec<String> = match answer.tool {
            None => vec![answer.text.to_string()],
            Some(_) => Vec::new(),
        };
        let flows = self.guarding.asynchronous;
        let output = self.guardrail.rules.assess(Source::Output, &said, 0, !flows);
        if output.is_blocked() {
            self.block(answer, flows, scenario);
        } else if output.is_masked() {
            answer.text = Arc::from(self.guardrail.rules.mask(&answer.text));
            answer.message_at = Some(answer.text.len());
        }
        if output.intervenes() {
            answer.stop_reason = StopReason::GuardrailIntervened;
            answer.stop_sequence = None;
        }
        if self.guarding.traced {
            let said = said.first().map_or("", String::as_str);
            answer.echo.trace = Some(self.guardrail.trace(&self.input, Some((&output, said))));
        }
    }

    /// Puts the message in place of the answer, or of its rest from where the phrase is complete.
    fn block(&self, answer: &mut Answer, flows: bool, scenario: &Scenario) {
        let message = self.guardrail.rules.message(Source::Output);
        let phrase_end = self.guardrail.rules.first_blocked_end(&answer.text).filter(|_| flows);
        let said = Arc::clone(&answer.text);
        let before = phrase_end.map_or("", |end| {
            let last_char = said[..end].chars().next_back().map_or(0, char::len_utf8);
            &said[..end - last_char]
        });
        if let Some(end) = phrase_end {
            answer.usage.output_tokens = tokens::count(&said[..end]) + reasoning_tokens(answer.preamble);
            answer.tell_usage(scenario);
        } else {
            answer.preamble = Preamble::None;
        }
        answer.message_at = Some(before.len());
        answer.text = Arc::from(format!("{before}{message}"));
    }
}

impl Answer {
    /// The deltas of the text. The message of a guardrail is one.
    pub(super) fn deltas(&self) -> Vec<Range<usize>> {
        let message_at = self.message_at.unwrap_or(self.text.len());
        let mut deltas = delta_ranges(&self.text[..message_at]);
        if message_at < self.text.len() {
            deltas.push(message_at..self.text.len());
        }
        deltas
    }

    /// What is billed whatever of the answer is sent: a guardrail had it whole before.
    pub(super) fn fixed_bill(&self) -> Option<crate::call_log::Billed> {
        self.message_at.map(|_| self.billed())
    }

    fn use_cache(&mut self, used: CacheUse, scenario: &Scenario) {
        self.usage.input_tokens = self.usage.input_tokens.saturating_sub(used.total());
        self.told_usage.cached = Some(used);
        self.tell_usage(scenario);
    }

    /// Tells the usage as it is, unless the scenario lies about it.
    fn tell_usage(&mut self, scenario: &Scenario) {
        if matches!(scenario, Scenario::WrongUsage { .. }) {
            self.told_usage.cached = None;
            return;
        }
        self.told_usage = ToldUsage { cached: self.told_usage.cached, ..self.usage.into() };
    }
}
