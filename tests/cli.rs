//! The binary as a newcomer meets it: subcommands, what they print, exit codes.

#[cfg(feature = "account-check")]
#[path = "cli/account_check.rs"]
mod account_check;
#[path = "cli/llm.rs"]
mod llm;
#[path = "cli/signals.rs"]
mod signals;

use std::io::{BufRead as _, BufReader, ErrorKind, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::Duration;

/// A command without the settings of whoever runs the tests.
fn redraft(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_redraft"));
    command.args(args).env_clear().env("PATH", "/usr/bin:/bin").env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

fn run(args: &[&str], variables: &[(&str, &str)]) -> Output {
    redraft(args).envs(variables.iter().copied()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn help_and_version_are_worth_reading() {
    let help = text(&run(&["--help"], &[]).stdout);
    for word in
        ["demo", "serve", "check-config", "models", "openapi", "healthcheck", "Exit codes", "no AWS account"]
    {
        assert!(help.contains(word), "{word}");
    }
    let version = text(&run(&["--version"], &[]).stdout);
    assert_eq!(version.trim(), concat!("redraft ", env!("CARGO_PKG_VERSION")));
    assert_eq!(run(&["brew"], &[]).status.code(), Some(2));
}

#[test]
fn check_config_prints_every_setting_with_its_origin() {
    let checked =
        run(&["check-config"], &[("REDRAFT__CLOCKS__IDLE_MS", "1234"), ("AWS_REGION", "eu-west-1")]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
    let printed = text(&checked.stdout);
    for line in
        ["clocks.idle_ms = 1234", "http.listen = \"127.0.0.1:8080\"", "bedrock.region = \"eu-west-1\""]
    {
        assert!(printed.contains(line), "{line} in\n{printed}");
    }
    assert!(printed.contains("REDRAFT__CLOCKS__IDLE_MS") && printed.contains("AWS_REGION"), "{printed}");
}

#[test]
fn check_config_lists_every_problem_and_hides_secrets() {
    let variables = [
        ("REDRAFT__CLOCKS__IDLE_MS", "soon"),
        ("REDRAFT__HTTP__LISTEN", "nowhere"),
        ("REDRAFT__HTTP__LISTN", "127.0.0.1:1"),
        ("AWS_BEARER_TOKEN_BEDROCK", "very-secret"),
    ];
    let checked = run(&["check-config"], &variables);
    assert_eq!(checked.status.code(), Some(2));
    let complaint = text(&checked.stderr);
    for key in ["clocks.idle_ms", "http.listen", "http.listn"] {
        assert!(complaint.contains(key), "{key} in\n{complaint}");
    }
    let good = run(&["check-config"], &[("AWS_BEARER_TOKEN_BEDROCK", "very-secret")]);
    assert!(!text(&good.stdout).contains("very-secret"));
}

#[test]
fn check_config_judges_tasks_with_their_file_line_and_key() {
    let folder = std::env::temp_dir().join(format!("redraft-cli-tasks-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let prompt = "description = \"Shouts.\"\nprompt = \'\'\'\nShout.\nLike {{ this }}.\n\'\'\'\n[answer]\n";
    std::fs::write(folder.join("shout.toml"), prompt).unwrap();
    let variables = [("REDRAFT__TASKS__FOLDER", folder.to_str().unwrap())];
    let checked = run(&["check-config"], &variables);
    assert_eq!(checked.status.code(), Some(2));
    let complaint = text(&checked.stderr);
    let file = folder.join("shout.toml").display().to_string();
    let at = format!("answer.tokens (file {file}:6): is missing, expected how long an answer is");
    assert!(complaint.contains(&at), "{complaint}");
    std::fs::write(folder.join("shout.toml"), format!("{prompt}tokens = 9\n")).unwrap();
    let complaint = text(&run(&["check-config"], &variables).stderr);
    let at = format!("prompt (file {file}:4): this is no member of the input, the input has no members");
    assert!(complaint.contains(&at), "{complaint}");
    std::fs::write(
        folder.join("shout.toml"),
        format!("{}tokens = 9\n", prompt.replace("{{ this }}", "this")),
    )
    .unwrap();
    let checked = run(&["check-config"], &variables);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
    assert!(text(&checked.stdout).contains(", refine, shout\n"), "{}", text(&checked.stdout));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn models_prints_the_catalogue_as_a_table_and_as_the_api_tells_it() {
    let printed = run(&["models"], &[]);
    assert_eq!(printed.status.code(), Some(0), "{}", text(&printed.stderr));
    let table = text(&printed.stdout);
    let cells = |start: &str| -> Vec<String> {
        let line = table.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start}"));
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
    };
    assert_eq!(
        cells("id "),
        ["id", "family", "context", "output", "$ in", "$ out", "cache", "tiers", "api", "ends", "chains"]
    );
    assert_eq!(
        cells("us.amazon.nova-pro-v1:0 "),
        [
            "us.amazon.nova-pro-v1:0",
            "nova",
            "300000",
            "10000",
            "0.8",
            "3.2",
            "0.2 0.8 from 1024",
            "flex x0.5, priority x1.75, optimized x1.25",
            "converse",
            "-",
            "capability"
        ]
    );
    let llama = cells("us.meta.llama3-3-70b");
    assert_eq!(&llama[6..], ["-", "-", "converse", "2027-03-30", "-"]);
    let json = text(&run(&["models", "--json"], &[]).stdout);
    let told: serde_json::Value = serde_json::from_str(&json).unwrap();
    let models = told["models"].as_array().unwrap();
    assert_eq!(table.lines().count(), models.len() + 3, "a line for each, headings, and what the units are");
    assert_eq!(told["tasks"][0]["chain"], "default");
    assert!(told.get("account").is_none());
    let broken = run(&["models"], &[("REDRAFT__MODELS__FILE", "/nowhere/models.toml")]);
    assert_eq!(broken.status.code(), Some(2));
}

#[cfg(not(feature = "account-check"))]
#[test]
fn a_build_that_cannot_ask_the_account_names_the_feature() {
    let refused = run(&["models", "--check"], &[]);
    assert_eq!((refused.status.code(), text(&refused.stdout).as_str()), (Some(2), ""));
    assert!(text(&refused.stderr).contains("--features account-check"), "{}", text(&refused.stderr));
}

#[test]
fn openapi_prints_the_checked_in_contract() {
    let printed = text(&run(&["openapi"], &[]).stdout);
    let checked_in = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.yaml")).unwrap();
    assert!(printed == checked_in, "openapi.yaml differs from `redraft openapi`");
}

/// A demo that runs, ended when it is dropped.
struct Demo {
    child: Child,
    banner: String,
    api: SocketAddr,
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended already, which is what the tests want.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

fn demo(variables: &[(&str, &str)]) -> Demo {
    demo_with(&[], variables)
}

fn demo_with(more: &[&str], variables: &[(&str, &str)]) -> Demo {
    let mut command = redraft(&[&["demo", "--listen", "127.0.0.1:0"], more].concat());
    command
        .envs(variables.iter().copied())
        .env("REDRAFT__OPS__LISTEN", "127.0.0.1:0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut banner = String::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    while !banner.contains("Ctrl-C") {
        assert!(lines.read_line(&mut banner).unwrap() > 0, "a banner: {banner}");
    }
    let line = banner.lines().find(|line| line.contains("API ")).unwrap();
    let address = line.split("http://").nth(1).unwrap().split_whitespace().next().unwrap();
    Demo { api: address.parse().unwrap(), banner, child }
}

fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_demo_says_what_it_is_and_its_examples_work_when_pasted() {
    let demo = demo(&[]);
    assert!(demo.banner.contains("no language model"), "{}", demo.banner);
    let examples: Vec<String> = demo
        .banner
        .replace("\\\n", " ")
        .lines()
        .filter(|line| line.contains("curl "))
        .map(str::to_owned)
        .collect();
    assert_eq!(examples.len(), 3, "one per task");
    for (example, path) in examples.iter().zip(["/v1/summarize", "/v1/rephrase", "/v1/expand"]) {
        assert!(example.contains(path));
        let body =
            example.split("-d '").nth(1).unwrap().trim_end().trim_end_matches('\'').replace("'\\''", "'");
        let answer = exchange(
            demo.api,
            &format!(
                "POST {path} HTTP/1.1\r\nhost: demo\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            ),
        );
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
    let healthy = run(&["healthcheck", "--address", &demo.api.to_string()], &[]);
    assert_eq!(healthy.status.code(), Some(0), "{}", text(&healthy.stderr));
}

#[test]
fn the_page_of_the_demo_can_make_the_first_model_fail() {
    let demo = demo(&[]);
    assert!(demo.banner.contains(&format!("http://{}/ ", demo.api)), "the page's address: {}", demo.banner);
    let send = |method: &str, path: &str, body: &str| {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: demo\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}",
            body.len()
        );
        exchange(demo.api, &format!("{head}\r\n\r\n{body}"))
    };
    assert!(send("GET", "/", "").contains("<title>Redraft playground</title>"));
    let run = || {
        let body = "{\"text\":\"The library opened on Monday. It holds 40,000 books and a hall for readers.\",\"on_failover\":\"restart\"}";
        send("POST", "/v1/rephrase?stream=sse", body)
    };
    for (fault, told) in [
        ("stall", "\"reason\":\"first_event_timeout\""),
        ("cut", "event: reset"),
        ("none", "\"fallback\":false"),
        // Last, because a model that was throttled is left alone for a moment.
        ("throttle", "\"reason\":\"throttled\""),
    ] {
        let set = send("PUT", "/playground/fault", &format!("{{\"fault\":\"{fault}\"}}"));
        assert!(set.starts_with("HTTP/1.1 200"), "{set}");
        assert!(send("GET", "/playground/fault", "").contains(&format!("\"fault\":\"{fault}\"")));
        let answer = run();
        assert!(answer.contains(told) && answer.contains("event: done"), "{fault}: {answer}");
    }
    for wrong in ["{\"fault\":\"burn\"}", "{}", "{\"fault\":\"cut\",\"model\":\"x\"}"] {
        assert!(send("PUT", "/playground/fault", wrong).starts_with("HTTP/1.1 422"), "{wrong}");
    }
}

/// Reads what is there. A machine that was paused in between interrupts a read with a time limit.
fn read_some(stream: &mut impl Read, piece: &mut [u8]) -> usize {
    loop {
        match stream.read(piece) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read.unwrap(),
        }
    }
}

#[test]
fn an_address_that_is_taken_is_a_clear_message() {
    let demo = demo(&[]);
    let taken = demo.api.to_string();
    let second = run(&["demo", "--listen", &taken], &[("REDRAFT__OPS__LISTEN", "127.0.0.1:0")]);
    assert_eq!(second.status.code(), Some(1));
    let complaint = text(&second.stderr);
    assert!(complaint.contains(&taken) && complaint.contains("--listen"), "{complaint}");
}

/// A service that runs, ended when it is dropped.
struct Service {
    child: Child,
    api: SocketAddr,
    log: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

fn serve(variables: &[(&str, &str)]) -> Service {
    serve_with(&[], variables).0
}

/// A service with more arguments, and its log from where it is up.
fn serve_with(more: &[&str], variables: &[(&str, &str)]) -> (Service, BufReader<ChildStderr>) {
    let mut command = redraft(&[&["serve", "--listen", "127.0.0.1:0"], more].concat());
    command
        .env("REDRAFT__OPS__LISTEN", "127.0.0.1:0")
        .env("HOME", "/nonexistent")
        .envs(variables.iter().copied());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = String::new();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    while !log.contains("not ready") {
        assert!(lines.read_line(&mut log).unwrap() > 0, "a log line: {log}");
    }
    let listening = log.lines().find(|line| line.contains("redraft is listening")).unwrap();
    let api = listening.split("\"api\":\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
    (Service { child, api, log }, lines)
}

fn send(signal: &str, child: &Child) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn without_region_or_credentials_it_starts_is_not_ready_and_says_what_to_set() {
    for (variables, advice) in
        [(&[][..], "AWS_REGION"), (&[("AWS_REGION", "us-east-1")][..], "AWS_ACCESS_KEY_ID")]
    {
        let service = serve(variables);
        assert!(service.log.contains(advice), "{}", service.log);
        let get = |path: &str| {
            exchange(service.api, &format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"))
        };
        let ready = get("/readyz");
        assert!(ready.starts_with("HTTP/1.1 503") && ready.contains(advice), "{ready}");
        assert!(get("/livez").starts_with("HTTP/1.1 200"));
        let body = "{\"text\":\"a b.\"}";
        let started = std::time::SystemTime::now();
        let answer = exchange(
            service.api,
            &format!(
                "POST /v1/summarize HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            ),
        );
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("all_models_unavailable"), "{answer}");
        assert!(
            started.elapsed().unwrap() < Duration::from_secs(1),
            "it does not search for credentials each time"
        );
    }
}
