//! Configuration at run time: when it is read again, and what is told about it.
//!
//! It is read when somebody asks for it (SIGHUP) and when a file it was read from
//! has changed. What a configuration is, and what of it can change, `config`
//! knows. The one rule: a new one takes the place of the old one as a whole, or
//! not at all.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::scope;
use crate::config::{self, Loaded, Problems, Reading, SourceFile, Sources};
use crate::http::Api;
use crate::inference::bedrock::BedrockBackend;
use crate::telemetry::{Metrics, ReloadResult};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A disk that takes longer to show some files hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// Keeps a running service true to its sources.
pub struct Reload {
    sources: Arc<Sources>,
    /// What is in effect.
    running: Loaded,
    watch: Watch,
    asked: Arc<Notify>,
    rejected: bool,
}

/// What takes on a new configuration.
pub(super) struct Service<'a> {
    pub(super) api: &'a Api,
    pub(super) metrics: &'a Metrics,
    /// `None` over another backend.
    pub(super) bedrock: Option<&'a BedrockBackend>,
}

impl Reload {
    /// For a service that began with `running`, which was read from `files` among
    /// the `sources`.
    pub fn new(sources: Sources, running: Loaded, files: Vec<SourceFile>) -> Self {
        let (sources, watch) = (Arc::new(sources), Watch::over(files));
        Self { sources, running, watch, asked: Arc::default(), rejected: false }
    }

    /// Asks for a reading when it is notified. Many notices before the next reading
    /// are one.
    pub fn request(&self) -> Arc<Notify> {
        Arc::clone(&self.asked)
    }

    /// Reads again whenever that is due, for as long as it is polled.
    pub(super) async fn run(mut self, service: Service<'_>) {
        let mut looks = interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = tokio::select! {
                () = self.asked.notified() => true,
                _ = looks.tick() => self.files_have_changed(&service).await,
            };
            if due {
                self.read_again(&service).await;
            }
        }
    }

    async fn files_have_changed(&mut self, service: &Service<'_>) -> bool {
        let files = self.watch.read.clone();
        if files.is_empty() {
            return false;
        }
        let look = move || files.iter().map(SourceFile::look_again).collect();
        let looked_at = self.beside_the_runtime(service.metrics, look).await;
        looked_at.is_some_and(|files| self.watch.has_settled(files))
    }

    async fn read_again(&mut self, service: &Service<'_>) {
        let sources = Arc::clone(&self.sources);
        let reading = self.beside_the_runtime(service.metrics, move || config::read_again(&sources)).await;
        let result = match reading {
            Some(Reading { outcome, files }) => {
                self.watch = Watch::over(files);
                outcome.map_or_else(|problems| reject(&problems), |read| self.take_on(read, service))
            }
            // A defect has told its place through the hook. The same files would meet it again.
            None => {
                self.watch.leave_alone();
                ReloadResult::Rejected
            }
        };
        self.rejected = result == ReloadResult::Rejected;
        service.metrics.config_rejected.set(self.rejected.into());
        service.metrics.config_reloads.with_label_values(&[result.as_str()]).inc();
    }

    fn take_on(&mut self, read: Loaded, service: &Service<'_>) -> ReloadResult {
        let difference = config::difference(&self.running, &read);
        if !difference.needs_restart.is_empty() {
            let settings = difference.needs_restart.join(", ");
            tracing::warn!(settings, "these settings have changed and need a restart");
        }
        for warning in read.warnings.iter().filter(|warning| !self.running.warnings.contains(warning)) {
            tracing::warn!("{warning}");
        }
        let read = read.in_place_of(&self.running);
        let result = if difference.live.is_empty() {
            tracing::info!("the configuration was read again and nothing has changed");
            ReloadResult::Unchanged
        } else {
            let catalogue = &read.config.catalogue;
            service.metrics.know(&scope(catalogue));
            if let Some(bedrock) = service.bedrock {
                bedrock.serve_regions(&catalogue.regions());
            }
            service.api.replace(read.config.live(), read.config.admission);
            let changed = difference.live.join(", ");
            tracing::info!(changed, "the configuration has changed and holds for new requests");
            ReloadResult::Applied
        };
        self.running = read;
        result
    }

    /// Does work that may block; `None` when it panicked. When it hangs, that is told,
    /// and it is waited for all the same: another try would hang as well, and threads
    /// would pile up.
    async fn beside_the_runtime<T: Send + 'static>(
        &self,
        metrics: &Metrics,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let mut work = spawn_blocking(work);
        let done = match timeout(PATIENCE, &mut work).await {
            Ok(done) => done,
            Err(_elapsed) => {
                metrics.config_rejected.set(1);
                tracing::error!("the files of the configuration do not answer, so the one before stays");
                let done = work.await;
                metrics.config_rejected.set(self.rejected.into());
                done
            }
        };
        done.ok()
    }
}

