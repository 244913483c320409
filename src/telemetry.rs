//! What the service tells its operators: metrics, and one log line per request.
//!
//! Owns every metric (one list, `metrics.rs`), the closed label values, the
//! guards that record an outcome exactly once (also when the client goes away)
//! and the log set-up. No document text, prompt or key passes through here.

mod call_record;
mod declare;
mod end_of_life;
mod labels;
mod logging;
mod metrics;
mod request_record;
mod scope;

pub use call_record::CallRecord;
pub use labels::{
    Api, BreakerState, CallOutcome, CallStage, ChunkStatus, CountResult, Dialect, DocumentKind, Outcome,
    ReadResult, RejectReason, ReloadResult, ScreeningResult, Strategy, StreamEnd, TokenDirection,
};
pub use logging::{LogFormat, LogSettings, subscriber};
pub use metrics::Metrics;
pub use request_record::{RequestRecord, Served};
pub use scope::{ChainScope, MetricScope, TargetScope};
