//! The child process itself: what it may do, when it ends, and how many there are.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use redraft::documents::{Crash, DocumentFormat, ExtractError, ExtractionPolicy, Extractor};
use tokio::time::{Instant, timeout};

use crate::{HTML, MEBIBYTE, PATIENCE, instead, policy, read, read_under, soon};

/// Lets other work run until something is so.
async fn until<T>(mut is_so: impl FnMut() -> Option<T>) -> T {
    let watch = async {
        loop {
            if let Some(found) = is_so() {
                return found;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, watch).await.expect("it never came about")
}

/// The processes whose command line has this word.
fn processes_with(word: &str) -> Vec<u32> {
    let numbers =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let has_word = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes())
    };
    numbers.filter(has_word).collect()
}

/// A policy under which the child can be found: its longest text is an odd number.
fn marked(policy: ExtractionPolicy, mark: usize) -> (ExtractionPolicy, String) {
    (ExtractionPolicy { max_text_bytes: mark, ..policy }, mark.to_string())
}

#[tokio::test]
async fn the_child_can_open_nothing_and_knows_nothing() {
    // Started as the service starts it, and held where it waits for its document.
    let mut child = Command::new(env!("CARGO_BIN_EXE_redraft"))
        .args(["__extract", "confine", "text/html", "-", "4", "1000", "268435456", "7"])
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let about = |what: &str| fs::read_to_string(format!("/proc/{}/{what}", child.id())).unwrap_or_default();
    let limits = until(|| {
        let limits = about("limits");
        let of = |name: &str| {
            let line = limits.lines().find(|line| line.starts_with(name))?;
            Some(line[name.len()..].split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>())
        };
        let is_shut = of("Max open files")? == ["0", "0"];
        is_shut.then(|| {
            ["Max address space", "Max cpu time", "Max core file size", "Max file size"]
                .map(|name| of(name).unwrap())
        })
    })
    .await;
    assert_eq!(limits, [["268435456", "268435456"], ["7", "8"], ["0", "0"], ["0", "0"]]);
    assert_eq!(about("environ"), "");

    child.stdin.take().unwrap().write_all(b"<p>x").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"redraft-extract text\nx");
    assert!(output.status.success());
}

#[tokio::test]
async fn the_service_gives_the_child_no_environment_and_no_folder() {
    let extracted = read_under(instead("witness.sh"), HTML, "x").await.unwrap();
    assert_eq!(extracted.text, "environment= folder=/");
}

#[tokio::test]
async fn a_document_nobody_waits_for_is_not_read_on() {
    let (policy, mark) = marked(instead("sleeper.sh"), 77_001);
    let extractor = Extractor::new(policy);
    let mut reading = Box::pin(extractor.extract(&HTML, Bytes::from_static(b"x"), soon()));
    let child = until(|| {
        let waker = std::task::Waker::noop();
        let polled = reading.as_mut().poll(&mut std::task::Context::from_waker(waker));
        assert!(polled.is_pending());
        processes_with(&mark).first().copied()
    })
    .await;
    drop(reading);
    // Gone altogether: not even its exit code waits to be fetched.
    until(|| (!fs::exists(format!("/proc/{child}")).unwrap()).then_some(())).await;
}

#[tokio::test]
async fn a_child_that_does_not_end_is_ended() {
    let (policy, mark) = marked(instead("sleeper.sh"), 77_002);
    let policy = ExtractionPolicy { timeout: Duration::from_millis(200), ..policy };
    // More than a pipe holds: nobody reads it.
    let outcome = read_under(policy, HTML, vec![b'x'; 1 << 20]).await;
    assert!(matches!(outcome, Err(ExtractError::OutOfTime)), "{outcome:?}");
    until(|| processes_with(&mark).is_empty().then_some(())).await;
}

#[tokio::test]
async fn a_deadline_of_the_caller_is_not_the_document_s_fault() {
    let extractor = Extractor::new(instead("sleeper.sh"));
    let until = Instant::now() + Duration::from_millis(100);
    let outcome = extractor.extract(&HTML, Bytes::from_static(b"x"), until).await;
    assert!(matches!(outcome, Err(ExtractError::Deadline)), "{outcome:?}");
}

