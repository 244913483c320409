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
/// the smallest quota of a second that AWS gives an account.
const PIECE_BYTES: usize = 24_000;
/// What of the end of a piece stands at the begin of the next one, so that no sentence
/// escapes between the two.
const OVERLAP_BYTES: usize = 500;
/// Looks at once, of all requests together: more would only run into the account's quota.
pub(super) const LOOKS_AT_ONCE: usize = 4;

/// What a guardrail is to look at, and what it must keep to.
pub struct ScreeningOptions {
    pub guardrail: Arc<Guardrail>,
    /// Where the guardrail is; `None` is the region that the service runs in.
    pub region: Option<Region>,
    pub text: Passage,
    pub policy: Arc<RoutingPolicy>,
    pub deadline: Deadline,
}

impl Router {
    /// Shows a document to its guardrail. The first word against it ends the look.
    ///
    /// # Errors
    /// When the guardrail could not look at all of it.
    pub async fn screen(self: Arc<Self>, options: ScreeningOptions) -> Result<Verdict, RouteError> {
        let pieces = pieces(&options.text).into_iter().filter(|piece| !piece.trim().is_empty());
        let looks = pieces.map(|text| self.screen_piece(&options, text));
        let mut looks = stream::iter(looks).buffer_unordered(LOOKS_AT_ONCE);
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
            let Ok(Ok(look)) = timeout_at(options.deadline.at(), self.looks.acquire()).await else {
                return Err(RouteError::too_late());
            };
            let limit = options.deadline.limit(options.policy.clocks.answer, false);
            let error = match timeout_at(limit.at, self.backend.screen(&screening)).await {
                Ok(Ok(verdict)) => return Ok(verdict),
                Ok(Err(error)) => error,
                Err(_elapsed) if limit.is_deadline => return Err(RouteError::too_late()),
                Err(_elapsed) => {
                    BackendError::new(CallFailure::AnswerClock, "the guardrail did not answer in time")
                }
            };
            drop(look);
            let delay = options.policy.backoff.delay(tries, rand::random());
            let delay = error.retry_after.map_or(delay, |asked| asked.max(delay));
            // It has one address: as long as it is only busy, patience is all that helps.
            let is_busy = error.kind == CallFailure::Throttled;
            let may_repeat = is_busy || (is_retried(error.kind) && tries <= options.policy.max_retries);
            if !may_repeat || delay >= options.deadline.time_left() {
                return Err(failed(error));
            }
            tries = tries.saturating_add(1);
            sleep(delay).await;
        }
    }
}

fn failed(error: BackendError) -> RouteError {
    let cause = format!("a guardrail's look at the document failed: {}", error.cause);
    RouteError { failure: error.kind, cause, retry_after: error.retry_after }
}

/// The text in pieces that a guardrail takes, cut at the end of a word where there is one.
/// Each begins with the end of the one before.
fn pieces(text: &Passage) -> Vec<Passage> {
    let mut pieces = Vec::new();
    let mut start = 0;
    while text.len() - start > PIECE_BYTES {
        let end = word_end(text, start, start + PIECE_BYTES);
        pieces.push(text.part(start..end));
        start = word_end(text, start, end - OVERLAP_BYTES);
    }
    pieces.push(text.part(start..text.len()));
    pieces
}

/// The last end of a word before `end`, or where the last character before it ends; never
/// before the middle between the two, so that there is always progress.
fn word_end(text: &str, start: usize, mut end: usize) -> usize {
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let space = text[start..end].rfind(char::is_whitespace).map(|space| start + space);
    space.filter(|space| *space > start.midpoint(end)).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::{OVERLAP_BYTES, PIECE_BYTES, pieces};
    use crate::domain::Passage;

    #[test]
    fn pieces_are_all_of_the_text_and_each_begins_with_the_end_of_the_one_before() {
        for text in ["word ".repeat(20_000), "й".repeat(50_000), "short".to_owned(), String::new()] {
            let passage = Passage::from(text.as_str());
            let pieces = pieces(&passage);
            assert!(
                pieces.iter().all(|piece| piece.len() <= PIECE_BYTES && piece.shares_text_with(&passage))
            );
            assert!(pieces.len() <= 2 + text.len() / (PIECE_BYTES - 2 * OVERLAP_BYTES));
            let at = |piece: &Passage| piece.as_ptr() as usize - passage.as_ptr() as usize;
            assert_eq!(at(&pieces[0]), 0);
            for pair in pieces.windows(2) {
                let overlap = at(&pair[0]) + pair[0].len() - at(&pair[1]);
                assert!((OVERLAP_BYTES..2 * OVERLAP_BYTES).contains(&overlap), "{overlap}");
                assert!(!text.starts_with("word") || pair[1].starts_with(' '));
            }
            let last = pieces.last().unwrap();
            assert_eq!(at(last) + last.len(), text.len());
        }
    }
}
