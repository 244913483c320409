//! The load: who sends how many requests when, and which model calls are spoilt.
//!
//! The one rule it protects: everything that was started has ended when a phase returns.

use std::time::Duration;

use bedrock_sim::{Scenario, Sim};
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::check::{Checker, Finished};
use crate::client::Client;
use crate::service::{Reading, Service};
use crate::shape::Shape;

/// Clients of the closed loop: more than the service has cores, fewer than it admits.
const CLOSED_LOOP_CLIENTS: usize = 16;
/// Requests that the open loop keeps under way at most; those beyond are not sent, and counted. Many
/// times what half of the saturated rate needs, so that a machine with other work does not pile up.
const MOST_UNDER_WAY: usize = 256;
const LOOK_EVERY: Duration = Duration::from_millis(250);
const SEND_EVERY: Duration = Duration::from_millis(2);
/// One call in ten, at random: nine good ones between two faults on average.
const MOST_GOOD_CALLS_IN_A_ROW: u32 = 18;

/// Faults that end by themselves and soon. Each leaves the service with something to decide.
const FAULTS: [&str; 20] = [
    "throttling",
    "untyped-throttling",
    "internal-server",
    "service-unavailable",
    "model-error",
    "model-timeout",
    "html-bad-gateway",
    "empty-json",
    "cut-mid-frame",
    "reset-before-headers",
    "end-without-message-stop",
    "corrupt-crc",
    "stream-internal-server-late",
    "stream-model-stream-error-late",
    "stream-throttling",
    "empty-content",
    "empty-text",
    "json-instead-of-stream",
    "stop-max-tokens",
    "stop-content-filtered",
];

enum Pace {
    /// As fast as answers come, with so many clients.
    Closed(usize),
    /// So many requests per second, whether answers come or not.
    Open(f64),
}

/// Steady clients without a pause; returns the requests answered per second.
pub async fn closed_loop(client: &Client, sim: &Sim, checker: &mut Checker, time: Duration) -> f64 {
    let phase =
        Phase { client, sim, service: None, pace: Pace::Closed(CLOSED_LOOP_CLIENTS), all_steady: true };
    phase.run(checker, time).await.answered_per_second
}

/// Mixed clients at a fixed rate; returns the most that the process held.
pub async fn open_loop(
    client: &Client,
    sim: &Sim,
    checker: &mut Checker,
    rate: f64,
    time: Duration,
    service: &Service,
) -> Reading {
    checker.measure();
    let phase = Phase { client, sim, service: Some(service), pace: Pace::Open(rate), all_steady: false };
    phase.run(checker, time).await.peak
}

/// Tells the simulator which calls to spoil, for longer than the load takes. Always the same ones.
pub fn plan_faults(sim: &Sim, rate: f64, time: Duration) {
    let mut random = SmallRng::seed_from_u64(7);
    let mut calls = 0.0;
    while calls < rate * time.as_secs_f64() * 2.0 + 1000.0 {
        let good = random.random_range(0..=MOST_GOOD_CALLS_IN_A_ROW);
        sim.set_scenario_times("*", Scenario::Normal, good);
        let fault = match random.random_range(0..=FAULTS.len()) {
            0 => Scenario::SlowFirstEvent { wait_ms: 300 },
            at => Scenario::from_name(FAULTS[at - 1]).expect("the simulator knows it"),
        };
        sim.set_scenario_times("*", fault, 1);
        calls += f64::from(good) + 1.0;
    }
}

struct Phase<'a> {
    client: &'a Client,
    sim: &'a Sim,
    service: Option<&'a Service>,
    pace: Pace,
    all_steady: bool,
}

struct Seen {
    answered_per_second: f64,
    peak: Reading,
}

impl Phase<'_> {
    async fn run(self, checker: &mut Checker, time: Duration) -> Seen {
        let (began, mut sent, mut answered) = (Instant::now(), 0, 0_u32);
        let mut peak = Reading::default();
        let mut requests = JoinSet::new();
        let mut sends = interval(SEND_EVERY);
        sends.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while began.elapsed() < time || !requests.is_empty() {
            if began.elapsed() < time {
                for _ in 0..self.due(sent, requests.len(), began.elapsed()) {
                    sent += 1;
                    if requests.len() < MOST_UNDER_WAY {
                        requests.spawn(request(self.client.clone(), checker.next_case(), self.all_steady));
                    } else {
                        checker.held_back += 1;
                    }
                }
            }
            tokio::select! {
                Some(finished) = requests.join_next() => {
                    checker.take(finished.expect("a client does not panic"));
                    answered += u32::from(began.elapsed() < time);
                }
                _ = sends.tick() => {}
                _ = looks.tick() => {
                    checker.verify(self.sim);
                    if let Some(service) = self.service {
                        peak = peak.max(service.reading());
                    }
                }
            }
        }
        Seen { answered_per_second: f64::from(answered) / time.as_secs_f64(), peak }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate times seconds is positive and small"
    )]
    fn due(&self, sent: usize, under_way: usize, elapsed: Duration) -> usize {
        match self.pace {
            Pace::Closed(clients) => clients.saturating_sub(under_way),
            Pace::Open(rate) => ((elapsed.as_secs_f64() * rate) as usize).saturating_sub(sent),
        }
    }
}

async fn request(client: Client, case: u64, all_steady: bool) -> Finished {
    let shape = Shape::of(case, all_steady);
    let began = Instant::now();
    let heard = client.exchange(&shape).await;
    Finished::new(shape, heard, began.elapsed())
}
