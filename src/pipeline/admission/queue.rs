//! Who runs and who waits: numbers and an order, without clocks or tasks.
//!
//! Owns the decision to admit, to queue or to refuse. It never waits and never
//! calls anybody; what it gives out is carried by its owner. The one rule: while a
//! place is free nobody waits, and nobody is counted who is gone.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::oneshot;

use super::AdmissionPolicy;
use super::hold_time::HoldTime;

/// The state of the door. `P` is what a waiter is handed when its turn comes.
pub(super) struct Queue<P> {
    policy: AdmissionPolicy,
    running: usize,
    waiting: VecDeque<Waiter<P>>,
    /// The number of the next waiter; numbers in the queue only grow.
    next_number: u64,
    hold: HoldTime,
    closed: bool,
}

struct Waiter<P> {
    number: u64,
    turn: oneshot::Sender<P>,
}

/// What becomes of a request that comes.
pub(super) enum Arrival<P> {
    /// It runs; the place is counted.
    Admitted,
    /// Its turn comes, or the sender is dropped because the door was closed.
    Waits {
        number: u64,
        turn: oneshot::Receiver<P>,
    },
    /// It would wait longer than it can, or with too many others.
    TooMany {
        expected_wait: Option<Duration>,
    },
    Closed,
}

impl<P> Queue<P> {
    pub(super) fn new(policy: AdmissionPolicy) -> Self {
        Self {
            policy,
            running: 0,
            waiting: VecDeque::new(),
            next_number: 0,
            hold: HoldTime::default(),
            closed: false,
        }
    }

    /// A request that can wait for `longest_wait`.
    pub(super) fn arrive(&mut self, longest_wait: Duration) -> Arrival<P> {
        if self.closed {
            return Arrival::Closed;
        }
        if self.waiting.is_empty() && self.running < self.policy.max_running {
            self.running += 1;
            return Arrival::Admitted;
        }
        let expected_wait = self.expected_wait();
        let too_late = expected_wait.is_some_and(|expected| expected > longest_wait);
        if self.waiting.len() >= self.policy.max_waiting || too_late {
            return Arrival::TooMany { expected_wait };
        }
        let number = self.next_number;
        self.next_number += 1;
        let (sender, turn) = oneshot::channel();
        self.waiting.push_back(Waiter { number, turn: sender });
        Arrival::Waits { number, turn }
    }

    /// How long a request that comes now would wait: the places that must come back
    /// before its own, at the pace at which places come back.
    pub(super) fn expected_wait(&self) -> Option<Duration> {
        let above_the_bound = self.running.saturating_sub(self.policy.max_running);
        let places = above_the_bound + self.waiting.len() + 1;
        self.hold.time_for(places, self.policy.max_running)
    }

    /// Whose turn it is, if a place is free; the place is then counted.
    pub(super) fn next(&mut self) -> Option<oneshot::Sender<P>> {
        if self.running >= self.policy.max_running {
            return None;
        }
        let waiter = self.waiting.pop_front()?;
        self.running += 1;
        Some(waiter.turn)
    }

    /// A place that was held for `held` is free again.
    pub(super) fn give_back(&mut self, held: Duration) {
        self.running -= 1;
        self.hold.observe(held);
    }

    /// A waiter goes, if it is still here.
    pub(super) fn leave(&mut self, number: u64) {
        if let Ok(index) = self.waiting.binary_search_by_key(&number, |waiter| waiter.number) {
            self.waiting.remove(index);
        }
    }

    pub(super) fn set_policy(&mut self, policy: AdmissionPolicy) {
        self.policy = policy;
    }

    /// Refuses who comes from now on, and everybody who waits.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::AdmissionPolicy;
    use super::{Arrival, Queue};
    use proptest::prelude::*;
    use std::time::Duration;
    use tokio::sync::oneshot::Receiver;

    #[derive(Debug, Clone)]
    enum Act {
        Arrive,
        /// The waiter at this place of the queue goes.
        Leave(usize),
        GiveBack,
        HandOut,
        Policy(AdmissionPolicy),
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let policy = (1..4_usize, 0..4_usize)
            .prop_map(|(max_running, max_waiting)| Act::Policy(AdmissionPolicy { max_running, max_waiting }));
        let act = prop_oneof![
            4 => Just(Act::Arrive),
            1 => (0..4_usize).prop_map(Act::Leave),
            2 => Just(Act::GiveBack),
            2 => Just(Act::HandOut),
            1 => policy,
        ];
        prop::collection::vec(act, 0..60)
    }

    proptest! {
        /// Places are neither lost nor made, turns come in order, and after they were
        /// handed out nobody waits beside a free place.
        #[test]
        fn places_are_kept_and_turns_come_in_order(acts in acts()) {
            let mut bound = AdmissionPolicy { max_running: 2, max_waiting: 2 };
            let mut queue = Queue::<()>::new(bound);
            let (mut running, mut waiting) = (0_usize, Vec::<(u64, Receiver<()>)>::new());
            for act in acts {
                match act {
                    Act::Arrive => {
                        let full = waiting.len() >= bound.max_waiting;
                        let free = waiting.is_empty() && running < bound.max_running;
                        match queue.arrive(Duration::MAX) {
                            Arrival::Admitted => {
                                prop_assert!(free);
                                running += 1;
                            }
                            Arrival::Waits { number, turn } => {
                                prop_assert!(!free && !full);
                                waiting.push((number, turn));
                            }
                            Arrival::TooMany { .. } => prop_assert!(!free && full),
                            Arrival::Closed => prop_assert!(false, "it was never closed"),
                        }
                    }
                    Act::Leave(index) if index < waiting.len() => queue.leave(waiting.remove(index).0),
                    Act::GiveBack if running > 0 => {
                        queue.give_back(Duration::ZERO);
                        running -= 1;
                    }
                    Act::Leave(_) | Act::GiveBack => {}
                    Act::HandOut => {
                        while let Some(turn) = queue.next() {
                            prop_assert!(turn.send(()).is_ok(), "who has left is not in the queue");
                            let (_, mut first) = waiting.remove(0);
                            prop_assert!(first.try_recv().is_ok(), "the first in line");
                            running += 1;
                        }
                        prop_assert!(waiting.is_empty() || running >= bound.max_running);
                    }
                    Act::Policy(policy) => {
                        bound = policy;
                        queue.set_policy(policy);
                    }
                }
                prop_assert_eq!(queue.running, running);
                prop_assert_eq!(queue.waiting.len(), waiting.len());
            }
        }
    }

    #[test]
    fn places_above_a_smaller_bound_count_as_ahead() {
        let mut queue = Queue::<()>::new(AdmissionPolicy { max_running: 4, max_waiting: 4 });
        for _ in 0..5 {
            queue.arrive(Duration::MAX);
        }
        queue.give_back(Duration::from_secs(6));
        queue.arrive(Duration::MAX);
        assert_eq!(queue.waiting.len(), 2);
        queue.set_policy(AdmissionPolicy { max_running: 2, max_waiting: 4 });
        // One running above the bound, two waiting, and its own: four of two places.
        assert_eq!(queue.expected_wait(), Some(Duration::from_secs(12)));
    }
}
