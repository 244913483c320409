//! Log set-up: JSON lines or a readable form, on standard error.
//!
//! Libraries below us may write request bodies at their debug and trace levels,
//! and a body holds the document. So their level is capped here, whatever the
//! operator's filter says.

use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, FilterFn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::registry::Registry;

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Json,
    Pretty,
}

/// What is logged and how.
#[derive(Debug, Clone)]
pub struct LogSettings {
    pub format: LogFormat,
    /// A level, or directives as in `RUST_LOG`: `info,redraft::routing=debug`.
    pub filter: String,
}

/// Builds the subscriber.
///
/// # Errors
/// The filter's own message when it is not a list of directives.
pub fn subscriber<W>(
    settings: &LogSettings,
    writer: W,
    color: bool,
) -> Result<Box<dyn Subscriber + Send + Sync>, String>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let wanted = EnvFilter::try_new(&settings.filter).map_err(|error| error.to_string())?;
    // Without a hint the two filters together would have none, and every silent trace point
    // of the libraries below would cost a look-up.
    let filter = wanted.and(FilterFn::new(may_speak).with_max_level_hint(LevelFilter::TRACE));
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_target(true);
    let layer = match settings.format {
        LogFormat::Json => {
            layer.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
        }
        LogFormat::Pretty => layer.compact().with_ansi(color).boxed(),
    };
    Ok(Box::new(Registry::default().with(layer.with_filter(filter))))
}

/// The AWS crates warn at length about what our own start-up message says in a
/// sentence, so of them only errors are let through.
fn may_speak(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    let most = if target.starts_with("redraft") {
        LevelFilter::TRACE
    } else if target.starts_with("aws") {
        LevelFilter::ERROR
    } else {
        LevelFilter::WARN
    };
    *metadata.level() <= most
}
