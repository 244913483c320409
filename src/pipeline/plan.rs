//! What will be done, before anything is: the chain, the way, the parts, the forecast.
//!
//! Limits are checked here, so that a text that cannot or must not be worked on costs no
//! call: windows and costs against estimates with their margins, the limit of tokens
//! against the number that callers are told. It calls nobody; where a model's own count
//! could change the outcome, it says so.

mod bounds;

use std::sync::Arc;

use self::bounds::{beyond, is_close, margin, scaled, too_large};
use super::choice::{ChainChoice, choose};
use super::desk::of_later;
use super::estimator::{Correction, Estimator};
use super::forecast::{CannotMerge, Forecast, Scale, forecast};
use super::kept_parts::{Cut, KeptParts};
use super::layout::{Layout, Room, Rooms, Sizes, is_at_once, outlined, parts};
use super::live::{Limits, Live};
use super::work::Call;
use crate::chunk::TextProfile;
use crate::domain::{Boundary, Cost, Fences, Passage, Prompt, TaskName};
use crate::routing::{Chain, fits_all};
use crate::tasks::{Joined, OwnStrategy, Part, Reduced, SummaryStrategy, Task};

pub(super) use self::bounds::quota;

/// A request that can be run.
pub struct Plan {
    pub task: TaskName,
    pub chain: Arc<Chain>,
    pub forecast: Forecast,
    pub(super) layout: Layout,
    /// How the document was cut, where it was.
    pub(super) cut: Option<Cut>,
    pub(super) temperature: f32,
    /// What the request goes by to its end.
    pub(super) live: Arc<Live>,
}

/// A request that cannot be run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    #[error("there is no chain of that name")]
    UnknownChain { known: Vec<String> },
    #[error("the text has about {requested} tokens, the quota is {quota}")]
    InputTooLarge { requested: u32, quota: u32 },
    /// Tokens of all that was said: the text, the answers to it and the wishes.
    #[error("the conversation has about {requested} tokens, more than a model takes at once")]
    ConversationTooLarge { requested: u32, quota: Option<u32> },
    #[error("the text has about {requested} tokens, and several suggestions are made of at most {quota}")]
    TooLongForSeveral { requested: u32, quota: u32 },
    #[error("the text makes {chunks} parts, the limit is {max_chunks}")]
    TooManyChunks { chunks: u32, max_chunks: u32, requested: u32, quota: u32 },
    #[error("the models of the chain are too small to merge the summaries of the text's parts")]
    CannotMerge,
    #[error("the request could cost up to {} USD, the limit is {}", most_cost.usd(), max_cost.usd())]
    TooExpensive {
        cost: Cost,
        /// With the margin of the estimate.
        most_cost: Cost,
        max_cost: Cost,
    },
}

/// A plan, and what is known about how far it can be trusted.
pub(super) struct Draft {
    pub plan: Plan,
    /// The limit that the plan exceeds, if it does.
    pub excess: Option<PlanError>,
    /// The most tokens of a document that the task takes here, where that was looked for.
    pub quota: u32,
    /// Whether an exact count could lead to another plan.
    pub is_close: bool,
}

/// What a plan is made for.
#[derive(Clone)]
pub(super) struct Order {
    pub task: Task,
    pub chain: Arc<Chain>,
    pub live: Arc<Live>,
    pub estimator: Arc<Estimator>,
    pub kept: Arc<KeptParts>,
    pub fences: Arc<Fences>,
    pub document: Passage,
    /// Of the document.
    pub profile: TextProfile,
    pub correction: Option<Correction>,
}

impl Order {
    /// Finds the chain.
    pub(super) fn new(
        task: &Task,
        choice: &ChainChoice,
        live: &Arc<Live>,
        estimator: &Arc<Estimator>,
        kept: &Arc<KeptParts>,
        fences: &Arc<Fences>,
    ) -> Result<Self, PlanError> {
        let chain = Arc::clone(choose(&task.name(), choice, &live.catalogue)?);
        Ok(Self {
            task: task.clone(),
            chain,
            live: Arc::clone(live),
            estimator: Arc::clone(estimator),
            kept: Arc::clone(kept),
            fences: Arc::clone(fences),
            document: task.document(),
            profile: TextProfile::default(),
            correction: None,
        })
    }