fn reject(problems: &Problems) -> ReloadResult {
    let problems = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    tracing::error!(problems, "the configuration that was read again has problems, so the one before stays");
    ReloadResult::Rejected
}

/// Tells when files have changed and are not being written any more.
struct Watch {
    /// As they were when they were read.
    read: Vec<SourceFile>,
    /// As they were at the last look.
    seen: Vec<SourceFile>,
}

impl Watch {
    fn over(files: Vec<SourceFile>) -> Self {
        Self { seen: files.clone(), read: files }
    }

    /// Whether they differ from what was read and are what they were at the last
    /// look: somebody who writes is not read in mid-sentence.
    fn has_settled(&mut self, now: Vec<SourceFile>) -> bool {
        let settled = now != self.read && now == self.seen;
        self.seen = now;
        settled
    }

    /// Waits for another change than the one that was seen last.
    fn leave_alone(&mut self) {
        self.read.clone_from(&self.seen);
    }
}

#[cfg(test)]
mod tests {
    use super::{PATIENCE, Reload, Watch};
    use crate::config::{self, Environment, RunMode, SourceFile, Sources};
    use crate::telemetry::{MetricScope, Metrics};
    use std::path::Path;
    use std::sync::mpsc;

    /// A file, and the same path when another one is there.
    fn versions() -> [Vec<SourceFile>; 3] {
        ["Cargo.toml", "Cargo.lock", "no/such/file"].map(|path| vec![SourceFile::look_at(Path::new(path))])
    }

    #[test]
    fn a_changed_file_is_read_once_it_has_stayed_the_same_for_one_look() {
        let [read, half, whole] = versions();
        let mut watch = Watch::over(read.clone());
        assert!(!watch.has_settled(read), "nothing has changed");
        assert!(!watch.has_settled(half.clone()), "somebody writes");
        assert!(!watch.has_settled(whole.clone()), "and goes on");
        assert!(watch.has_settled(whole.clone()));
        watch = Watch::over(whole.clone());
        assert!(!watch.has_settled(whole.clone()), "it has been read");
        assert!(!watch.has_settled(half.clone()));
        assert!(!watch.has_settled(whole), "it was put back");
        assert!(!watch.has_settled(half.clone()));
        watch.leave_alone();
        assert!(!watch.has_settled(half), "it is known to do harm");
    }

    #[tokio::test(start_paused = true)]
    async fn a_disk_that_hangs_is_told_and_waited_for() {
        let environment = Environment::default();
        let sources = Sources { mode: RunMode::Serve, file: None, listen: None, environment };
        let running = config::load(&sources).unwrap();
        let reload = Reload::new(sources, running, Vec::new());
        let metrics = Metrics::new(&MetricScope::default());
        let (answer, disk) = mpsc::channel();
        let hanging = reload.beside_the_runtime(&metrics, move || disk.recv().unwrap());
        let operator = async {
            tokio::task::yield_now().await;
            tokio::time::advance(PATIENCE).await;
            while metrics.config_rejected.get() == 0 {
                tokio::task::yield_now().await;
            }
            answer.send("contents").unwrap();
        };
        let (read, ()) = tokio::join!(hanging, operator);
        assert_eq!(read, Some("contents"));
        assert_eq!(metrics.config_rejected.get(), 0, "the files answer again");
        let panicked = reload.beside_the_runtime(&metrics, || panic!("a defect")).await;
        assert_eq!(panicked, None::<()>);
    }
}
