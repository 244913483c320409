//! What a service must give back: its tasks, its sockets, its file descriptors.
//!
//! Tasks are those of the test's own runtime. Sockets are known by their inodes,
//! because under `cargo test` other tests of the process have sockets too; where
//! a test has a process of its own, all descriptors are counted as well.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

const PATIENCE: Duration = Duration::from_secs(10);

/// What was in use before.
pub struct Baseline {
    tasks: usize,
    descriptors: usize,
}

impl Baseline {
    pub fn take() -> Self {
        Self { tasks: Handle::current().metrics().num_alive_tasks(), descriptors: descriptors().len() }
    }

    /// Waits until everything is back, these sockets among it, and says what is not.
    pub async fn is_reached(&self, sockets: &BTreeSet<String>) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let tasks = Handle::current().metrics().num_alive_tasks();
            let descriptors = descriptors();
            let open: Vec<&String> = descriptors.iter().filter(|target| sockets.contains(*target)).collect();
            let process_is_ours = std::env::var_os("NEXTEST").is_some();
            let more = descriptors.len().saturating_sub(self.descriptors);
            if tasks <= self.tasks && open.is_empty() && (more == 0 || !process_is_ours) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "left behind: {tasks} tasks of {} before, sockets {open:?}, {more} descriptors: {descriptors:?}",
                self.tasks
            );
            tokio::task::yield_now().await;
        }
    }
}

/// What the process's open descriptors lead to.
fn descriptors() -> Vec<String> {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return Vec::new() };
    let target = |entry: fs::DirEntry| fs::read_link(entry.path()).ok();
    entries.flatten().filter_map(target).map(|path| path.display().to_string()).collect()
}

/// The process's TCP sockets that have one of these ports at either end, by inode. To be
/// asked while the ports are in use: a port that was given back is soon another test's.
pub fn sockets_at(ports: [u16; 3]) -> Vec<String> {
    let ours: BTreeSet<String> = descriptors().into_iter().collect();
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let at_port = |address: &str| {
        let port = address.rsplit(':').next().and_then(|port| u16::from_str_radix(port, 16).ok());
        port.is_some_and(|port| ports.contains(&port))
    };
    let socket = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let inode = format!("socket:[{}]", fields.get(9)?);
        let is_at_port = at_port(fields[1]) || at_port(fields[2]);
        (is_at_port && ours.contains(&inode)).then_some(inode)
    };
    table.lines().skip(1).filter_map(socket).collect()
}