    /// Looks at the document, once: a plan needs its profile.
    pub(super) fn look(&mut self) {
        if self.profile == TextProfile::default() {
            self.profile = TextProfile::of(&self.document);
        }
    }

    /// The plan for a request that is to be run: most texts fit every model by far, and
    /// then nothing has to be looked for.
    pub(super) fn draft(&self) -> Result<Draft, PlanError> {
        let prompt = self.task.prompt(&self.fences.boundary());
        match self.plainly_at_once(prompt) {
            Ok(draft) => Ok(draft),
            Err(prompt) => self.draft_in_full(prompt),
        }
    }

    /// The plan with the quota, for whoever asks what a request would take.
    pub(super) fn full_draft(&self) -> Result<Draft, PlanError> {
        self.draft_in_full(self.task.prompt(&self.fences.boundary()))
    }

    /// The plan of a text that every model of the chain takes at once, margins included;
    /// else the prompt back.
    fn plainly_at_once(&self, prompt: Prompt) -> Result<Draft, Prompt> {
        let limits = self.limits();
        let output = self.task.output_size(self.profile.base_tokens());
        let wanted = match &self.task {
            Task::Summarize(task) => {
                matches!(task.strategy(), SummaryStrategy::Auto | SummaryStrategy::Single)
            }
            Task::Own(task) if task.spec().strategy() != OwnStrategy::MapConcat => true,
            Task::Rephrase(_) | Task::Expand(_) | Task::Own(_) => {
                output.expected_tokens <= limits.target_answer_tokens
            }
            Task::Generate(_) | Task::Refine(_) => true,
        };
        if !wanted {
            return Err(prompt);
        }
        let call = self.single(prompt);
        let first = &self.chain.stages[0].targets[0].target.model;
        let requested = call.request.input.expected(&first.id);
        if !fits_all(&call.request, &self.chain)
            || call.request.input.at_most(&first.id) > limits.max_input_tokens
        {
            return Err(Arc::unwrap_or_clone(call.request.prompt));
        }
        let (all_tokens, document_tokens) = (call.profile.base_tokens().max(1), self.profile.base_tokens());
        let scale = Scale {
            document_tokens,
            tokens_per_estimated: f64::from(requested) / f64::from(all_tokens),
            margin: margin(&call.request.input, &first.id),
            rules_tokens: all_tokens.saturating_sub(document_tokens),
        };
        let layout = self.at_once(call);
        let forecast = forecast(&layout, &self.chain, limits, scale, &self.estimator)
            .expect("what is worked on at once is never merged");
        let excess = beyond(&forecast, limits, forecast.input_tokens, limits.max_input_tokens);
        Ok(Draft {
            plan: self.plan(layout, forecast),
            excess,
            quota: limits.max_input_tokens,
            is_close: false,
        })
    }

    fn plan(&self, layout: Layout, forecast: Forecast) -> Plan {
        Plan {
            task: self.task.name(),
            chain: Arc::clone(&self.chain),
            forecast,
            layout,
            cut: None,
            temperature: self.task.temperature(),
            live: Arc::clone(&self.live),
        }
    }

