//! The program `bedrock-sim`: starts one simulator and says how to point clients at it.
//!
//! Owns the command line and the signals that end the program. Everything else is the library's.
//! The one rule it protects: it ends on SIGTERM and on Ctrl-C, and leaves nothing behind.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use bedrock_sim::{Pacing, Sim, SimOptions, TlsIdentity};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

/// A simulator of the AWS Bedrock Runtime wire. Its answers come from the text in the prompt: it
/// is no model.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The address to listen on; port 0 takes a free port.
    #[arg(long, default_value = "127.0.0.1:9911")]
    listen: SocketAddr,
    /// Milliseconds from a request to the first text delta.
    #[arg(long, default_value_t = 0)]
    first_delta_ms: u64,
    /// Milliseconds between two text deltas.
    #[arg(long, default_value_t = 0)]
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
    let sim = Sim::start(SimOptions {
        listen: arguments.listen,
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
    println!("{}", greeting(&sim.endpoint_url()));
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

fn greeting(endpoint: &str) -> String {
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
         It is no model: it answers from the text in the prompt. Signatures are not verified."
    )
}
