//! One call whose answer is checked when the model is done, and asked for once more where
//! it cannot be used.
//!
//! Owns the second try. What makes an answer good is the task's matter. Answers are held
//! until they are good; data of a stream may flow as it comes instead, and then what was
//! told and proves bad is taken back where the caller allows it, or ends the run. The rule
//! it protects: at most one more call, and an answer that was told to its end was good.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Ending, Step, Work, WorkEvent, fell_back};
use crate::domain::{CallFailure, FailureCode, ModelId, OutputSchema};
use crate::pipeline::desk::Desk;
use crate::pipeline::event::{ChunkCounts, Event, OnFailover, Reset, Stage, Warning, WarningCode};
use crate::pipeline::work::{Call, Restart};
use crate::routing::{FinishReason, Mode, RouteError, fits_any};
use crate::tasks::{AnswerSource, Platform, Remark, Review, Reviewed, Task};
use crate::telemetry::CallStage;

/// The work on an answer that is checked.
pub(in crate::pipeline) struct CheckedRun {
    task: Task,
    /// For both tries.
    schema: Option<Arc<OutputSchema>>,
    tells_schema: bool,
    work: Work,
    /// Whether the answer is told as it comes.
    flows: bool,
    /// Of the try at work.
    text: String,
    first: Option<First>,
    told: VecDeque<Step>,
}

/// The first answer, which could not be used as it was.
struct First {
    text: String,
    model: ModelId,
    finish: FinishReason,
}

impl CheckedRun {
    pub(super) fn new(task: Task, call: Call, desk: &Desk) -> Self {
        let flows = desk.manners.mode == Mode::Pieces && task.flows();
        let (schema, tells_schema) = (call.request.output_schema.clone(), call.request.tells_schema);
        let work = work(desk, call, flows);
        let (text, told) = (String::new(), VecDeque::new());
        Self { task, schema, tells_schema, work, flows, text, first: None, told }
    }

    pub(super) fn first_model(&mut self) -> Option<ModelId> {
        self.work.first_model()
    }

    /// The next step; none comes after `Finished` or `Failed`.
    pub(super) async fn next(&mut self, desk: &Desk) -> Step {
        loop {
            if let Some(step) = self.told.pop_front() {
                return step;
            }
            match self.work.next().await {
                WorkEvent::FellBack(fallback) => {
                    return Step::Tell(fell_back(fallback, Stage::Final, None));
                }
                WorkEvent::Text { text, whole } => {
                    self.text.push_str(&text);
                    if self.flows {
                        return Step::Text { text, whole };
                    }
                }
                WorkEvent::Reset(reset) => {
                    self.text.clear();
                    if self.flows {
                        return Step::Tell(Event::Reset(reset));
                    }
                }
                WorkEvent::Ended { model, finish } => self.ended(model, finish, desk),
                WorkEvent::Failed(error) => self.failed(error),
            }
        }
    }

    /// A try has come to its end.
    fn ended(&mut self, model: ModelId, finish: FinishReason, desk: &Desk) {
        let text = std::mem::take(&mut self.text);
        // What a guardrail says is no answer of the model's, and is told as it is.
        if finish == FinishReason::Guardrail {
            return self.finish(Reviewed::latest(text), model, finish);
        }
        let earlier = self.first.as_ref().map(|first| first.text.as_str());
        match self.task.review(&text, earlier, self.flows) {
            Review::Good(reviewed) => {
                let first = self.first.take().filter(|_| reviewed.source == AnswerSource::Earlier);
                let (model, finish) = first.map_or((model, finish), |first| (first.model, first.finish));
                self.finish(reviewed, model, finish);
            }
            Review::Poor { .. } if finish == FinishReason::ContentFilter => {
                let cause = "the provider's filter cut data short";
                self.told.push_back(Step::Failed(Ending::of(FailureCode::ContentFiltered, cause)));
            }
            Review::Poor { .. } if self.first.is_some() || !self.may_start_over(desk) => {
                let tries = if self.first.is_some() { "two tries" } else { "one try, which was told" };
                let cause = format!("the answer was not of the form that the task needs, after {tries}");
                self.told.push_back(Step::Failed(Ending::of(FailureCode::OutputInvalid, &cause)));
            }
            Review::Poor { problem } => {
                let again = self.second_call(&text, &problem, desk);
                let first = First { text, model, finish };
                match again {
                    Some(call) => self.try_again(first, call, desk),
                    None => {
                        let cause = "the answer was not of the form that the task needs, and no model can hold \
                                     what a second try is told";
                        self.make_do(first, Ending::of(FailureCode::OutputInvalid, cause));
                    }
                }
            }
        }
    }

