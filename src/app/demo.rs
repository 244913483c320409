//! `redraft demo`: the whole service on one machine, without an AWS account.
//!
//! A simulator of Bedrock runs in the same process on a free loopback port and
//! the SDK talks to it over a real socket. Its author is no model: it answers
//! with sentences of the text it was given, and the banner says so.

use std::io;
use std::time::Duration;

use bedrock_sim::{ApiError, Pacing, Scenario, Sim, SimOptions};
use tokio::sync::mpsc;

use super::Addresses;
use crate::config::Config;
use crate::domain::{ModelId, Region};
use crate::http::{Fault, FaultOrder, fault_switch};
use crate::inference::bedrock::CredentialsSource;

/// The time of a fast model, so that streaming can be seen.
const PACING: Pacing =
    Pacing { first_delta: Duration::from_millis(150), between_deltas: Duration::from_millis(12) };

/// A model that was made to fall silent stays so for longer than anybody waits.
const SILENCE_MS: u64 = 600_000;
/// A model that was made to break off has said a little before.
const DELTAS_BEFORE_THE_CUT: u32 = 12;

/// The simulator, and the orders of the playground's switch.
pub(super) struct Simulator {
    sim: Sim,
    orders: mpsc::Receiver<FaultOrder>,
}

/// Starts the simulator and points the configuration at it.
///
/// # Errors
/// When no loopback port can be bound.
pub(super) async fn start_simulator(config: &mut Config) -> io::Result<Simulator> {
    let sim = Sim::start(SimOptions { pacing: PACING, ..SimOptions::default() }).await?;
    config.bedrock.endpoint_url = Some(sim.endpoint_url());
    config.bedrock.credentials = CredentialsSource::Simulator;
    // A name is needed to sign requests; the simulator is in no region.
    config.bedrock.region.get_or_insert_with(|| Region::new("us-east-1"));
    let (switch, orders) = fault_switch();
    config.http.faults = Some(switch);
    Ok(Simulator { sim, orders })
}

impl Simulator {
    /// Lets models fail as the playground wants it, for as long as it is polled.
    pub(super) async fn obey(&mut self) {
        let mut spoilt: Vec<ModelId> = Vec::new();
        while let Some(order) = self.orders.recv().await {
            for model in spoilt.drain(..) {
                self.sim.set_scenario(model.as_str(), Scenario::Normal);
            }
            for model in &order.models {
                self.sim.set_scenario(model.as_str(), scenario(order.fault));
            }
            spoilt.clone_from(&order.models);
            order.obeyed();
        }
    }
}

fn scenario(fault: Fault) -> Scenario {
    match fault {
        Fault::None => Scenario::Normal,
        Fault::Throttle => Scenario::Error { error: ApiError::Throttling },
        Fault::Stall => Scenario::SlowFirstEvent { wait_ms: SILENCE_MS },
        Fault::Cut => Scenario::CutMidFrame { after_deltas: DELTAS_BEFORE_THE_CUT },
    }
}

/// What is printed when everything runs.
pub(super) fn banner(addresses: Addresses, simulator: &Simulator) -> String {
    let Addresses { public, ops } = addresses;
    let simulator = simulator.sim.endpoint_url();
    format!(
        r#"Redraft {version} is running, without AWS.

  Page       http://{public}/       open it in a browser
  API        http://{public}        (docs: /openapi.json)
  Metrics    http://{ops}/metrics
  Simulator  {simulator}  stands in for Bedrock

Answers come from the simulator: it is no language model. It picks and
rearranges sentences of your own text, so that you can see the service work.

Try, in another terminal:

  curl -s http://{public}/v1/summarize -H 'content-type: application/json' \
    -d '{{"text": "The new library opened on Monday. It holds 40,000 books and a reading room for 120 people. Visitors may borrow up to ten books at a time. The building cost 12 million euros, and the city paid half of it.", "type": "tldr"}}'

  curl -s http://{public}/v1/rephrase -H 'content-type: application/json' \
    -d '{{"text": "We can'\''t ship your order today because the warehouse is closed.", "tone": "more-formal"}}'

  curl -sN http://{public}/v1/expand -H 'content-type: application/json' -H 'accept: text/event-stream' \
    -d '{{"bullets": ["launch on 3 May", "works offline", "free for schools"]}}'

Stop with Ctrl-C.
"#,
        version = env!("CARGO_PKG_VERSION"),
    )
}
