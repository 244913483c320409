//! The way of one request along its chain: which targets it can still ask, and which next.
//!
//! Owns the choice and nothing else: stages in order, within a stage the target
//! with the least in flight for its weight. A target that is busy or rejected is
//! passed over while another one is free; then it is waited for; and the last
//! target of the chain is called even though its breaker is open, because a call
//! that may fail beats an answer that certainly is none.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::catalogue::{Chain, Target};
use super::fit::{RouteRequest, fit, fits};
use super::gate::{Availability, Gate};
use super::route::RoutingPolicy;
use super::router::Router;
use crate::domain::CallFailure;
use crate::inference::ModelCall;

/// The targets of a chain, as one request sees them.
pub(super) struct Path {
    places: Vec<Place>,
    /// Only targets with a larger window are asked.
    larger_than_tokens: u32,
}

struct Place {
    stage: usize,
    target: Target,
    weight: u32,
    gate: Arc<Gate>,
    status: Status,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Untried,
    /// Passed over; it may be free by the time that others have failed.
    Skipped,
    Done,
}

/// How the chosen target is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// It is free: ask once.
    Now,
    /// It is the best there is: wait for a place.
    Wait,
    /// It is the only one left: call it although its breaker is open.
    Force,
}

/// The next target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    pub place: usize,
    pub manner: Manner,
}

impl Path {
    pub(super) fn new(chain: &Chain, router: &Router) -> Self {
        let stages = chain.stages.iter().enumerate();
        let places = stages.flat_map(|(stage, targets)| {
            targets.targets.iter().map(move |weighted| Place {
                stage,
                target: weighted.target.clone(),
                weight: weighted.weight,
                gate: router.gate(&weighted.target),
                status: Status::Untried,
            })
        });
        Self { places: places.collect(), larger_than_tokens: 0 }
    }

    pub(super) fn target(&self, place: usize) -> &Target {
        &self.places[place].target
    }

    pub(super) fn gate(&self, place: usize) -> &Arc<Gate> {
        &self.places[place].gate
    }

    /// The call for this place; `None` when its target cannot take the request.
    pub(super) fn call(&self, place: usize, request: &RouteRequest) -> Option<ModelCall> {
        self.can_take(place, request).then(|| fit(request, self.target(place)).ok()).flatten()
    }

    fn can_take(&self, place: usize, request: &RouteRequest) -> bool {
        let model = &self.places[place].target.model;
        model.context_tokens > self.larger_than_tokens && fits(request, model)
    }

    /// The target that is asked next.
    pub(super) fn choose(&self, request: &RouteRequest, policy: &RoutingPolicy) -> Option<Choice> {
        let mut busy: Option<usize> = None;
        let mut best: Option<(usize, usize, f64)> = None;
        for place in self.open_to(request) {
            let candidate = &self.places[place];
            if best.is_some_and(|(_, stage, _)| stage < candidate.stage) {
                break;
            }
            match candidate.gate.availability(policy) {
                Availability::Free => {
                    let load = candidate.gate.load(candidate.weight);
                    if best.is_none_or(|(_, _, least)| load < least) {
                        best = Some((place, candidate.stage, load));
                    }
                }
                Availability::Busy(pause_ends) => {
                    let soon = pause_ends.is_none_or(|end| end <= Instant::now() + policy.place_wait);
                    if soon && busy.is_none() {
                        busy = Some(place);
                    }
                }
                Availability::Rejecting(..) => {}
            }
        }
        let now = best.map(|(place, ..)| Choice { place, manner: Manner::Now });
        now.or_else(|| busy.map(|place| Choice { place, manner: Manner::Wait }))
            .or_else(|| self.last(request, policy))
    }

    /// The last target of the chain, if it has not been called and its breaker alone stands in the way.
    fn last(&self, request: &RouteRequest, policy: &RoutingPolicy) -> Option<Choice> {
        let place = self.last_that_fits(request)?;
        let untried = self.places[place].status != Status::Done;
        let rejecting = matches!(self.places[place].gate.availability(policy), Availability::Rejecting(..));
        (untried && rejecting).then_some(Choice { place, manner: Manner::Force })
    }