    /// It splits the document where it must be, which takes time with its length.
    fn draft_in_full(&self, prompt: Prompt) -> Result<Draft, PlanError> {
        let size = self.estimator.size(&self.profile, &self.chain, self.correction.as_ref());
        let document_tokens = self.profile.base_tokens();
        let base = f64::from(document_tokens.max(1));
        let limits = self.limits();
        let mut rules = TextProfile::of(&prompt.system);
        let later = of_later(&prompt);
        rules += later;
        let rules_tokens = rules.base_tokens().saturating_add(FENCES_TOKENS);
        let rules_size = self.estimator.size(&rules, &self.chain, None);
        let rules_base = f64::from(rules.base_tokens().max(1));
        let sizes = Sizes {
            per_estimated: &|model| f64::from(size.at_most(model)) / base,
            of_rules: &|model, tokens| scaled(tokens, f64::from(rules_size.at_most(model)) / rules_base),
            rules_tokens,
        };
        let room = Room::new(&self.chain, limits, sizes);
        let first = &self.chain.stages[0].targets[0].target.model.id;
        let requested = size.expected(first);
        let at_once = room.at_once(&self.task);
        let (way, part_tokens) = self.way(document_tokens, at_once, &room);
        // Tokens of the first model are what limits and callers are told in.
        let told = |estimated: u32| scaled(estimated, f64::from(requested) / base);
        let quota = match way {
            Way::AtOnceOnly => told(self.most_at_once_only(at_once, &room)),
            Way::AtOnce | Way::InParts => {
                // A text makes some more parts than its length says, because they end where it pauses.
                let in_parts = part_tokens.saturating_mul(limits.max_chunks) / 10 * 9;
                told(self.most_at_once(at_once).max(in_parts))
            }
        }
        .min(limits.max_input_tokens);
        let too_large = |requested, quota| too_large(&self.task, later.base_tokens(), requested, quota);
        if at_once.largest == 0 || (matches!(way, Way::InParts) && part_tokens == 0) {
            return Err(too_large(requested, 0));
        }
        let excess = match way {
            _ if requested > limits.max_input_tokens => Some(too_large(requested, quota)),
            Way::AtOnceOnly if document_tokens > self.most_at_once_only(at_once, &room) => {
                Some(match self.task.suggestions() {
                    1 => too_large(requested, quota),
                    _ => PlanError::TooLongForSeveral { requested, quota },
                })
            }
            Way::InParts if document_tokens.div_ceil(part_tokens.max(1)) > limits.max_chunks => {
                let chunks = document_tokens.div_ceil(part_tokens.max(1));
                Some(PlanError::TooManyChunks { chunks, max_chunks: limits.max_chunks, requested, quota })
            }
            Way::AtOnceOnly | Way::AtOnce | Way::InParts => None,
        };
        let (layout, cut) = match way {
            // What is far beyond every limit is not split only to be refused.
            Way::InParts if excess.is_some() => {
                let parts = outlined(&self.document, document_tokens, part_tokens);
                (self.laid_out(parts, &room, prompt), None)
            }
            Way::InParts => {
                let (layout, cut) = self.in_parts(part_tokens, &room, prompt);
                (layout, Some(cut))
            }
            Way::AtOnceOnly | Way::AtOnce => (self.at_once(self.single(prompt)), None),
        };
        let scale = Scale {
            document_tokens,
            tokens_per_estimated: f64::from(requested) / base,
            margin: margin(&size, first),
            rules_tokens,
        };
        let forecast = match forecast(&layout, &self.chain, limits, scale, &self.estimator) {
            Ok(forecast) => forecast,
            Err(CannotMerge) => return Err(PlanError::CannotMerge),
        };
        let excess = excess.or_else(|| beyond(&forecast, limits, requested, quota));
        let boundary = match &self.task {
            Task::Summarize(task) => match task.strategy() {
                SummaryStrategy::Single => Some(at_once.largest),
                SummaryStrategy::Auto => Some(at_once.smallest),
                SummaryStrategy::MapReduce | SummaryStrategy::Refine => None,
            },
            Task::Own(task) => match task.spec().strategy() {
                OwnStrategy::Single => Some(at_once.largest),
                OwnStrategy::MapReduce => Some(at_once.smallest),
                OwnStrategy::MapConcat => None,
            },
            Task::Rephrase(_) | Task::Expand(_) => None,
            Task::Generate(_) | Task::Refine(_) => Some(at_once.largest),
        };
        let boundaries = boundary.map(told).into_iter().chain([limits.max_input_tokens]);
        let is_close = self.correction.is_none()
            && boundaries.into_iter().any(|boundary| is_close(size.at_most(first), boundary, requested));
        let plan = Plan { cut, ..self.plan(layout, forecast) };
        Ok(Draft { plan, excess, quota, is_close })
    }

