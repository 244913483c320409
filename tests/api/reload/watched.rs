//! Files that change while the service runs, without anybody asking it to look.

use super::{Changing, FIRST, Folder, SECOND, TEXT, models, settings};
use crate::support::series;
use crate::validation::assert_problem;
use bedrock_sim::Scenario;
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

#[tokio::test]
async fn a_file_that_is_replaced_is_read_without_being_asked() {
    let folder = Folder::new("replaced");
    let service = Changing::start(&folder).await;
    folder.write("new.toml", &models(SECOND, 1));
    fs::rename(folder.path("new.toml"), folder.path("models.toml")).unwrap();
    service.wait_for("applied", 1.0).await;
    assert_eq!(service.summarize().await["model"], SECOND);
    fs::remove_file(folder.path("redraft.toml")).unwrap();
    service.wait_for("rejected", 1.0).await;
    assert_eq!(service.summarize().await["model"], SECOND);
    folder.write("redraft.toml", &settings("[limits]\nmax_input_tokens = 5\n"));
    service.wait_for("applied", 2.0).await;
    service.end().await;
}

#[tokio::test]
async fn a_folder_that_is_swapped_behind_links_is_read_without_being_asked() {
    // As Kubernetes updates a ConfigMap: files are links through `..data`, which is replaced.
    let folder = Folder::new("swapped");
    for (version, asked) in [("v1", FIRST), ("v2", SECOND)] {
        fs::create_dir(folder.path(version)).unwrap();
        folder.write(&format!("{version}/redraft.toml"), &settings(""));
        folder.write(&format!("{version}/models.toml"), &models(asked, 1));
    }
    symlink("v1", folder.path("..data")).unwrap();
    for name in ["redraft.toml", "models.toml"] {
        symlink(Path::new("..data").join(name), folder.path(name)).unwrap();
    }
    let service = Changing::from_file(&folder.path("redraft.toml")).await;
    assert_eq!(service.summarize().await["model"], FIRST);
    symlink("v2", folder.path("..data_new")).unwrap();
    fs::rename(folder.path("..data_new"), folder.path("..data")).unwrap();
    fs::remove_dir_all(folder.path("v1")).unwrap();
    service.wait_for("applied", 1.0).await;
    assert_eq!(service.summarize().await["model"], SECOND);
    assert_eq!(service.reloads("rejected").await, 0.0);
    service.end().await;
}

#[tokio::test]
async fn a_half_written_file_does_no_harm_and_its_end_is_awaited() {
    let folder = Folder::new("half");
    let service = Changing::start(&folder).await;
    let whole = models(SECOND, 1);
    let (half, rest) = whole.split_at(whole.find("[chains.main]").unwrap());
    folder.write("models.toml", half);
    service.wait_for("rejected", 1.0).await;
    assert_eq!(service.rejected().await, 1.0);
    assert_eq!(service.summarize().await["model"], FIRST);
    folder.write("models.toml", &format!("{half}{rest}"));
    service.wait_for("applied", 1.0).await;
    assert_eq!(service.rejected().await, 0.0);
    assert_eq!(service.summarize().await["model"], SECOND);
    service.end().await;
}

/// A task that makes one line of a text.
const SHORTEN: &str =
    "description = \"One line.\"\nprompt = \"Shorten the document.\"\n[answer]\ntokens = 60\n";

#[tokio::test]
async fn tasks_come_change_and_go_by_their_files_while_the_service_runs() {
    let folder = Folder::new("tasks");
    let tasks = folder.path("tasks");
    fs::create_dir(&tasks).unwrap();
    folder.write("redraft.toml", &settings("[tasks]\nfolder = \"tasks\"\n"));
    folder.write("models.toml", &models(FIRST, 1));
    let service = Changing::from_file(&folder.path("redraft.toml")).await;
    let app = &service.app;
    let shorten = async |stream: &str| {
        app.post(&format!("/v1/tasks/shorten{stream}"), json!({"text": TEXT})).send().await
    };
    let problem = assert_problem(&shorten("").await, 404, "not_found");
    assert_eq!(problem["detail"], "There is no task of this name: this service has none under `/v1/tasks`.");

    let in_contract = async || {
        let contract = app.get("/openapi.json").send().await.json();
        contract["paths"]["/v1/tasks/shorten"].is_object()
    };
    assert!(!in_contract().await);

    // The watch sees a new file of the folder by itself.
    fs::write(tasks.join("shorten.toml"), SHORTEN).unwrap();
    service.wait_for("applied", 1.0).await;
    let requests = [("task", "shorten"), ("stream", "json"), ("outcome", "ok"), ("error", ""), ("api", "v1")];
    let counted = async || series(&app.metrics().await, "redraft_requests_total", &requests);
    assert_eq!(counted().await, Some(0.0), "a new task is known at zero");
    let answer = shorten("").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["task"]), (200, &json!("shorten")));
    assert_eq!(counted().await, Some(1.0));
    assert!(in_contract().await, "the contract follows");
    let told = app.get("/v1/capabilities").send().await.text();
    assert!(told.contains("/v1/tasks/shorten") && !told.contains("/v1/tasks/translate"));

    // A stream that runs keeps the task it began with.
    app.sim.set_scenario(FIRST, Scenario::Trickle { gap_ms: 30 });
    let request = app.post("/v1/tasks/shorten?stream=sse", json!({"text": TEXT}));
    let mut stream = request.open().await;
    stream.read_until(|text| text.contains("event: delta")).await;
    fs::write(tasks.join("shorten.toml"), SHORTEN.replace("[answer]", "[anwser]")).unwrap();
    service.read_again("rejected").await;
    assert_eq!(service.rejected().await, 1.0);
    assert_eq!(shorten("").await.status, 200, "the task before stays");
    fs::write(tasks.join("shorten.toml"), SHORTEN.replace("Shorten", "Sum up")).unwrap();
    service.read_again("applied").await;
    app.sim.clear_calls();
    assert_eq!(shorten("").await.status, 200);
    let system = app.sim.calls()[0].request()["system"][0]["text"].as_str().unwrap().to_owned();
    assert!(system.starts_with("Sum up the document."), "{system}");
    fs::remove_file(tasks.join("shorten.toml")).unwrap();
    service.read_again("applied").await;
    assert_problem(&shorten("").await, 404, "not_found");
    assert!(!in_contract().await, "the contract follows");
    assert!(stream.finish().await.text().contains("event: done"));
    service.end().await;
}
