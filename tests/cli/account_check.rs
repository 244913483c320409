//! `redraft models --check` against a control plane on loopback: what is asked, what
//! is told, and the exit code.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::{run, text};

/// Answers as the control plane of Bedrock does, and remembers what it was asked.
struct ControlPlane {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl ControlPlane {
    /// `answer` makes a status and a body of a path with its query.
    fn start(answer: fn(&str) -> (u16, Value)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let remembered = Arc::clone(&asked);
        // It ends with the process of the test.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let path = path_of(stream.as_ref().unwrap());
                let (status, body) = answer(&path);
                remembered.lock().unwrap().push(path);
                let (body, code) = (body.to_string(), body["code"].as_str().unwrap_or_default().to_owned());
                let head = format!(
                    "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\nx-amzn-errortype: {code}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                stream.unwrap().write_all(format!("{head}{body}").as_bytes()).unwrap();
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// Runs `redraft models --check` on these models.
    fn check(&self, name: &str, models: &str, more: &[&str]) -> Output {
        let file = std::env::temp_dir().join(format!("redraft-check-{}-{name}.toml", std::process::id()));
        std::fs::write(&file, models).unwrap();
        let variables = [
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_ENDPOINT_URL_BEDROCK", &self.url),
            ("REDRAFT__MODELS__FILE", file.to_str().unwrap()),
        ];
        let output = run(&[&["models", "--check"], more].concat(), &variables);
        std::fs::remove_file(&file).unwrap();
        output
    }
}

fn path_of(mut stream: &TcpStream) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a whole head");
        head.push(byte[0]);
    }
    text(&head).split(' ').nth(1).unwrap().to_owned()
}

const OURS: &str = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6";

/// A catalogue whose chain asks these, and that knows one more.
fn models(stages: &[&str]) -> String {
    let entry = |id: &str| {
        format!(
            "[[model]]\nid = \"{id}\"\nname = \"A model\"\ncontext_tokens = 100000\nmax_output_tokens = 1000\naccepts_temperature = true\n"
        )
    };
    let entries: String = stages.iter().chain(&["a.spare"]).map(|id| entry(id)).collect();
    let uses = "[tasks]\nsummarize = \"main\"\nrephrase = \"main\"\nexpand = \"main\"\n[preference]\nspeed = \"main\"\ncapability = \"main\"\n";
    format!("{entries}[chains.main]\nstages = {stages:?}\n{uses}")
}

fn lists(path: &str) -> (u16, Value) {
    let model = |id: &str, inference: &str, more: Value| {
        let mut model = json!({
            "modelId": id,
            "modelArn": format!("arn:aws:bedrock:us-east-1::foundation-model/{id}"),
            "responseStreamingSupported": true,
            "inferenceTypesSupported": [inference],
            "modelLifecycle": { "status": "ACTIVE" },
        });
        model.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        model
    };
    let profile = |id: &str, leads_to: &str| {
        json!({
            "inferenceProfileId": id,
            "inferenceProfileName": id,
            "inferenceProfileArn": format!("arn:aws:bedrock:us-east-1:123456789012:inference-profile/{id}"),
            "models": [
                { "modelArn": format!("arn:aws:bedrock:us-east-1::foundation-model/{leads_to}") },
                { "modelArn": format!("arn:aws:bedrock:us-west-2::foundation-model/{leads_to}") },
            ],
            "status": "ACTIVE",
            "type": "SYSTEM_DEFINED",
        })
    };
    let legacy = json!({
        "modelLifecycle": { "status": "LEGACY", "legacyTime": "2026-10-01T00:00:00Z", "endOfLifeTime": "2099-03-30T00:00:00Z" },
        "responseStreamingSupported": false,
    });
    match path {
        "/foundation-models" => {
            let all = [
                model("a.open", "ON_DEMAND", json!({})),
                model("a.behind", "INFERENCE_PROFILE", json!({})),
                model("a.old", "ON_DEMAND", legacy),
            ];
            (200, json!({ "modelSummaries": all }))
        }
        path if path.starts_with("/inference-profiles?") && !path.contains("nextToken") => {
            let first = [profile("global.a.behind", "a.behind")];
            (200, json!({ "inferenceProfileSummaries": first, "nextToken": "more" }))
        }
        path if path.starts_with("/inference-profiles?") => {
            (200, json!({ "inferenceProfileSummaries": [profile("us.a.behind", "a.behind")] }))
        }
        path if path.contains("application-inference-profile") => {
            let mut found = profile("a1b2c3d4e5f6", "a.behind");
            found["type"] = json!("APPLICATION");
            (200, found)
        }
        other => panic!("{other}"),
    }
}

#[test]
fn models_that_can_be_called_are_ok_and_hints_fail_nothing() {
    let plane = ControlPlane::start(lists);
    let checked = plane.check("ok", &models(&["a.open", "us.a.behind", OURS, "a.old"]), &[]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
    let printed = text(&checked.stdout);
    assert_eq!(
        printed.lines().collect::<Vec<_>>(),
        [
            "a.old in us-east-1 (chain main): legacy since 2026-10-01; streaming differs: it does not stream, and the catalogue says it does; end of life differs: 2099-03-30, and none in the catalogue",
            "a.open in us-east-1 (chain main): ok",
            "a.spare in us-east-1: not offered in this region",
            "application-inference-profile/a1b2c3d4e5f6 in us-east-1 (chain main): ok",
            "us.a.behind in us-east-1 (chain main): ok",
        ]
    );
    let asked = plane.asked();
    assert_eq!(asked.len(), 4, "each list once, its second page, and one profile: {asked:?}");
}

#[test]
fn a_chain_that_names_what_cannot_be_called_is_exit_code_1() {
    let plane = ControlPlane::start(lists);
    for (name, stage, told) in [
        ("gone", "a.gone", "a.gone in us-east-1 (chain main): not offered in this region"),
        (
            "bare",
            "a.behind",
            "a.behind in us-east-1 (chain main): needs a profile: global.a.behind, us.a.behind",
        ),
    ] {
        let checked = plane.check(name, &models(&["a.open", stage]), &[]);
        assert_eq!(checked.status.code(), Some(1), "{name}");
        let printed = text(&checked.stdout);
        assert!(printed.lines().any(|line| line == told), "{printed}");
    }
}

#[test]
fn json_holds_the_catalogue_and_what_the_account_says() {
    let plane = ControlPlane::start(lists);
    let checked = plane.check("json", &models(&["a.open"]), &["--json"]);
    assert_eq!(checked.status.code(), Some(0));
    let told: Value = serde_json::from_str(&text(&checked.stdout)).unwrap();
    assert_eq!(told["models"][0]["id"], "a.open");
    assert_eq!(
        told["account"],
        json!([
            { "model": "a.open", "region": "us-east-1", "chains": ["main"], "can_be_called": true, "findings": [] },
            {
                "model": "a.spare",
                "region": "us-east-1",
                "chains": [],
                "can_be_called": false,
                "findings": ["not offered in this region"],
            },
        ])
    );
}

#[test]
fn what_aws_refuses_is_told_and_not_asked_again() {
    fn denied(_: &str) -> (u16, Value) {
        (403, json!({ "code": "AccessDeniedException", "message": "not authorized to list models" }))
    }
    fn busy(_: &str) -> (u16, Value) {
        (503, json!({ "code": "ServiceUnavailableException", "message": "later" }))
    }
    for (name, answer, word) in [
        (
            "denied",
            denied as fn(&str) -> (u16, Value),
            "AccessDeniedException: not authorized to list models",
        ),
        ("busy", busy, "ServiceUnavailableException"),
    ] {
        let plane = ControlPlane::start(answer);
        let checked = plane.check(name, &models(&["a.open"]), &[]);
        assert_eq!(checked.status.code(), Some(1));
        let complaint = text(&checked.stderr);
        assert!(complaint.contains("cannot ask the account: region us-east-1"), "{complaint}");
        assert!(complaint.contains(word), "{complaint}");
        assert_eq!(plane.asked(), ["/foundation-models"], "{name}");
    }
}

#[test]
fn without_credentials_it_says_what_to_set() {
    let checked = run(&["models", "--check"], &[("AWS_REGION", "us-east-1"), ("HOME", "/nonexistent")]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(text(&checked.stderr).contains("AWS_ACCESS_KEY_ID"), "{}", text(&checked.stderr));
}
