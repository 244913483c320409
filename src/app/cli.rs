//! The command line: subcommands, what they print, and exit codes.
//!
//! Exit codes: 0 all went well, a drain included; 1 the command could not do its
//! work; 2 the command line or the configuration is wrong; 130 and 143 a second
//! signal (SIGINT, SIGTERM) ended the service at once, as shells count signals.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use bedrock_sim::Upstream;
use clap::{Args, Parser, Subcommand};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::models::CheckError;
use super::signals::Signals;
use super::{App, Reload, demo, healthcheck, models};
use crate::config::{self, Environment, Loaded, Problems, Reading, RunMode, Sources};
use crate::{documents, http, telemetry};

/// Turns text into better text on AWS Bedrock: summarize, rephrase, expand, generate, refine.
#[derive(Debug, Parser)]
#[command(
    name = "redraft",
    version,
    after_help = "Start with `redraft demo`: it needs no AWS account.\n\n\
        Settings come from the built-in defaults, then --config FILE, then environment\n\
        variables (REDRAFT__SECTION__KEY), then flags. `redraft check-config` shows them\n\
        all and where each came from.\n\n\
        SIGTERM or SIGINT asks a running service to stop: open requests may end first.\n\
        A second signal ends it at once.\n\n\
        Exit codes: 0 all went well; 1 the command could not do its work; 2 the command\n\
        line or the configuration is wrong; 130 or 143 a second SIGINT or SIGTERM ended\n\
        the service at once."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything on this machine with a simulator instead of AWS.
    Demo(DemoArgs),
    /// Run the service against AWS Bedrock.
    ///
    /// Needs AWS_REGION and credentials from the usual AWS places (environment, profile,
    /// role). Without them it starts, is not ready (/readyz), and says what to set.
    Serve(ServeArgs),
    /// Load the configuration, print every setting with its origin, and exit.
    CheckConfig(ConfigArgs),
    /// Print the catalogue: models, what they can do and cost, and who uses them.
    ///
    /// With --check, the account is asked which of them it can call; that needs a build
    /// with the feature account-check. Exit code 1 when a chain names one that it cannot.
    Models(ModelsArgs),
    /// Print the API's contract as OpenAPI 3.1 in YAML.
    Openapi,
    /// Ask a running instance whether it is ready: exit code 0 or 1.
    Healthcheck(HealthcheckArgs),
    /// Read one document from standard input; started by the service itself.
    #[command(name = documents::SUBCOMMAND, hide = true)]
    Extract {
        #[arg(allow_hyphen_values = true)]
        job: Vec<OsString>,
    },
}

#[derive(Debug, Args)]
struct DemoArgs {
    /// Address of the API.
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    #[command(flatten)]
    llm: demo::LlmArgs,
}

#[derive(Debug, Args)]
struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Address of the API; overrides every other source.
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
}

#[derive(Debug, Args)]
struct ConfigArgs {
    /// A TOML file with settings that differ from the defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ModelsArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Print JSON, as `GET /v1/models` answers.
    #[arg(long)]
    json: bool,
    /// Compare with what the account is offered.
    #[arg(long)]
    check: bool,
}

#[derive(Debug, Args)]
struct HealthcheckArgs {
    /// Address to ask; the configured API address when not given.
    #[arg(long, value_name = "ADDR")]
    address: Option<SocketAddr>,
}

const DONE: u8 = 0;
const FAILED: u8 = 1;
const MISUSED: u8 = 2;
/// What shells add to the number of the signal that ended a process.
const SIGNALLED: u8 = 128;

/// The process cannot even begin.
pub fn no_runtime(error: &io::Error) -> ExitCode {
    complain(&format!("cannot start threads: {error}"));
    ExitCode::from(FAILED)
}

/// Runs the command that must have no runtime around it, if it was asked for.
pub fn run_alone(cli: &Cli) -> Option<ExitCode> {
    match &cli.command {
        Command::Extract { job } => Some(ExitCode::from(documents::run_child(job))),
        _ => None,
    }
}

/// Runs the command to its end.
pub async fn run(cli: Cli) -> ExitCode {
    ExitCode::from(match cli.command {
        Command::Demo(args) => run_demo(args).await,
        Command::Serve(args) => serve(sources(RunMode::Serve, args.config.config, args.listen), None).await,
        Command::CheckConfig(args) => check_config(&sources(RunMode::Serve, args.config, None)),
        Command::Models(args) => list_models(args).await,
        Command::Openapi => print(&http::openapi::yaml(&config::built_in_tasks())),
        Command::Healthcheck(args) => check_health(args.address).await,
        // It has run alone.
        Command::Extract { .. } => MISUSED,
    })
}

fn sources(mode: RunMode, file: Option<PathBuf>, listen: Option<String>) -> Sources {
    Sources { mode, file, listen, environment: Environment::of_process() }
}

fn load(sources: &Sources) -> Result<Loaded, u8> {
    judged(config::load(sources))
}

fn judged(outcome: Result<Loaded, Problems>) -> Result<Loaded, u8> {
    outcome.map_err(|problems| {
        complain(&format!("the configuration has problems:\n{problems}"));
        MISUSED
    })
}

fn check_config(sources: &Sources) -> u8 {
    match load(sources) {
        Ok(loaded) => print(&config::describe(&loaded)),
        Err(code) => code,
    }
}

