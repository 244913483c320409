//! A call that is under way: its place at the target and its record in the metrics.
//!
//! Both end together and exactly once. Dropping it means that nobody waits for the
//! answer any more: the record says cancelled, and the target is not judged.

use super::attempt::AttemptError;
use super::gate::Ticket;
use crate::domain::Metered;
use crate::telemetry::CallRecord;

/// The call.
pub(super) struct RunningCall {
    record: CallRecord,
    ticket: Ticket,
}

impl RunningCall {
    pub(super) fn new(record: CallRecord, ticket: Ticket) -> Self {
        Self { record, ticket }
    }

    /// The first piece of text has come.
    pub(super) fn first_text(&mut self) {
        self.record.first_text();
    }

    /// The answer is complete.
    pub(super) fn succeeded(self, usage: Option<&Metered>) {
        self.record.succeeded(usage.map(|usage| &usage.tokens));
        self.ticket.answered();
    }

    /// The call failed; every failed call passes through here once.
    pub(super) fn failed(self, error: &AttemptError) {
        self.record.failed(error.error.kind);
        self.ticket.failed(error.error.kind, error.at_fault, error.error.retry_after);
    }
}
