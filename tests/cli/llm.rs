//! The demo with a real model behind it, for which a small server on loopback stands in.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Demo, demo_with, exchange, run, text};

const MODEL: &str = "small:1b";
const PATIENCE: Duration = Duration::from_secs(20);

/// A server of chat completions. Each answer is one sentence, and a second one when the test says so.
struct StandIn {
    url: String,
    asked: Receiver<(Vec<String>, Value)>,
    go_on: Sender<()>,
}

fn stand_in() -> StandIn {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/", listener.local_addr().unwrap());
    let (asked_by, asked) = mpsc::channel();
    let (go_on, told) = mpsc::channel();
    // It ends with the process; a connection that breaks is a client that left.
    thread::spawn(move || {
        for stream in listener.incoming() {
            let _left = serve(stream.unwrap(), &asked_by, &told);
        }
    });
    StandIn { url, asked, go_on }
}

fn serve(
    mut stream: TcpStream,
    asked_by: &Sender<(Vec<String>, Value)>,
    told: &Receiver<()>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head: Vec<String> = Vec::new();
    while head.last().is_none_or(|line| !line.is_empty()) {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        head.push(line.trim_end().to_ascii_lowercase());
    }
    if head[0].starts_with("get /v1/models ") {
        let body = json!({"data": [{"id": MODEL}]}).to_string();
        let length = body.len();
        return write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
    }
    assert!(head[0].starts_with("post /v1/chat/completions "), "{head:?}");
    let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut body)?;
    asked_by.send((head, serde_json::from_slice(&body).unwrap())).unwrap();
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")?;
    let mut say = |delta: Value, reason: Option<&str>| {
        let chunk = json!({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]});
        write!(stream, "data: {chunk}\n\n")
    };
    say(json!({"role": "assistant", "content": ""}), None)?;
    say(json!({"content": "The library is open. "}), None)?;
    told.recv_timeout(PATIENCE).unwrap();
    say(json!({"content": "It is large."}), None)?;
    say(json!({}), Some("stop"))?;
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 321, "completion_tokens": 9}});
    write!(stream, "data: {usage}\n\ndata: [DONE]\n\n")
}

fn demo_of(url: &str, more: &[&str]) -> Demo {
    demo_with(
        &[&["--llm", url, "--llm-model", MODEL], more].concat(),
        &[("REDRAFT_LLM_API_KEY", "sk-secret")],
    )
}

fn post(path: &str, more: &str, body: &Value) -> String {
    let body = body.to_string();
    format!(
        "POST {path} HTTP/1.1\r\nhost: demo\r\nconnection: close\r\ncontent-type: application/json\r\n\
         {more}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn a_real_models_text_comes_through_as_json_and_piece_by_piece() {
    let stand_in = stand_in();
    let demo = demo_of(&stand_in.url, &[]);
    let who = format!("Answers come from {MODEL} at {}", stand_in.url.trim_end_matches('/'));
    assert!(demo.banner.contains(&who) && !demo.banner.contains("WARNING"), "{}", demo.banner);
    assert!(!demo.banner.contains("no language model") && !demo.banner.contains("sk-secret"));
    let body = json!({"text": "The new library opened on Monday. It holds 40,000 books."});

    stand_in.go_on.send(()).unwrap();
    let answer = exchange(demo.api, &post("/v1/summarize", "", &body));
    let (head, json) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    let json: Value = serde_json::from_str(json).unwrap();
    assert_eq!(json["text"], "The library is open. It is large.");
    assert_eq!((&json["usage"]["input_tokens"], &json["usage"]["output_tokens"]), (&json!(321), &json!(9)));
    assert_eq!(json["cost"]["usd"], Value::Null, "nobody knows what it costs");
    let (head, asked) = stand_in.asked.recv_timeout(PATIENCE).unwrap();
    assert!(head.contains(&"authorization: bearer sk-secret".to_owned()), "{head:?}");
    assert_eq!((&asked["model"], &asked["messages"][0]["role"]), (&json!(MODEL), &json!("system")));
    assert!(asked["messages"][1]["content"].as_str().unwrap().contains("It holds 40,000 books."));

    let mut stream = TcpStream::connect(demo.api).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(post("/v1/summarize", "accept: text/event-stream\r\n", &body).as_bytes()).unwrap();
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("The library is open.") {
        let mut piece = [0; 1024];
        let length = super::read_some(&mut stream, &mut piece);
        assert!(length > 0, "a stream: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&piece[..length]);
    }
    assert!(!String::from_utf8_lossy(&seen).contains("It is large."), "it is not written yet");
    stand_in.go_on.send(()).unwrap();
    stream.read_to_end(&mut seen).unwrap();
    let seen = text(&seen);
    assert!(seen.contains("It is large.") && seen.contains("event: done"), "{seen}");
}

/// No program takes port 1, and no test is given it.
const NOBODY: &str = "http://127.0.0.1:1/v1";

#[test]
fn a_demo_starts_without_its_model_and_says_so() {
    let missing = demo_with(&["--llm", &stand_in().url, "--llm-model", "large"], &[]);
    assert!(missing.banner.contains(&format!("has no model large. It has: {MODEL}.")), "{}", missing.banner);
    let absent = demo_of(NOBODY, &[]);
    assert!(absent.banner.contains("WARNING") && absent.banner.contains("cannot be reached"));
    let answer = exchange(absent.api, &post("/v1/summarize", "", &json!({"text": "A text."})));
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("all_models_unavailable"), "{answer}");
}

#[test]
fn what_cannot_be_a_model_server_is_a_mistake_on_the_command_line() {
    let cases: [(&[&str], &str); 5] = [
        (&["--llm", NOBODY], "--llm-model"),
        (&["--llm-model", MODEL], "--llm"),
        (&["--llm-context", "9000"], "--llm"),
        (&["--llm", "localhost:11434", "--llm-model", MODEL], "http:// or https://"),
        (&["--llm", NOBODY, "--llm-model", MODEL, "--llm-context", "100"], "2048"),
    ];
    for (arguments, told) in cases {
        let refused = run(&[&["demo"], arguments].concat(), &[]);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert!(text(&refused.stderr).contains(told), "{arguments:?}: {}", text(&refused.stderr));
    }
    let key = [("REDRAFT_LLM_API_KEY", "two words")];
    let refused = run(&["demo", "--llm", NOBODY, "--llm-model", MODEL], &key);
    let told = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2));
    assert!(told.contains("REDRAFT_LLM_API_KEY") && !told.contains("two"), "{told}");
}