async fn list_models(args: ModelsArgs) -> u8 {
    let loaded = match load(&sources(RunMode::Serve, args.config.config, None)) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let listing = if args.check {
        models::checked(&loaded.config, args.json).await
    } else {
        Ok(models::listing(&loaded.config.catalogue, args.json))
    };
    match listing {
        Ok(listing) if listing.a_chain_fails => {
            print(&listing.text);
            FAILED
        }
        Ok(listing) => print(&listing.text),
        Err(CheckError::NotInThisBuild) => {
            complain(
                "models --check is not in this build: it needs the feature account-check (cargo build --features account-check)",
            );
            MISUSED
        }
        Err(CheckError::Asking(problem)) => {
            complain(&format!("cannot ask the account: {problem}"));
            FAILED
        }
    }
}

async fn check_health(address: Option<SocketAddr>) -> u8 {
    let address = match address {
        Some(address) => address,
        None => match load(&sources(RunMode::Serve, None, None)) {
            Ok(loaded) => loaded.config.listen,
            Err(code) => return code,
        },
    };
    match healthcheck::ask(reachable(address)).await {
        Ok(()) => DONE,
        Err(problem) => {
            complain(&problem);
            FAILED
        }
    }
}

/// A server on all addresses is asked on the loopback one.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let loopback = match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        };
        address.set_ip(loopback);
    }
    address
}

async fn run_demo(args: DemoArgs) -> u8 {
    let sources = sources(args.llm.mode(), None, args.listen);
    match args.llm.upstream(&sources.environment) {
        Ok(upstream) => serve(sources, upstream).await,
        Err(problem) => {
            complain(problem);
            MISUSED
        }
    }
}

/// `upstream`: who writes in place of a demo's simulator.
async fn serve(sources: Sources, upstream: Option<Upstream>) -> u8 {
    // Before anything else, so that no signal meets its default action, which ends the process.
    let mut signals = match Signals::catch() {
        Ok(signals) => signals,
        Err(error) => {
            complain(&format!("cannot watch for signals: {error}"));
            return FAILED;
        }
    };
    let (Reading { outcome, files }, sources) = match read_unless_ended(sources, &mut signals).await {
        Ok(read) => read,
        Err(code) => return code,
    };
    let mut loaded = match judged(outcome) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let log = &loaded.config.log;
    match telemetry::subscriber(log, io::stderr, io::stderr().is_terminal()) {
        Ok(subscriber) => {
            tracing::subscriber::set_global_default(subscriber).expect("it is set once, here");
        }
        Err(problem) => {
            complain(&format!("log.level: {problem}"));
            return MISUSED;
        }
    }
    std::panic::set_hook(Box::new(tell_where));
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let mut simulator = match sources.mode {
        RunMode::Serve => None,
        RunMode::Demo | RunMode::DemoWithLlm { .. } => {
            match demo::start_simulator(&mut loaded.config, upstream.as_ref()).await {
                Ok(simulator) => Some(simulator),
                Err(error) => {
                    complain(&format!("cannot start the simulator: {error}"));
                    return FAILED;
                }
            }
        }
    };
    let app = match App::build(&loaded.config).await {
        Ok(app) => app,
        Err(error) => {
            complain(&format!(
                "{error}\nChoose other addresses with --listen (API) and REDRAFT__OPS__LISTEN (metrics)."
            ));
            return FAILED;
        }
    };
    let addresses = match app.addresses() {
        Ok(addresses) => addresses,
        Err(error) => {
            complain(&error.to_string());
            return FAILED;
        }
    };
    match &simulator {
        Some(simulator) => {
            let who_writes = demo::who_writes(upstream.as_ref()).await;
            print(&demo::banner(addresses, simulator, &who_writes));
        }
        None => {
            tracing::info!(api = %addresses.public, ops = %addresses.ops, version = env!("CARGO_PKG_VERSION"), "redraft is listening");
            if let Some(problem) = app.problem() {
                tracing::error!("not ready: {problem}");
            }
        }
    }
    let reload = Reload::new(sources, loaded, files);
    let reload_request = reload.request();
    let obeying = async {
        if let Some(simulator) = &mut simulator {
            simulator.obey().await;
        }
        std::future::pending().await
    };
    tokio::select! {
        code = run_until_told(app.reloading(reload), signals, &reload_request) => code,
        code = obeying => code,
    }
}

/// Reads the configuration. A pipe that nobody writes to, or a disk that hangs, must
/// not keep a signal from ending the process.
async fn read_unless_ended(sources: Sources, signals: &mut Signals) -> Result<(Reading, Sources), u8> {
    let reading = tokio::task::spawn_blocking(move || (config::read(&sources), sources));
    tokio::select! {
        // What panicked has said so.
        read = reading => read.map_err(|_panicked| FAILED),
        signal = signals.end() => Err(SIGNALLED + signal),
    }
}

async fn run_until_told(app: App, signals: Signals, reload_request: &Notify) -> u8 {
    let stop = CancellationToken::new();
    tokio::select! {
        drained = app.run(stop.clone()) => {
            if drained {
                tracing::info!("stopped: every open request had ended");
            } else {
                tracing::warn!("stopped: the drain time was over and open requests were cut");
            }
            DONE
        }
        signal = signals.watch(stop, reload_request) => {
            tracing::warn!("a second signal ended the service at once");
            SIGNALLED + signal
        }
    }
}

/// A panic's own text can quote what was worked on, so only the place is logged.
fn tell_where(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map_or_else(|| "unknown".to_owned(), ToString::to_string);
    tracing::error!(place, "a defect: the code panicked");
}

fn print(text: &str) -> u8 {
    let mut out = io::stdout().lock();
    // A closed pipe (`redraft openapi | head`) is the reader's choice, not a failure.
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => DONE,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => DONE,
        Err(_) => FAILED,
    }
}

fn complain(text: &str) {
    // Nothing is left to try when standard error is gone.
    let _written = writeln!(io::stderr(), "redraft: {text}");
}