    fn way(&self, document_tokens: u32, at_once: Rooms, room: &Room<'_>) -> (Way, u32) {
        match &self.task {
            Task::Summarize(task) => {
                let part = match task.strategy() {
                    SummaryStrategy::Refine => room.refined_part(task),
                    _ => room.summed_up_part(&Reduced::Summarize(task.clone())),
                };
                let way = match task.strategy() {
                    SummaryStrategy::Single => Way::AtOnceOnly,
                    strategy if is_at_once(strategy, document_tokens, at_once) => Way::AtOnce,
                    _ => Way::InParts,
                };
                (way, part)
            }
            // An answer is changed as a whole.
            Task::Refine(_) => (Way::AtOnceOnly, 0),
            Task::Rephrase(task) if task.suggestions() > 1 => (Way::AtOnceOnly, 0),
            Task::Rephrase(task) => {
                self.joined_way(&Joined::Rephrase(task.clone()), document_tokens, at_once, room)
            }
            Task::Expand(task) => {
                self.joined_way(&Joined::Expand(task.clone()), document_tokens, at_once, room)
            }
            Task::Own(task) => match task.spec().strategy() {
                OwnStrategy::Single => (Way::AtOnceOnly, 0),
                OwnStrategy::MapConcat => {
                    self.joined_way(&Joined::Own(task.clone()), document_tokens, at_once, room)
                }
                OwnStrategy::MapReduce => {
                    let way = if document_tokens <= at_once.smallest { Way::AtOnce } else { Way::InParts };
                    (way, room.summed_up_part(&Reduced::Own(task.clone())))
                }
            },
            // A brief is never cut.
            Task::Generate(_) => (Way::AtOnceOnly, 0),
        }
    }

    /// The limits of the service, and of the task where it has lower ones.
    fn limits(&self) -> Limits {
        let limits = self.live.limits;
        let of_task = match &self.task {
            Task::Own(task) => task.spec().max_input_tokens(),
            Task::Summarize(_)
            | Task::Rephrase(_)
            | Task::Expand(_)
            | Task::Generate(_)
            | Task::Refine(_) => None,
        };
        let max_input_tokens =
            of_task.map_or(limits.max_input_tokens, |most| most.min(limits.max_input_tokens));
        Limits { max_input_tokens, ..limits }
    }

    /// The longest document that is worked on at once without being asked to.
    fn most_at_once(&self, at_once: Rooms) -> u32 {
        match &self.task {
            Task::Summarize(task) if is_at_once(task.strategy(), at_once.smallest, at_once) => {
                at_once.smallest
            }
            // A longer text that is written anew is always worked on in parts.
            Task::Own(task) if task.spec().strategy() == OwnStrategy::MapReduce => at_once.smallest,
            Task::Summarize(_)
            | Task::Rephrase(_)
            | Task::Expand(_)
            | Task::Generate(_)
            | Task::Refine(_)
            | Task::Own(_) => 0,
        }
    }

    /// The longest document of a request that is for work at once alone.
    fn most_at_once_only(&self, at_once: Rooms, room: &Room<'_>) -> u32 {
        match &self.task {
            Task::Rephrase(task) => room.written_at_once(&Joined::Rephrase(task.clone())),
            Task::Summarize(_) | Task::Expand(_) | Task::Generate(_) | Task::Refine(_) | Task::Own(_) => {
                at_once.largest
            }
        }
    }

    /// A text that is written anew is worked on at once where the answer is short enough to
    /// be quick.
    fn joined_way(&self, task: &Joined, document_tokens: u32, at_once: Rooms, room: &Room<'_>) -> (Way, u32) {
        let part = room.joined_part(task);
        let quick =
            task.output_size(document_tokens).expected_tokens <= self.live.limits.target_answer_tokens;
        let fits = document_tokens <= at_once.smallest;
        let way = if document_tokens <= part || (quick && fits) { Way::AtOnce } else { Way::InParts };
        (way, part)
    }

