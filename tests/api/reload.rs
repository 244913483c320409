//! A configuration that changes while the service runs: what new requests go by,
//! what running ones keep, and what happens when the files do not hold.

mod watched;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bedrock_sim::{Scenario, Sim, SimOptions};
use redraft::app::{App, Reload};
use redraft::config;
use redraft::inference::bedrock::CredentialsSource;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::{interval, timeout};

use crate::logs::logged;
use crate::support::{TestApp, series, sources};
use crate::validation::assert_problem;

const TEXT: &str =
    "The ferry crosses the strait in 40 minutes. It carries 300 cars. It sails six times a day.";
const FIRST: &str = "us.amazon.nova-lite-v1:0";
const SECOND: &str = "us.amazon.nova-pro-v1:0";

/// Two models, of which the chain `main` asks one.
fn models(asked: &str, usd_per_million: u32) -> String {
    let entry = |id: &str| {
        format!(
            "[[model]]\nid = \"{id}\"\nname = \"A model\"\ncontext_tokens = 300000\nmax_output_tokens = 10000\naccepts_temperature = true\nusd_per_million_input = {usd_per_million}\nusd_per_million_output = {usd_per_million}\n"
        )
    };
    let uses = "[tasks]\nsummarize = \"main\"\nrephrase = \"main\"\nexpand = \"main\"\n[preference]\nspeed = \"main\"\ncapability = \"main\"\n";
    format!("{}{}[chains.main]\nstages = [\"{asked}\"]\n{uses}", entry(FIRST), entry(SECOND))
}

/// A settings file that names the models file beside it.
fn settings(more: &str) -> String {
    format!("[models]\nfile = \"models.toml\"\n{more}")
}

/// The files of one test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("redraft-reload-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// A service whose configuration can change.
struct Changing {
    app: TestApp,
    request: Arc<Notify>,
}

impl Changing {
    /// From the files `redraft.toml` and `models.toml` of a folder.
    async fn start(folder: &Folder) -> Self {
        folder.write("redraft.toml", &settings(""));
        folder.write("models.toml", &models(FIRST, 1));
        Self::from_file(&folder.path("redraft.toml")).await
    }

    async fn from_file(file: &Path) -> Self {
        let sim = Sim::start(SimOptions::default()).await.unwrap();
        let mut sources = sources(&[]);
        sources.file = Some(file.to_owned());
        let reading = config::read(&sources);
        let mut loaded = reading.outcome.unwrap_or_else(|problems| panic!("{problems}"));
        loaded.config.bedrock.credentials = CredentialsSource::Simulator;
        loaded.config.bedrock.endpoint_url = Some(sim.endpoint_url());
        let app = App::build(&loaded.config).await.unwrap();
        let reload = Reload::new(sources, loaded, reading.files);
        let request = reload.request();
        Self { app: TestApp::run(sim, app.reloading(reload)), request }
    }

    /// Asks for a reading, as SIGHUP does, and waits for its result.
    async fn read_again(&self, result: &str) {
        let before = self.reloads(result).await;
        self.request.notify_one();
        self.wait_for(result, before + 1.0).await;
    }

    async fn reloads(&self, result: &str) -> f64 {
        self.app.metric("redraft_config_reloads_total", &[("result", result)]).await
    }

    async fn wait_for(&self, result: &str, count: f64) {
        let counted = async {
            let mut looks = interval(Duration::from_millis(20));
            while self.reloads(result).await < count {
                looks.tick().await;
            }
        };
        timeout(Duration::from_secs(20), counted).await.unwrap_or_else(|_| panic!("{count} times {result}"));
    }

    async fn rejected(&self) -> f64 {
        self.app.metric("redraft_config_rejected", &[]).await
    }

    async fn summarize(&self) -> Value {
        self.app.post("/v1/summarize", json!({"text": TEXT})).send().await.json()
    }

    async fn end(self) {
        assert!(self.app.stop().await, "the reloading ends with the service");
    }
}

#[tokio::test]
async fn new_requests_use_the_new_chain_and_a_running_stream_ends_on_the_old_one() {
    let folder = Folder::new("chain");
    let service = Changing::start(&folder).await;
    let app = &service.app;
    app.sim.set_scenario(FIRST, Scenario::Trickle { gap_ms: 30 });
    let mut stream = app.post("/v1/rephrase?stream=sse", json!({"text": TEXT.repeat(4)})).open().await;
    stream.read_until(|text| text.contains("event: delta")).await;
    let calls = [("model", SECOND), ("outcome", "ok"), ("stage", "single")];
    assert_eq!(series(&app.metrics().await, "redraft_model_calls_total", &calls), None);

    folder.write("models.toml", &models(SECOND, 1));
    service.read_again("applied").await;
    assert_eq!(app.metric("redraft_model_calls_total", &calls).await, 0.0, "a new model is known at zero");
    assert_eq!(service.summarize().await["model"], SECOND);
    let shown = app.get("/v1/models").send().await.json();
    assert_eq!(shown["chains"][0]["models"], json!([SECOND]));

    let rest = stream.finish().await.text();
    let done = rest.lines().find(|line| line.contains("\"output_chars\"")).expect("the stream is done");
    assert!(done.contains(FIRST) && !rest.contains(SECOND), "{rest}");
    service.end().await;
}

