//! The program `bedrock-sim`: starts one simulator and says how to point clients at it.
//!
//! Owns the command line and the signals that end the program. Everything else is the library's.
//! The one rule it protects: it ends on SIGTERM and on Ctrl-C, and leaves nothing behind.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use bedrock_sim::{ApiKey, Author, Pacing, Sim, SimOptions, TlsIdentity, Upstream, UpstreamUrl};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

/// Holds what the server of --llm wants to be shown.
const LLM_API_KEY: &str = "BEDROCK_SIM_LLM_API_KEY";
/// How long the server of --llm is looked for before it is warned of.
const LOOK_WITHIN: Duration = Duration::from_secs(2);

/// A simulator of the AWS Bedrock Runtime wire. Its answers come from the text in the prompt: it
/// is no model, unless --llm names the server of one.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The address to listen on; port 0 takes a free port.
    #[arg(long, default_value = "127.0.0.1:9911")]
    listen: SocketAddr,
    /// Let a real model write the answers: where a server of chat completions in the manner of
    /// OpenAI (Ollama, llama.cpp, vLLM) has its API, such as http://127.0.0.1:11434/v1. A key for it
    /// is taken from BEDROCK_SIM_LLM_API_KEY.
    #[arg(long, value_name = "URL", requires = "llm_model")]
    llm: Option<UpstreamUrl>,
    /// The name of the model at that server. It answers for every model id.
    #[arg(long, value_name = "NAME", requires = "llm")]
    llm_model: Option<String>,
    /// Milliseconds from a request to the first text delta.
    #[arg(long, default_value_t = 0, conflicts_with = "llm")]
    first_delta_ms: u64,
    /// Milliseconds between two text deltas.
    #[arg(long, default_value_t = 0, conflicts_with = "llm")]
    between_deltas_ms: u64,
    /// Send frames that are ready together in one piece, instead of pieces of random size.
    #[arg(long)]
    whole_frames: bool,
    /// How many calls the log keeps.
    #[arg(long, default_value_t = 10_000)]
    log_capacity: usize,
    /// A PEM file with the certificate chain to speak TLS with; needs --tls-key.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// A PEM file with the certificate's key; needs --tls-certificate.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Requests at once on one HTTP/2 connection.
    #[arg(long, default_value_t = 128)]
    max_concurrent_streams: u32,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bedrock-sim: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> std::io::Result<()> {
    // Taken first, so that a signal that comes early is not lost.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let tls = match (&arguments.tls_certificate, &arguments.tls_key) {
        (Some(chain), Some(key)) => Some(TlsIdentity::from_pem(read(chain)?, read(key)?)),
        _ => None,
    };
    let upstream = match (arguments.llm, arguments.llm_model) {
        (Some(url), Some(model)) => Some(Upstream { api_key: api_key()?, ..Upstream::new(url, model) }),
        _ => None,
    };
    let author = upstream.clone().map_or(Author::Sentences, Author::Upstream);
    let sim = Sim::start(SimOptions {
        listen: arguments.listen,
        author,
        pacing: Pacing {
            first_delta: Duration::from_millis(arguments.first_delta_ms),
            between_deltas: Duration::from_millis(arguments.between_deltas_ms),
        },
        split_frames: !arguments.whole_frames,
        log_capacity: arguments.log_capacity,
        tls,
        max_concurrent_streams: arguments.max_concurrent_streams,
    })
    .await?;
    println!("{}", greeting(&sim.endpoint_url(), upstream.as_ref()));
    if let Some(upstream) = &upstream {
        tokio::select! {
            problem = upstream.problem(LOOK_WITHIN) => {
                if let Some(problem) = problem {
                    eprintln!("bedrock-sim: {problem}");
                }
            }
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
        }
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    sim.stop().await;
    Ok(())
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    std::fs::read(path)
        .map_err(|error| std::io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

#[expect(clippy::disallowed_methods, reason = "it is main that reads it")]
fn api_key() -> std::io::Result<Option<ApiKey>> {
    let Ok(key) = std::env::var(LLM_API_KEY) else { return Ok(None) };
    if key.trim().is_empty() {
        return Ok(None);
    }
    let unfit = || {
        let message =
            format!("{LLM_API_KEY} holds what no header can carry: blanks, or letters beyond ASCII");
        std::io::Error::new(std::io::ErrorKind::InvalidInput, message)
    };
    ApiKey::new(&key).ok_or_else(unfit).map(Some)
}

fn greeting(endpoint: &str, upstream: Option<&Upstream>) -> String {
    let who_writes = match upstream {
        None => "It is no model: it answers from the text in the prompt.".to_owned(),
        Some(Upstream { url, model, .. }) => {
            format!("It is no model, but lets one write: {model} at {url} answers for every model id.")
        }
    };
    format!(
        "bedrock-sim listens on {endpoint}\n\
         \n\
         Point any AWS SDK or the CLI at it with\n\
         \x20 export AWS_ENDPOINT_URL_BEDROCK_RUNTIME={endpoint}\n\
         \x20 export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any\n\
         \n\
         boto3:  boto3.client(\"bedrock-runtime\", endpoint_url=\"{endpoint}\")\n\
         CLI:    aws bedrock-runtime converse --model-id us.amazon.nova-micro-v1:0 \\\n\
         \x20         --messages '[{{\"role\":\"user\",\"content\":[{{\"text\":\"Hello.\"}}]}}]'\n\
         Faults: use a model id such as sim.throttling, or see {endpoint}/_sim/scenarios\n\
         Calls:  {endpoint}/_sim/calls\n\
         \n\
         {who_writes} Signatures are not verified."
    )
}