    /// What was told can be taken back, or nothing was.
    fn may_start_over(&self, desk: &Desk) -> bool {
        !self.flows || desk.manners.on_failover == OnFailover::Restart
    }

    /// The call of the second try. The plan kept no room for the answer that it is to mend,
    /// so that it is shown only where a model can hold it, too.
    fn second_call(&self, answer: &str, problem: &str, desk: &Desk) -> Option<Call> {
        [Some(answer), None].into_iter().find_map(|shown| {
            let prompt = self.task.second_prompt(shown, problem, &desk.fences.boundary());
            let document = crate::chunk::estimate_tokens(&prompt.user.document);
            let mut call = desk.call(prompt, self.task.output_size(document));
            call.request.output_schema.clone_from(&self.schema);
            call.request.tells_schema = self.tells_schema;
            fits_any(&call.request, &desk.chain).then_some(call)
        })
    }

    fn try_again(&mut self, first: First, call: Call, desk: &Desk) {
        if self.flows {
            let (reason, discarded_chars) = (CallFailure::MalformedAnswer, first.text.chars().count());
            self.told.push_back(Step::Tell(Event::Reset(Reset { reason, discarded_chars })));
        }
        self.work = work(desk, call, self.flows);
        self.first = Some(first);
    }

    /// A try has failed.
    fn failed(&mut self, error: RouteError) {
        let too_long = error.failure == CallFailure::InputTooLong;
        let mut ending = Ending::from(error);
        let Some(first) = self.first.take() else {
            return self.told.push_back(Step::Failed(ending));
        };
        if too_long {
            // It took the caller's text at the first try: what it could not hold is our own addition.
            ending = Ending { code: FailureCode::OutputInvalid, ..ending };
        }
        self.make_do(first, ending);
    }

    /// There is no second answer. The first may still do, cut to size.
    fn make_do(&mut self, first: First, otherwise: Ending) {
        let First { text, model, finish } = first;
        if !self.flows
            && let Review::Good(reviewed) = self.task.review(&text, Some(&text), false)
        {
            return self.finish(reviewed, model, finish);
        }
        self.told.push_back(Step::Failed(otherwise));
    }

    fn finish(&mut self, reviewed: Reviewed, model: ModelId, finish: FinishReason) {
        if !self.flows {
            // It was held until it was good, so no piece of it is timed.
            self.told.push_back(Step::Text { text: reviewed.text, whole: true });
        }
        let warnings = reviewed.remarks.into_iter().map(warning).map(Event::Warning).map(Step::Tell);
        self.told.extend(warnings);
        let chunks = ChunkCounts { total: 1, failed: 0, levels: 0 };
        self.told.push_back(Step::Finished { model, finish, chunks });
    }
}

/// A try. As long as nothing of it is told, another model may start over.
fn work(desk: &Desk, call: Call, flows: bool) -> Work {
    if flows {
        desk.answer(call, CallStage::Single)
    } else {
        desk.work(call, desk.manners.mode, CallStage::Single, Restart::Always)
    }
}

fn warning(remark: Remark) -> Warning {
    match remark {
        Remark::PostShortened(platform) => {
            let (name, most) = (Platform::title(platform), platform.max_length());
            let detail = format!("The post for {name} was longer than {most} characters and was cut short.");
            Warning { code: WarningCode::PostShortened, detail: detail.into() }
        }
    }
}
