//! The desk of a run: what every call of it shares, and how a prompt becomes work.
//!
//! Owns nothing that changes. All calls of one run have one deadline, one owner at
//! the gates of the targets, and one set of books.

use std::sync::Arc;

use super::books::Books;
use super::estimator::Estimator;
use super::event::{OnChunkError, OnFailover};
use super::kept_parts::{KeptParts, PartKey};
use super::live::Live;
use super::prefixes::{Alike, Prefixes};
use super::work::{Call, Restart, Work};
use crate::chunk::TextProfile;
use crate::domain::{Fences, Guardrail, InputSize, OnBlock, OutputSize, Prompt, RequestMetadata, TaskName};
use crate::routing::{Chain, Deadline, Mode, Owner, RouteOptions, RouteRequest, Router};
use crate::telemetry::{CallStage, ChunkStatus, Metrics};

/// What a model of ordinary speed (60 tokens a second) writes well within the
/// `answer` clock's default of 25 s. A longer answer is asked for in pieces whatever
/// the caller wants: the clock of a whole call would end it on every model, and each
/// would be billed.
const LONGEST_WHOLE_ANSWER_TOKENS: u32 = 1000;

/// How a run is to behave, as its caller asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manners {
    /// Whether the answer is to come whole or in pieces.
    pub mode: Mode,
    pub on_failover: OnFailover,
    pub on_chunk_error: OnChunkError,
    /// Whether the answers to parts are told, too.
    pub tell_partials: bool,
}

/// What every call of a run shares.
pub(super) struct Desk {
    pub task: TaskName,
    pub chain: Arc<Chain>,
    pub live: Arc<Live>,
    pub temperature: f32,
    pub deadline: Deadline,
    pub owner: Owner,
    pub manners: Manners,
    pub guardrail: Option<Arc<Guardrail>>,
    pub metadata: Arc<RequestMetadata>,
    pub router: Arc<Router>,
    pub estimator: Arc<Estimator>,
    pub kept: Arc<KeptParts>,
    pub prefixes: Arc<Prefixes>,
    pub fences: Arc<Fences>,
    pub alike: Alike,
    pub books: Arc<Books>,
    pub metrics: Arc<Metrics>,
}

impl Desk {
    /// A prompt with what is known of its size.
    pub(super) fn call(&self, prompt: Prompt, output: OutputSize) -> Call {
        let document = TextProfile::of(&prompt.user.document);
        Call::of(prompt, document, output, self.temperature, |profile| {
            self.estimator.size(profile, &self.chain, None)
        })
    }

    /// The work of a call.
    pub(super) fn work(&self, call: Call, mode: Mode, stage: CallStage, restart: Restart) -> Work {
        let long = call.request.output.expected_tokens > LONGEST_WHOLE_ANSWER_TOKENS;
        let request = RouteRequest {
            guardrail: self.guardrail_of(stage),
            cached_prefix: self.cached_prefix(&call.request.prompt, stage),
            metadata: Arc::clone(&self.metadata),
            ..call.request.clone()
        };
        let route = self.router.start(RouteOptions {
            chain: Arc::clone(&self.chain),
            task: self.task.clone(),
            stage,
            request,
            policy: Arc::clone(&self.live.routing),
            mode: if long { Mode::Pieces } else { mode },
            deadline: self.deadline,
            owner: self.owner,
        });
        let (chain, books) = (Arc::clone(&self.chain), Arc::clone(&self.books));
        Work::new(route, call, chain, restart, books, Arc::clone(&self.estimator))
    }

    /// Who watches a call. What a guardrail says about a part is no summary of the part,
    /// so that only the answer itself can be in its words.
    fn guardrail_of(&self, stage: CallStage) -> Option<Arc<Guardrail>> {
        let guardrail = self.guardrail.as_ref()?;
        match stage {
            CallStage::Single | CallStage::Final => Some(Arc::clone(guardrail)),
            CallStage::Map | CallStage::Reduce => {
                Some(Arc::new(Guardrail { on_block: OnBlock::Refuse, ..Guardrail::clone(guardrail) }))
            }
        }
    }

    /// The size of the prompt's shared beginning, where it pays to have it remembered.
    fn cached_prefix(&self, prompt: &Prompt, stage: CallStage) -> Option<InputSize> {
        // Merges are few, and have rules of their own.
        if stage == CallStage::Reduce {
            return None;
        }
        let least = self.chain.targets().filter_map(|target| target.model.cache_min_tokens).min()?;
        let (prefix, _) = prompt.split_system();
        // No token has less than a byte.
        if prefix.len() < usize::try_from(least).unwrap_or(usize::MAX) {
            return None;
        }
        let pays = self.prefixes.pays(prefix, &self.chain.name, self.alike);
        pays.then(|| self.estimator.size(&of_rules(prefix), &self.chain, None))
    }

    /// The work of the answer itself.
    pub(super) fn answer(&self, call: Call, stage: CallStage) -> Work {
        let restart = match self.manners.on_failover {
            OnFailover::Error => Restart::Never,
            OnFailover::Restart => Restart::Always,
        };
        self.work(call, self.manners.mode, stage, restart)
    }

    /// Names what a prompt asks; it has to be written with a fixed boundary.
    pub(super) fn key(&self, prompt: &Prompt, output: OutputSize) -> PartKey {
        self.kept.key(prompt, output.max_tokens, &self.chain.name, self.guardrail.as_deref())
    }

    /// Counts what became of a part.
    pub(super) fn count(&self, status: ChunkStatus) {
        self.metrics.chunks.with_label_values(&[self.task.as_str(), status.as_str()]).inc();
    }
}

impl Call {
    /// A prompt whose document has this profile.
    pub(super) fn of(
        prompt: Prompt,
        document: TextProfile,
        output: OutputSize,
        temperature: f32,
        size: impl FnOnce(&TextProfile) -> InputSize,
    ) -> Self {
        let mut profile = document;
        profile += of_rules(&prompt.system);
        profile += TextProfile::of(&prompt.user.before);
        profile += TextProfile::of_english(prompt.user.opening.len());
        profile += TextProfile::of_english(prompt.user.closing.len());
        profile += of_later(&prompt);
        let input = size(&profile);
        let request = RouteRequest { temperature, ..RouteRequest::of(prompt, input, output) };
        Self { request, profile }
    }
}

/// The profile of what was said after the document.
pub(super) fn of_later(prompt: &Prompt) -> TextProfile {
    let mut profile = TextProfile::default();
    for exchange in &prompt.later {
        profile += TextProfile::of(&exchange.answer);
        profile += TextProfile::of(&exchange.wish);
    }
    profile
}

/// The longest rules without a caller's background.
const RULES_BYTES: usize = 4096;

/// The profile of rules. They are English of our own, which need not be looked at on
/// every request; with a caller's background they are longer, or not in ASCII.
fn of_rules(system: &str) -> TextProfile {
    if system.len() <= RULES_BYTES && system.is_ascii() {
        TextProfile::of_english(system.len())
    } else {
        TextProfile::of(system)
    }
}