    /// The place that the chain has first: `chosen` if it is of the first stage that can
    /// take the request, else the first place of that stage.
    pub(super) fn first(&self, chosen: Option<usize>, request: &RouteRequest) -> Option<usize> {
        let first = (0..self.places.len()).find(|place| self.can_take(*place, request))?;
        let stage = self.places[first].stage;
        Some(chosen.filter(|chosen| self.places[*chosen].stage == stage).unwrap_or(first))
    }

    /// Nothing more is asked of this place.
    pub(super) fn done(&mut self, place: usize) {
        self.places[place].status = Status::Done;
    }

    /// From now on only targets with a larger window than this place's are asked.
    pub(super) fn only_larger_than(&mut self, place: usize) {
        self.larger_than_tokens = self.places[place].target.model.context_tokens;
    }

    /// Marks the targets that were passed over when `chosen` was (`None`: all that
    /// are left), and says why each was. A target is told only once.
    pub(super) fn pass_over(
        &mut self,
        chosen: Option<usize>,
        request: &RouteRequest,
        policy: &RoutingPolicy,
    ) -> Vec<(usize, CallFailure)> {
        let before = chosen.map_or(usize::MAX, |place| self.places[place].stage);
        let open: Vec<usize> = self.open_to(request).collect();
        let mut skipped = Vec::new();
        for place in open {
            let candidate = &mut self.places[place];
            if candidate.status != Status::Untried || candidate.stage >= before || Some(place) == chosen {
                continue;
            }
            candidate.status = Status::Skipped;
            skipped.push((place, reason(candidate.gate.availability(policy))));
        }
        skipped
    }

    /// Whether another target than `place` could still be asked.
    pub(super) fn others_remain(&self, place: usize, request: &RouteRequest, policy: &RoutingPolicy) -> bool {
        let last = self.last_that_fits(request);
        self.open_to(request).any(|other| {
            let rejecting =
                || matches!(self.places[other].gate.availability(policy), Availability::Rejecting(..));
            other != place && (Some(other) == last || !rejecting())
        })
    }

    /// When the first target that can take the request can be called again, if none can be now.
    pub(super) fn opens_in(&self, request: &RouteRequest, policy: &RoutingPolicy) -> Option<Duration> {
        let now = Instant::now();
        let due = |place: &Place| match place.gate.availability(policy) {
            Availability::Free | Availability::Busy(None) => None,
            Availability::Busy(Some(end)) | Availability::Rejecting(end, _) => Some(end),
        };
        let large_enough = |place: &usize| self.can_take(*place, request);
        let places = (0..self.places.len()).filter(large_enough).map(|place| &self.places[place]);
        let times: Option<Vec<Instant>> = places.map(due).collect();
        Some(times?.into_iter().min()?.saturating_duration_since(now))
    }

    /// What took the target out, if it is out.
    pub(super) fn taken_out_by(&self, place: usize, policy: &RoutingPolicy) -> Option<CallFailure> {
        match self.places[place].gate.availability(policy) {
            Availability::Rejecting(_, failure) => failure,
            Availability::Free | Availability::Busy(_) => None,
        }
    }

    /// The last place of the chain that can take the request, whatever became of it.
    fn last_that_fits(&self, request: &RouteRequest) -> Option<usize> {
        (0..self.places.len()).rev().find(|place| self.can_take(*place, request))
    }

    /// Places that can still be asked and can take the request.
    fn open_to(&self, request: &RouteRequest) -> impl Iterator<Item = usize> {
        let open = |place: &usize| self.places[*place].status != Status::Done;
        (0..self.places.len()).filter(open).filter(|place| self.can_take(*place, request))
    }
}

const fn reason(availability: Availability) -> CallFailure {
    match availability {
        Availability::Rejecting(..) => CallFailure::BreakerOpen,
        // A place may have become free in the meantime; it was busy when it was passed over.
        Availability::Busy(_) | Availability::Free => CallFailure::TargetBusy,
    }
}
