//! What signals do to a running service: an end, an end at once, and a second look at its files.

use super::{Demo, demo, exchange, read_some, redraft, run, send, serve_with};
use std::io::{BufRead, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

#[test]
fn the_demo_ends_with_zero_when_it_is_asked_to() {
    let mut demo = demo(&[]);
    send("-TERM", &demo.child);
    assert_eq!(demo.child.wait().unwrap().code(), Some(0));
    let unhealthy = run(&["healthcheck", "--address", &demo.api.to_string()], &[]);
    assert_eq!(unhealthy.status.code(), Some(1));
}

/// A stream that takes longer than the test, of which something has come.
fn long_stream(demo: &Demo) -> TcpStream {
    let body = format!("{{\"text\":\"{}\"}}", "A sentence that takes its time. ".repeat(2000));
    let mut stream = TcpStream::connect(demo.api).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let head = format!(
        "POST /v1/rephrase?stream=sse HTTP/1.1\r\nhost: demo\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("event: delta") {
        let mut piece = [0; 1024];
        let length = read_some(&mut stream, &mut piece);
        assert!(length > 0, "a stream: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&piece[..length]);
    }
    stream
}

#[test]
fn a_second_signal_ends_it_at_once_with_a_code_of_its_own() {
    for (name, code) in [("-INT", 130), ("-TERM", 143)] {
        let mut demo = demo(&[]);
        let _stream = long_stream(&demo);
        send("-TERM", &demo.child);
        let ready = "GET /readyz HTTP/1.1\r\nhost: demo\r\nconnection: close\r\n\r\n";
        while !exchange(demo.api, ready).starts_with("HTTP/1.1 503") {}
        send(name, &demo.child);
        assert_eq!(demo.child.wait().unwrap().code(), Some(code), "{name}");
    }
}

#[test]
fn a_drain_that_has_to_cut_ends_with_zero_and_last_words() {
    let mut demo = demo(&[("REDRAFT__SHUTDOWN__DRAIN_MS", "300")]);
    let mut stream = long_stream(&demo);
    send("-INT", &demo.child);
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("event: error") && rest.contains("\"code\":\"shutting_down\""), "{rest}");
    assert_eq!(demo.child.wait().unwrap().code(), Some(0));
}

/// The next line of a log that has the word.
fn next_line(log: &mut impl BufRead, word: &str) -> String {
    loop {
        let mut line = String::new();
        assert!(log.read_line(&mut line).unwrap() > 0, "the log goes on to {word}");
        if line.contains(word) {
            return line;
        }
    }
}

#[test]
fn a_hang_up_has_the_configuration_read_again_and_never_ends_the_process() {
    let folder = std::env::temp_dir().join(format!("redraft-cli-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (file, models) = (folder.join("redraft.toml"), folder.join("models.toml"));
    let built_in = include_str!("../../config/models.toml");
    std::fs::write(&file, "[models]\nfile = \"models.toml\"\n").unwrap();
    std::fs::write(&models, built_in).unwrap();
    let (mut service, mut log) = serve_with(&["--config", file.to_str().unwrap()], &[]);
    let chains =
        || exchange(service.api, "GET /v1/capabilities HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert!(chains().contains("[\"capability\",\"default\",\"speed\"]"));

    let more = "\n[chains.more]\nstages = [[\"us.amazon.nova-lite-v1:0\", \"qwen.qwen3-32b-v1:0\"]]\n";
    std::fs::write(&models, format!("{built_in}{more}")).unwrap();
    send("-HUP", &service.child);
    let told = next_line(&mut log, "the configuration has changed");
    assert!(told.contains("\"changed\":\"chains.more\""), "{told}");
    assert!(chains().contains("\"more\""));

    std::fs::write(&file, "[models]\nfile = \"models.toml\"\nfil = 1\n").unwrap();
    send("-HUP", &service.child);
    let told = next_line(&mut log, "has problems");
    assert!(told.contains("did you mean models.file?"), "{told}");
    (0..50).for_each(|_| send("-HUP", &service.child));
    assert!(chains().contains("\"more\""), "the one before stays");
    std::fs::remove_dir_all(&folder).unwrap();
    // Nobody reads the log from here on; that must not hold the service up either.
    drop(log);
    send("-TERM", &service.child);
    assert_eq!(service.child.wait().unwrap().code(), Some(0));
}

/// The service opens a pipe that is never written to; the signal must still end it, and
/// what waits for the pipe must not keep the process.
#[test]
fn a_start_that_waits_for_its_configuration_can_be_ended() {
    let folder = std::env::temp_dir().join(format!("redraft-cli-pipe-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let pipe = folder.join("redraft.toml");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut command = redraft(&["serve", "--listen", "127.0.0.1:0", "--config", pipe.to_str().unwrap()]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Opening it for writing comes back when the service has opened it for reading.
    let writer = std::fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    send("-TERM", &child);
    let pid = child.id().to_string();
    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || ended.send(child.wait().unwrap().code()));
    let code = end.recv_timeout(Duration::from_secs(20));
    if code.is_err() {
        let _killed = Command::new("kill").args(["-KILL", &pid]).status();
    }
    drop(writer);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(code, Ok(Some(143)));
}

#[test]
fn the_demo_obeys_a_hang_up_too() {
    let mut demo = demo(&[]);
    (0..20).for_each(|_| send("-HUP", &demo.child));
    let answer = exchange(demo.api, "GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    send("-TERM", &demo.child);
    assert_eq!(demo.child.wait().unwrap().code(), Some(0));
}