#[tokio::test]
async fn an_end_of_life_is_shown_when_it_is_known_and_gone_with_its_model() {
    let folder = Folder::new("ends");
    let changing = Changing::start(&folder).await;
    let shown = async || {
        let text = changing.app.metrics().await;
        series(&text, "redraft_model_end_of_life_days", &[("model", FIRST)]).is_some()
    };
    assert!(!shown().await);
    let with_end = models(FIRST, 1).replacen("[[model]]", "[[model]]\nend_of_life = 2099-12-31", 1);
    folder.write("models.toml", &with_end);
    changing.read_again("applied").await;
    assert!(shown().await);
    folder.write("models.toml", &with_end.replace(&format!("[\"{FIRST}\"]"), &format!("[\"{SECOND}\"]")));
    changing.read_again("applied").await;
    assert!(!shown().await, "no chain names it");
}

#[tokio::test]
async fn a_region_that_a_new_chain_names_is_called_without_a_restart() {
    let folder = Folder::new("region");
    let service = Changing::start(&folder).await;
    let elsewhere = format!("{{ model = \"{SECOND}\", region = \"eu-west-3\" }}");
    folder.write(
        "models.toml",
        &models(FIRST, 1).replace(&format!("[\"{FIRST}\"]"), &format!("[{elsewhere}]")),
    );
    service.read_again("applied").await;
    let answer = service.summarize().await;
    assert_eq!(answer["model"], SECOND, "{answer}");
    service.end().await;
}

#[tokio::test]
async fn a_changed_price_is_the_price_of_the_next_answer() {
    let folder = Folder::new("price");
    let service = Changing::start(&folder).await;
    let costs = async |usd_per_million: f64| {
        let answer = service.summarize().await;
        let tokens = ["input_tokens", "output_tokens"].map(|kind| answer["usage"][kind].as_f64().unwrap());
        let expected = (tokens[0] + tokens[1]) * usd_per_million / 1e6;
        let cost = answer["cost"]["usd"].as_f64().unwrap();
        assert!((cost - expected).abs() < 1e-9, "{cost} USD for {tokens:?} tokens");
    };
    costs(1.0).await;
    folder.write("models.toml", &models(FIRST, 7));
    service.read_again("applied").await;
    costs(7.0).await;
    service.end().await;
}

#[tokio::test]
async fn changed_limits_and_clocks_hold_for_the_next_request() {
    let folder = Folder::new("limits");
    let service = Changing::start(&folder).await;
    let app = &service.app;
    folder.write("redraft.toml", &settings("[limits]\nmax_input_tokens = 5\n"));
    service.read_again("applied").await;
    let refused = app.post("/v1/summarize", json!({"text": TEXT})).send().await;
    assert_problem(&refused, 413, "input_too_large");
    let tasks = app.get("/v1/capabilities").send().await.json()["tasks"].clone();
    assert_eq!(tasks[0]["input_quota_tokens"], 5);

    folder.write("redraft.toml", &settings("[clocks]\nrequest_ms = 200\n"));
    service.read_again("applied").await;
    app.sim.set_scenario("*", Scenario::SlowHeaders { wait_ms: 600_000 });
    let late = app.post("/v1/summarize", json!({"text": TEXT})).send().await;
    assert_problem(&late, 504, "deadline_exceeded");
    folder.write("redraft.toml", &settings("[clocks]\nanswer_ms = 150\n"));
    service.read_again("applied").await;
    let late = app.post("/v1/summarize", json!({"text": TEXT})).send().await;
    assert_problem(&late, 504, "upstream_timeout");
    service.end().await;
}

#[tokio::test]
async fn changed_admission_holds_for_who_comes_and_leaves_who_runs_alone() {
    let folder = Folder::new("admission");
    let service = Changing::start(&folder).await;
    let app = &service.app;
    let admission =
        |running: u32| settings(&format!("[admission]\nmax_running = {running}\nmax_waiting = 0\n"));
    let summary = || app.post("/v1/summarize", json!({"text": TEXT}));
    app.sim.set_scenario("*", Scenario::SlowHeaders { wait_ms: 600_000 });
    let running = [tokio::spawn(summary().send()), tokio::spawn(summary().send())];
    app.call(|call| call.sequence == 2).await;
    app.sim.clear_scenarios();
    folder.write("redraft.toml", &admission(1));
    service.read_again("applied").await;
    assert_problem(&summary().send().await, 503, "overloaded");
    assert_eq!(app.metric("redraft_admission_inflight", &[]).await, 2.0, "those that run go on");
    folder.write("redraft.toml", &admission(3));
    service.read_again("applied").await;
    assert_eq!(summary().send().await.status, 200);
    running.iter().for_each(tokio::task::JoinHandle::abort);
    service.end().await;
}

