//! `redraft demo`: the whole service on one machine, without an AWS account.
//!
//! A simulator of Bedrock runs in the same process on a free loopback port and
//! the SDK talks to it over a real socket. Its author is no model: it answers
//! with sentences of the text it was given, and the banner says so. With `--llm` a
//! real model writes in its place, and the banner says which.

use std::io;
use std::time::Duration;

use bedrock_sim::{ApiError, ApiKey, Author, Pacing, Scenario, Sim, SimOptions, Upstream, UpstreamUrl};
use clap::Args;
use tokio::sync::mpsc;

use super::Addresses;
use crate::config::{Config, Environment, RunMode};
use crate::domain::{ModelId, Region};
use crate::http::{Fault, FaultOrder, fault_switch};
use crate::inference::bedrock::CredentialsSource;

/// The time of a fast model, so that streaming can be seen.
const PACING: Pacing =
    Pacing { first_delta: Duration::from_millis(150), between_deltas: Duration::from_millis(12) };
/// How long the model server is looked for before the banner warns of it.
const LOOK_WITHIN: Duration = Duration::from_secs(2);

/// A real model for the simulator.
#[derive(Debug, Args)]
pub(super) struct LlmArgs {
    /// Let a real model write: where a server in the manner of OpenAI has its API.
    ///
    /// Ollama, llama.cpp, vLLM and others have one, such as http://127.0.0.1:11434/v1. If
    /// it wants an API key, put it into REDRAFT_LLM_API_KEY.
    #[arg(long, value_name = "URL", requires = "llm_model")]
    llm: Option<UpstreamUrl>,
    /// The name of the model at that server. It answers for every model of a chain.
    #[arg(long, value_name = "NAME", requires = "llm")]
    llm_model: Option<String>,
    /// Tokens that the model takes, prompt and answer together; longer texts are worked
    /// on in parts. The server must be set to at least as many.
    #[arg(long, value_name = "TOKENS", requires = "llm", default_value_t = 4096)]
    #[arg(value_parser = clap::value_parser!(u32).range(2048..=10_000_000))]
    llm_context: u32,
}

impl LlmArgs {
    pub(super) fn mode(&self) -> RunMode {
        match self.llm {
            None => RunMode::Demo,
            Some(_) => RunMode::DemoWithLlm { context_tokens: self.llm_context },
        }
    }

    /// Who writes in place of the simulator's own author.
    pub(super) fn upstream(self, environment: &Environment) -> Result<Option<Upstream>, &'static str> {
        let (Some(url), Some(model)) = (self.llm, self.llm_model) else { return Ok(None) };
        let api_key = match environment.llm_api_key() {
            None => None,
            Some(key) => Some(ApiKey::new(key).ok_or(
                "REDRAFT_LLM_API_KEY holds what no header can carry: blanks, or letters beyond ASCII",
            )?),
        };
        Ok(Some(Upstream { api_key, ..Upstream::new(url, model) }))
    }
}

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
/// When no loopback port can be bound, or what TLS to the model server needs is not there.
pub(super) async fn start_simulator(
    config: &mut Config,
    upstream: Option<&Upstream>,
) -> io::Result<Simulator> {
    let (author, pacing) = match upstream {
        None => (Author::Sentences, PACING),
        // It has a pace of its own.
        Some(upstream) => (Author::Upstream(upstream.clone()), Pacing::default()),
    };
    let sim = Sim::start(SimOptions { author, pacing, ..SimOptions::default() }).await?;
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
            if !order.stands() {
                continue;
            }
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

/// Who writes the answers, and what is wrong with them if it can be seen.
pub(super) async fn who_writes(upstream: Option<&Upstream>) -> String {
    let Some(upstream) = upstream else {
        return "Answers come from the simulator: it is no language model. It picks and\n\
                rearranges sentences of your own text, so that you can see the service work."
            .to_owned();
    };
    let Upstream { url, model, .. } = upstream;
    let told = format!(
        "Answers come from {model} at {url}\n\
         It writes for every model that a chain names, so the names of Bedrock's models\n\
         in answers say nothing of their prose, and costs are not known."
    );
    match upstream.problem(LOOK_WITHIN).await {
        None => told,
        Some(problem) => format!("{told}\n\nWARNING: {problem}\nRequests fail until that is put right."),
    }
}

/// What is printed when everything runs.
pub(super) fn banner(addresses: Addresses, simulator: &Simulator, who_writes: &str) -> String {
    let Addresses { public, ops } = addresses;
    let simulator = simulator.sim.endpoint_url();
    format!(
        r#"Redraft {version} is running, without AWS.

  Page       http://{public}/       open it in a browser
  API        http://{public}        (docs: /openapi.json)
  Metrics    http://{ops}/metrics
  Simulator  {simulator}  stands in for Bedrock

{who_writes}

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