#[tokio::test]
async fn one_place_reads_one_document_and_others_wait_for_it() {
    let (policy, mark) = marked(ExtractionPolicy { max_parallel: 1, ..instead("sleeper.sh") }, 77_003);
    let extractor = Extractor::new(policy);
    let mut first = Box::pin(extractor.extract(&HTML, Bytes::from_static(b"x"), soon()));
    until(|| {
        let waker = std::task::Waker::noop();
        let _pending = first.as_mut().poll(&mut std::task::Context::from_waker(waker));
        processes_with(&mark).first().copied()
    })
    .await;

    let until_then = Instant::now() + Duration::from_millis(100);
    let second = extractor.extract(&HTML, Bytes::from_static(b"x"), until_then).await;
    assert!(matches!(second, Err(ExtractError::Busy)), "{second:?}");
    assert_eq!(processes_with(&mark).len(), 1);

    // What needs no child needs no place.
    let glance = extractor.extract(&DocumentFormat::Pdf, Bytes::from_static(b"x"), soon()).await;
    assert!(matches!(glance, Err(ExtractError::TypeMismatch)), "{glance:?}");
    drop(first);
    let third =
        extractor.extract(&HTML, Bytes::from_static(b"x"), Instant::now() + Duration::from_millis(100));
    assert!(matches!(third.await, Err(ExtractError::Deadline)), "the place was free again");
}

#[tokio::test]
async fn a_child_that_talks_without_end_is_cut_off() {
    let (policy, mark) = marked(instead("babbler.sh"), 77_004);
    let outcome = read_under(policy, HTML, vec![b'x'; 1 << 20]).await;
    assert!(matches!(outcome, Err(ExtractError::TooLarge { limit_bytes: 77_004 })), "{outcome:?}");
    until(|| processes_with(&mark).is_empty().then_some(())).await;
}

#[tokio::test]
async fn full_pipes_on_every_side_stop_nobody() {
    let extracted = read_under(instead("complainer.sh"), HTML, vec![b'x'; 1 << 20]).await.unwrap();
    assert_eq!(extracted.text, "heard");
}

#[tokio::test]
async fn a_child_that_says_nothing_has_crashed() {
    let outcome = read_under(instead("deserter.sh"), HTML, vec![b'x'; 1 << 20]).await;
    assert!(matches!(outcome, Err(ExtractError::Crashed(Crash::Garbled))), "{outcome:?}");
    let outcome = read_under(instead("nobody.sh"), HTML, "x").await;
    assert!(matches!(outcome, Err(ExtractError::Spawn(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_limit_too_small_for_the_program_itself_is_an_error_of_memory_or_a_crash() {
    let policy = ExtractionPolicy { max_memory_bytes: 32 * MEBIBYTE, ..policy() };
    let outcome = read_under(policy, HTML, "<p>x").await;
    assert!(
        matches!(outcome, Err(ExtractError::OutOfMemory { .. } | ExtractError::Crashed(_))),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn many_documents_at_once_leave_nothing_behind() {
    let (policy, mark) = marked(policy(), 77_005);
    let extractor = Extractor::new(policy);
    let readings = (0..20).map(|number| {
        let page = format!("<p>document {number}");
        let extractor = &extractor;
        async move {
            let extracted = extractor.extract(&HTML, page.into(), soon()).await.unwrap();
            assert_eq!(extracted.text, format!("document {number}"));
        }
    });
    futures_util::future::join_all(readings).await;
    assert_eq!(processes_with(&mark), [0; 0]);
}

#[tokio::test]
async fn the_subcommand_is_hidden_and_of_no_use_to_people() {
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_redraft")).args(arguments).stdin(Stdio::null()).output().unwrap()
    };
    assert!(!String::from_utf8(run(&["--help"]).stdout).unwrap().contains("extract"));
    assert_eq!(run(&["__extract"]).status.code(), Some(2));
    assert_eq!(run(&["__extract", "read", "text/html", "-", "9", "9", "9", "9"]).status.code(), Some(1));
    assert!(read(HTML, "<p>x").await.is_ok());
}