#[tokio::test]
async fn a_chain_that_is_gone_is_a_problem_of_the_request_that_names_it() {
    let folder = Folder::new("gone");
    let service = Changing::start(&folder).await;
    let app = &service.app;
    let named = || app.post("/v1/summarize", json!({"text": TEXT, "chain": "extra"})).send();
    folder.write("models.toml", &format!("{}[chains.extra]\nstages = [\"{SECOND}\"]\n", models(FIRST, 1)));
    service.read_again("applied").await;
    assert_eq!(named().await.json()["model"], SECOND);
    folder.write("models.toml", &models(FIRST, 1));
    service.read_again("applied").await;
    let problem = assert_problem(&named().await, 422, "validation_failed");
    assert_eq!(problem["errors"][0]["pointer"], "/chain");
    assert_eq!(problem["errors"][0]["detail"], "There is no such chain. Chains: main.");
    service.end().await;
}

#[test]
fn files_that_do_not_hold_change_nothing_until_they_are_repaired() {
    let folder = Folder::new("broken");
    let log = logged("info", async {
        let service = Changing::start(&folder).await;
        assert_eq!(service.rejected().await, 0.0);
        // The sound half of a change is not applied either.
        folder.write("redraft.toml", &settings("[limits]\nmax_input_tokens = 5\n"));
        folder.write("models.toml", &models("us.amazon.nova-por-v1:0", 1));
        service.read_again("rejected").await;
        assert_eq!(service.rejected().await, 1.0);
        assert_eq!(service.summarize().await["model"], FIRST);
        folder.write("models.toml", &models(SECOND, 1));
        folder.write("redraft.toml", &settings("[limits]\nmax_input_tokens = 5000\n"));
        service.read_again("applied").await;
        assert_eq!(service.rejected().await, 0.0);
        assert_eq!(service.summarize().await["model"], SECOND);
        service.end().await;
    });
    let lines = log.lines();
    let told: Vec<&Value> = lines.iter().filter(|line| line["level"] == "ERROR").collect();
    assert_eq!(told.len(), 1, "one line: {told:?}");
    let problems = told[0]["problems"].as_str().unwrap();
    assert!(problems.starts_with("chains.main.stages[0] (file "), "{problems}");
    assert!(
        problems.ends_with(
            "no [[model]] has the id us.amazon.nova-por-v1:0, did you mean us.amazon.nova-pro-v1:0?"
        ),
        "{problems}"
    );
    let changed: Vec<&Value> =
        lines.iter().map(|line| &line["changed"]).filter(|names| !names.is_null()).collect();
    assert_eq!(changed, ["limits.max_input_tokens, chains.main"]);
}

#[test]
fn what_needs_a_restart_is_told_and_the_rest_applies() {
    let folder = Folder::new("restart");
    let log = logged("debug,hyper=off", async {
        let service = Changing::start(&folder).await;
        let more =
            "[http]\nmax_body_bytes = 1000\n[bedrock]\nendpoint_url = \"http://me:secret@127.0.0.1:1\"\n";
        folder.write("redraft.toml", &settings(more));
        service.read_again("unchanged").await;
        let both = format!("{more}[routing]\nmax_retries = 0\n");
        folder.write("redraft.toml", &settings(&both));
        service.read_again("applied").await;
        let limits = service.app.get("/v1/capabilities").send().await.json()["limits"].clone();
        assert_eq!(limits["max_body_bytes"], 4 * 1024 * 1024);
        assert_eq!(service.summarize().await["model"], FIRST, "the address of Bedrock is the old one");
        folder.write("redraft.toml", &settings(""));
        service.read_again("applied").await;
        service.read_again("unchanged").await;
        service.end().await;
    });
    let lines = log.lines();
    let named = |field: &str| -> Vec<&str> { lines.iter().filter_map(|line| line[field].as_str()).collect() };
    assert_eq!(named("settings"), ["http.max_body_bytes, bedrock.endpoint_url"; 2]);
    assert_eq!(named("changed"), ["routing.max_retries"; 2]);
    let unchanged = lines.iter().filter(|line| {
        line["level"] == "INFO" && line["message"].as_str().unwrap().contains("nothing has changed")
    });
    assert_eq!(unchanged.count(), 2);
    assert!(!log.text().contains("secret"), "no value is told");
}

#[tokio::test]
async fn many_requests_to_read_again_in_a_row_are_harmless() {
    let folder = Folder::new("many");
    let service = Changing::start(&folder).await;
    folder.write("models.toml", &models(SECOND, 1));
    for _ in 0..100 {
        service.request.notify_one();
        tokio::task::yield_now().await;
    }
    service.wait_for("applied", 1.0).await;
    service.read_again("unchanged").await;
    assert_eq!(service.reloads("applied").await, 1.0);
    assert_eq!(service.summarize().await["model"], SECOND);
    service.end().await;
}
