//! Holds back the newest piece of a guarded answer until it is known not to be the
//! guardrail's own text.
//!
//! A guardrail that blocks says so at the very end: its text comes as the last piece,
//! and then the stop reason tells whose words they were. So on guarded calls a piece
//! leaves when the next piece is there, or the stop. Nothing is held where nobody watches, or where
//! the guardrail's text is to be the answer.

use std::collections::VecDeque;

use crate::domain::OnBlock;
use crate::inference::{BackendError, ModelCall, ModelEvent, StopReason};

type Item = Result<ModelEvent, BackendError>;

/// Events on their way out.
pub(super) struct Held {
    /// Whether the guardrail's own text is not to be told.
    drops: bool,
    piece: Option<String>,
    ready: VecDeque<Item>,
}

impl Held {
    pub(super) fn for_call(call: &ModelCall) -> Self {
        let drops = call.guardrail.as_deref().is_some_and(|guardrail| guardrail.on_block == OnBlock::Refuse);
        Self { drops, piece: None, ready: VecDeque::new() }
    }

    /// What may leave now.
    pub(super) fn ready(&mut self) -> Option<Item> {
        self.ready.pop_front()
    }

    /// Takes the next event of the answer.
    pub(super) fn push(&mut self, item: Item) {
        // Whose words the last piece of a broken stream was, nobody says any more.
        let is_void = matches!(item, Err(_) | Ok(ModelEvent::Stopped(StopReason::GuardrailIntervened)));
        if !matches!(item, Ok(ModelEvent::Thinking)) {
            let earlier = self.piece.take().filter(|_| !is_void);
            self.ready.extend(earlier.map(|text| Ok(ModelEvent::Text(text))));
        }
        match item {
            Ok(ModelEvent::Text(text)) if self.drops => self.piece = Some(text),
            item => self.ready.push_back(item),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Held, VecDeque};
    use crate::domain::CallFailure;
    use crate::inference::{BackendError, ModelEvent, StopReason};

    fn told(drops: bool, events: Vec<ModelEvent>) -> Vec<ModelEvent> {
        let mut held = Held { drops, piece: None, ready: VecDeque::new() };
        let mut told = Vec::new();
        for event in events {
            held.push(Ok(event));
            told.extend(std::iter::from_fn(|| held.ready()).map(Result::unwrap));
        }
        told
    }

    fn text(text: &str) -> ModelEvent {
        ModelEvent::Text(text.to_owned())
    }

    #[test]
    fn the_guardrails_own_text_is_dropped_and_no_other() {
        let blocked = ModelEvent::Stopped(StopReason::GuardrailIntervened);
        let answer = || vec![ModelEvent::Started, text("a "), text("b."), text("Blocked."), blocked.clone()];
        assert_eq!(told(true, answer()), [ModelEvent::Started, text("a "), text("b."), blocked.clone()]);
        assert_eq!(told(false, answer()), answer());
    }

    #[test]
    fn a_healthy_answer_loses_nothing() {
        let stop = ModelEvent::Stopped(StopReason::EndTurn);
        let answer = vec![ModelEvent::Started, text("a "), ModelEvent::Thinking, text("b."), stop.clone()];
        let held = [ModelEvent::Started, ModelEvent::Thinking, text("a "), text("b."), stop];
        assert_eq!(told(true, answer), held, "thinking says nothing of whose words the piece before it was");
    }

    #[test]
    fn the_last_piece_of_a_stream_that_breaks_is_not_told() {
        let mut held = Held { drops: true, piece: None, ready: VecDeque::new() };
        held.push(Ok(text("a ")));
        held.push(Ok(text("Blocked.")));
        held.push(Err(BackendError::new(CallFailure::StreamCut, "cut")));
        assert_eq!(held.ready(), Some(Ok(text("a "))));
        assert!(held.ready().is_some_and(|item| item.is_err()));
        assert!(held.ready().is_none());
    }
}
