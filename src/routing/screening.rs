//! A guardrail's look at a document before any model is called.
//!
//! Owns how a document is shown to it (in pieces, some at once), how long it may take
//! and how often a piece is shown again. No target is judged by it. The one rule: what
//! could not be looked at is not passed on, so that a failing guardrail fails the request.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::{sleep, timeout_at};

use super::clocks::Deadline;
use super::decide::is_retried;
use super::route::RoutingPolicy;
use super::route_error::RouteError;
use super::router::Router;
use crate::domain::{CallFailure, Guardrail, Passage, Region};
use crate::inference::{BackendError, Screening, Verdict};
use crate::telemetry::ScreeningResult;

/// A piece has at most so many bytes, and so at most 25 text units of 1,000 characters,
/// which is what an account may send in one second unless its quota was raised.
const PIECE_BYTES: usize = 24_000;
/// More would only run into the account's quota.
const AT_ONCE: usize = 4;
/// A guardrail has one address: patience is all that helps when it is busy.
const TRIES: u32 = 6;

/// What a guardrail is to look at, and what it must keep to.
pub struct ScreeningOptions {
    pub guardrail: Arc<Guardrail>,
    /// Where the guardrail is; `None` is the region that the service runs in.
    pub region: Option<Region>,
    /// The document, in parts or whole.
    pub texts: Vec<Passage>,
    pub policy: Arc<RoutingPolicy>,
    pub deadline: Deadline,
}

impl Router {
    /// Shows a document to its guardrail. The first word against it ends the look.
    ///
    /// # Errors
    /// When the guardrail could not look at all of it.
    pub async fn screen(self: Arc<Self>, options: ScreeningOptions) -> Result<Verdict, RouteError> {
        let pieces = options.texts.iter().flat_map(pieces).filter(|piece| !piece.trim().is_empty());
        let looks = pieces.map(|text| self.screen_piece(&options, text));
        let mut looks = stream::iter(looks).buffer_unordered(AT_ONCE);
        let mut verdict = Ok(Verdict::Passed);
        while let Some(look) = looks.next().await {
            if look != Ok(Verdict::Passed) {
                verdict = look;
                break;
            }
        }
        let result = match &verdict {
            Ok(Verdict::Passed) => ScreeningResult::Passed,
            Ok(Verdict::Blocked(_)) => ScreeningResult::Blocked,
            Err(_) => ScreeningResult::Failed,
        };
        let labels = [&*options.guardrail.name, result.as_str()];
        self.metrics.guardrail_screenings.with_label_values(&labels).inc();
        verdict
    }

    async fn screen_piece(&self, options: &ScreeningOptions, text: Passage) -> Result<Verdict, RouteError> {
        let (guardrail, region) = (Arc::clone(&options.guardrail), options.region.clone());
        let screening = Screening { guardrail, region, text };
        let mut tries = 1;
        loop {
            let limit = options.deadline.limit(options.policy.clocks.answer, false);
            let error = match timeout_at(limit.at, self.backend.screen(&screening)).await {
                Ok(Ok(verdict)) => return Ok(verdict),
                Ok(Err(error)) => error,
                Err(_elapsed) if limit.is_deadline => return Err(RouteError::too_late()),
                Err(_elapsed) => {
                    BackendError::new(CallFailure::AnswerClock, "the guardrail did not answer in time")
                }
            };
            let delay = options.policy.backoff.delay(tries, rand::random());
            let delay = error.retry_after.map_or(delay, |asked| asked.max(delay));
            if tries >= TRIES || !is_retried(error.kind) || delay >= options.deadline.time_left() {
                return Err(failed(error));
            }
            tries += 1;
            sleep(delay).await;
        }
    }
}

fn failed(error: BackendError) -> RouteError {
    let cause = format!("a guardrail's look at the document failed: {}", error.cause);
    RouteError { failure: error.kind, cause, retry_after: error.retry_after }
}

/// The text in pieces that a guardrail takes, cut at the end of a word where there is one.
fn pieces(text: &Passage) -> Vec<Passage> {
    let mut pieces = Vec::new();
    let mut start = 0;
    while text.len() - start > PIECE_BYTES {
        let mut end = start + PIECE_BYTES;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let space = text[start..end].rfind(char::is_whitespace).filter(|space| *space > 0);
        let end = space.map_or(end, |space| start + space);
        pieces.push(text.part(start..end));
        start = end;
    }
    pieces.push(text.part(start..text.len()));
    pieces
}

#[cfg(test)]
mod tests {
    use super::{PIECE_BYTES, pieces};
    use crate::domain::Passage;

    #[test]
    fn pieces_are_all_of_the_text_and_end_with_words_where_they_can() {
        for text in ["word ".repeat(20_000), "й".repeat(50_000), "short".to_owned(), String::new()] {
            let passage = Passage::from(text.as_str());
            let pieces = pieces(&passage);
            assert!(
                pieces.iter().all(|piece| piece.len() <= PIECE_BYTES && piece.shares_text_with(&passage))
            );
            assert_eq!(pieces.iter().map(|piece| &**piece).collect::<String>(), text);
            assert!(!text.starts_with("word") || pieces.iter().skip(1).all(|piece| piece.starts_with(' ')));
        }
    }
}