    /// A request that failed a short while ago is cut again as it was then, whatever has
    /// been learnt since: else none of its parts would be found again.
    fn in_parts(&self, part_tokens: u32, room: &Room<'_>, prompt: Prompt) -> (Layout, Cut) {
        let way = match &self.task {
            Task::Summarize(task) => task.strategy() as u32,
            Task::Rephrase(_) | Task::Expand(_) | Task::Generate(_) | Task::Refine(_) | Task::Own(_) => 0,
        };
        // How it was cut does not depend on who watches.
        let key = self.kept.key(&self.task.prompt(&Boundary::fixed("")), way, &self.chain.name, None);
        // A little more than what is right by now fits all the same: limits are compared with a margin.
        let still_fits = |then: u32, now: u32| then <= now.saturating_add(now / 20);
        let then = self.kept.cut(key).filter(|then| still_fits(then.part_tokens, part_tokens));
        let part_tokens = then.map_or(part_tokens, |then| then.part_tokens);
        let is_list = matches!(&self.task, Task::Expand(task) if task.is_list());
        let parts = parts(&self.document, part_tokens, is_list);
        let mut layout = self.laid_out(parts, room, prompt);
        let mut merge_tokens = None;
        if let Layout::Reduced { room, .. } = &mut layout {
            let then = then.and_then(|then| then.merge_tokens).filter(|then| still_fits(*then, *room));
            *room = then.unwrap_or(*room);
            merge_tokens = Some(*room);
        }
        (layout, Cut { key, part_tokens, merge_tokens })
    }

    fn laid_out(&self, parts: Vec<Part>, room: &Room<'_>, prompt: Prompt) -> Layout {
        if parts.len() < 2 {
            return self.at_once(self.single(prompt));
        }
        match &self.task {
            Task::Generate(_) | Task::Refine(_) => self.at_once(self.single(prompt)),
            Task::Rephrase(task) => Layout::Joined { task: Joined::Rephrase(task.clone()), parts },
            Task::Expand(task) => Layout::Joined { task: Joined::Expand(task.clone()), parts },
            Task::Summarize(task) if task.strategy() == SummaryStrategy::Refine => {
                Layout::Refined { task: task.clone(), parts }
            }
            Task::Summarize(task) => reduced(Reduced::Summarize(task.clone()), parts, room),
            Task::Own(task) => match task.spec().strategy() {
                OwnStrategy::Single => Layout::Single(self.single(prompt)),
                OwnStrategy::MapConcat => Layout::Joined { task: Joined::Own(task.clone()), parts },
                OwnStrategy::MapReduce => reduced(Reduced::Own(task.clone()), parts, room),
            },
        }
    }

    /// The work on a document that goes out whole; `call` is the one about it, or the first.
    fn at_once(&self, call: Call) -> Layout {
        match &self.task {
            Task::Rephrase(task) if task.suggestions() > 1 => {
                Layout::Several { task: task.clone(), first: call }
            }
            _ if call.request.output_schema.is_some() => Layout::Checked { task: self.task.clone(), call },
            _ => Layout::Single(call),
        }
    }

    fn single(&self, prompt: Prompt) -> Call {
        let output = self.task.output_size(self.profile.base_tokens());
        let size =
            |profile: &TextProfile| self.estimator.size(profile, &self.chain, self.correction.as_ref());
        let mut call = Call::of(prompt, self.profile, output, self.task.temperature(), size);
        call.request.output_schema = self.task.output_schema();
        call.request.tells_schema = self.task.tells_schema();
        call
    }
}

fn reduced(task: Reduced, parts: Vec<Part>, room: &Room<'_>) -> Layout {
    let room = room.merged(&task);
    Layout::Reduced { task, parts, room }
}

/// How a document can be gone through.
#[derive(Clone, Copy)]
enum Way {
    /// At once or not at all: the caller says so.
    AtOnceOnly,
    AtOnce,
    InParts,
}

/// The two fences around a document.
const FENCES_TOKENS: u32 = 48;
