//! Files over HTTP: what is read out of them, what is refused, and what they cannot do
//! to anybody else.

use std::fs;
use std::io::{Cursor, Write as _};
use std::time::Duration;

use bedrock_sim::Sim;
use redraft::app::App;
use serde_json::json;
use tokio::time::{Instant, timeout};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::support::{Answer, Request, TestApp, load};
use crate::validation::assert_problem;

const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
const FORM: &str = "multipart/form-data; boundary=seam";
const TEXT: &str = "Die Mühle wurde 1820 gebaut. Sie mahlte bis 1951. Heute ist sie ein Museum.";
/// However hostile a file is, its answer comes in this time.
const BOUND: Duration = Duration::from_secs(15);

fn file(app: &TestApp, path: &str, media_type: &str, bytes: impl Into<Vec<u8>>) -> Request {
    Request::post(app.api, path).header("content-type", media_type).body(bytes.into())
}

/// The document of the last call, as the model got it.
fn document(app: &TestApp) -> String {
    let calls = app.sim.calls();
    let request = calls.last().expect("a model was called").request().clone();
    let user = request["messages"][0]["content"][0]["text"].as_str().unwrap().to_owned();
    let (_, document) = user.split_once('\n').unwrap();
    document.rsplit_once('\n').unwrap().0.to_owned()
}

fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, content) in entries {
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn docx(body: &str) -> Vec<u8> {
    let space = "xmlns:w='http://schemas.openxmlformats.org/wordprocessingml/2006/main'";
    let main = format!("<?xml version='1.0'?><w:document {space}><w:body>{body}</w:body></w:document>");
    zipped(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", main.as_bytes())])
}

/// A PDF of one page with this content.
fn pdf(content: &str) -> Vec<u8> {
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] /Resources << >> /Contents 4 0 R >>".to_owned(),
        format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
    ];
    let (mut file, mut table) = ("%PDF-1.5\n".to_owned(), "0000000000 65535 f \n".to_owned());
    for (index, object) in objects.iter().enumerate() {
        table.push_str(&format!("{:010} 00000 n \n", file.len()));
        file.push_str(&format!("{} 0 obj\n{object}\nendobj\n", index + 1));
    }
    let start = file.len();
    let trailer = format!("trailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n");
    format!("{file}xref\n0 5\n{table}{trailer}").into_bytes()
}

/// One field of a form: its head, and what it holds.
fn field(head: &str, content: &str) -> String {
    format!("--seam\r\ncontent-disposition: form-data; {head}\r\n\r\n{content}\r\n")
}

fn upload(name: &str, media_type: &str, content: &str) -> String {
    field(&format!("name=\"file\"; filename=\"{name}\"\r\ncontent-type: {media_type}"), content)
}

fn form(fields: &[String]) -> Vec<u8> {
    format!("{}--seam--\r\n", fields.concat()).into_bytes()
}

async fn answered(request: Request) -> Answer {
    let answer = request.send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

#[tokio::test]
async fn text_is_read_in_its_charset() {
    let app = TestApp::start().await;
    let (latin, _, lost) = encoding_rs::WINDOWS_1252.encode(TEXT);
    assert!(!lost);
    let little: Vec<u8> =
        [0xFEFF].into_iter().chain(TEXT.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = [0xFEFF].into_iter().chain(TEXT.encode_utf16()).flat_map(u16::to_be_bytes).collect();
    for (media_type, bytes) in [
        ("text/plain; charset=iso-8859-1", latin.to_vec()),
        ("text/plain", latin.to_vec()),
        ("text/plain", little),
        ("text/plain; charset=utf-16", big),
        ("text/plain; charset=utf-8", TEXT.as_bytes().to_vec()),
        ("text/markdown", TEXT.as_bytes().to_vec()),
    ] {
        let answer = answered(file(&app, "/v1/summarize", media_type, bytes)).await.json();
        assert_eq!(document(&app), TEXT, "{media_type}");
        assert_eq!(answer["warnings"], json!([]), "{media_type}");
    }
    let spoilt = [&TEXT.as_bytes()[..20], b"\xFF", &TEXT.as_bytes()[20..]].concat();
    let answer = answered(file(&app, "/v1/summarize", "text/plain; charset=utf-8", spoilt)).await.json();
    assert_eq!(answer["warnings"][0]["code"], "undecodable_bytes");
    let read = [("format", "plain_text"), ("result", "read")];
    assert_eq!(app.metric("redraft_documents_read_total", &read).await, 6.0);
}

#[tokio::test]
async fn documents_are_read_as_text() {
    let app = TestApp::start().await;
    let markdown = "# The mill\n\n- It was built in 1820.\n- It is a *museum* today.\n";
    answered(file(&app, "/v1/summarize", "text/markdown", markdown)).await;
    assert_eq!(document(&app), markdown);
    let html = "<html><head><title>no</title><style>p {}</style></head><body><h1>The mill</h1>\
                <p>It was built in <b>1820</b>.</p><script>alert(1)</script><ul><li>A museum</ul></body></html>";
    answered(file(&app, "/v1/summarize", "text/html; charset=utf-8", html)).await;
    let text = document(&app);
    assert!(text.contains("# The mill") && text.contains("1820") && text.contains("A museum"), "{text}");
    assert!(!text.contains("alert") && !text.contains('<'), "{text}");
    let paragraph = |text: &str| format!("<w:p><w:r><w:t>{text}</w:t></w:r></w:p>");
    let body = [paragraph("The mill was built in 1820."), paragraph("Today it is a museum.")].concat();
    answered(file(&app, "/v1/rephrase", DOCX, docx(&body))).await;
    assert_eq!(document(&app), "The mill was built in 1820.\n\nToday it is a museum.");
}

#[tokio::test]
async fn options_stand_in_the_query_or_in_the_form() {
    let app = TestApp::start().await;
    let has_limit = |app: &TestApp| {
        let calls = app.sim.calls();
        let system = calls.last().unwrap().request()["system"][0]["text"].as_str().unwrap().to_owned();
        system.contains("17 words")
    };
    let path = "/v1/summarize?type=tldr&max_words=17&chain=speed";
    let answer = answered(file(&app, path, "text/plain", TEXT)).await.json();
    assert_eq!((&answer["chain"], has_limit(&app)), (&json!("speed"), true));
    let options = field("name=\"options\"", r#"{"type": "tldr", "max_words": 17}"#);
    let fields = [options, upload("mill.txt", "text/plain", TEXT), field("name=\"chain\"", "speed")];
    let answer = answered(file(&app, "/v1/summarize", FORM, form(&fields))).await.json();
    assert_eq!((&answer["chain"], has_limit(&app)), (&json!("speed"), true));
    assert_eq!(document(&app), TEXT);
    let named = [upload("mill.md", "application/octet-stream", TEXT)];
    answered(file(&app, "/v1/summarize", FORM, form(&named))).await;
    let stream = answered(file(&app, "/v1/rephrase?stream=sse", FORM, form(&named))).await;
    stream.sse().assert_grammar();
    let measure = answered(file(&app, "/v1/measure?task=rephrase", FORM, form(&named))).await.json();
    assert_eq!((&measure["task"], &measure["fits"]), (&json!("rephrase"), &json!(true)));
}

#[tokio::test]
async fn a_form_that_cannot_be_read_is_a_malformed_request() {
    let app = TestApp::start().await;
    let good = upload("mill.txt", "text/plain", TEXT);
    let cut = form(std::slice::from_ref(&good));
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("multipart/form-data", form(std::slice::from_ref(&good))),
        (FORM, form(&[])),
        (FORM, b"no form at all".to_vec()),
        (FORM, cut[..cut.len() / 2].to_vec()),
        (FORM, form(&[good.clone(), good.clone()])),
        (FORM, form(&[upload("mill.txt", "text/plain", "")])),
        (FORM, form(&[field("name=\"type\"", "tldr")])),
        (FORM, form(&[good.clone(), field("name=\"options\"", "{\"type\": ")])),
        (FORM, form(&[good.clone(), field("filename=\"x\"", "nameless")])),
        ("text/plain", Vec::new()),
    ];
    for (media_type, body) in cases {
        let told = String::from_utf8_lossy(&body).into_owned();
        let answer = file(&app, "/v1/summarize", media_type, body).send().await;
        assert_eq!(answer.status, 400, "{media_type} {told}: {}", answer.text());
        assert_problem(&answer, 400, "malformed_body");
    }
    let twice = [good.clone(), field("name=\"type\"", "tldr"), field("name=\"type\"", "teaser")];
    assert_problem(&file(&app, "/v1/summarize", FORM, form(&twice)).send().await, 422, "validation_failed");
    assert_eq!(app.sim.calls().len(), 0);
}

#[tokio::test]
async fn a_text_beside_the_file_is_a_mistake_and_so_is_an_unknown_option() {
    let app = TestApp::start().await;
    let good = upload("mill.txt", "text/plain", TEXT);
    let beside = field("name=\"text\"", "Another text.");
    for (request, pointer) in [
        (file(&app, "/v1/summarize?text=Another", "text/plain", TEXT), "/text"),
        (file(&app, "/v1/summarize", FORM, form(&[good.clone(), beside])), "/text"),
        (file(&app, "/v1/summarize?lenght=short", "text/plain", TEXT), "/lenght"),
        (file(&app, "/v1/summarize?max_words=many", "text/plain", TEXT), "/max_words"),
    ] {
        let problem = assert_problem(&request.send().await, 422, "validation_failed");
        let pointers: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|e| &e["pointer"]).collect();
        assert_eq!(pointers, [pointer], "{problem}");
    }
    assert_eq!(app.sim.calls().len(), 0);
}

#[tokio::test]
async fn other_types_are_refused_with_a_list_of_those_that_are_read() {
    let app = TestApp::start().await;
    let nameless = [upload("mill", "application/octet-stream", TEXT)];
    let picture = [upload("mill.png", "image/png", TEXT)];
    for request in [
        file(&app, "/v1/summarize", "application/zip", zipped(&[("a", b"b")])),
        file(&app, "/v1/summarize", "image/png", "PNG"),
        file(&app, "/v1/summarize", "application/pdf", "<html>no PDF</html>"),
        file(&app, "/v1/summarize", DOCX, pdf("")),
        file(&app, "/v1/summarize", DOCX, zipped(&[("other.xml", b"<a/>")])),
        file(&app, "/v1/summarize", "text/plain", zipped(&[("a", &[7; 99])])),
        file(&app, "/v1/summarize", FORM, form(&nameless)),
        file(&app, "/v1/summarize", FORM, form(&picture)),
    ] {
        let answer = request.send().await;
        assert_problem(&answer, 415, "unsupported_media_type");
        for media_type in ["application/json", "multipart/form-data", "text/html", "application/pdf", DOCX] {
            assert!(answer.header("accept-post").contains(media_type), "{}", answer.header("accept-post"));
        }
    }
    let older = file(&app, "/api/summarize", "text/plain", TEXT).send().await;
    assert_eq!(older.status, 415, "{}", older.text());
    assert_eq!(app.sim.calls().len(), 0);
}

#[tokio::test]
async fn a_document_without_text_or_in_pieces_cannot_be_processed() {
    let app = TestApp::start().await;
    let whole = docx("<w:p><w:r><w:t>The mill.</w:t></w:r></w:p>");
    for (media_type, bytes) in [
        // A page with a line on it, as a scan has a picture.
        ("application/pdf", pdf("0 0 m 99 99 l S")),
        (DOCX, docx("<w:p/>")),
        (DOCX, whole[..whole.len() / 2].to_vec()),
        ("application/pdf", b"%PDF-1.7\nnothing else".to_vec()),
        ("text/html", b"<html><script>1</script></html>".to_vec()),
        ("text/plain", b" \n\t ".to_vec()),
    ] {
        let answer = file(&app, "/v1/summarize", media_type, bytes).send().await;
        assert_eq!(answer.status, 422, "{media_type}: {}", answer.text());
        assert_problem(&answer, 422, "unprocessable_document");
    }
    assert_eq!(app.sim.calls().len(), 0);
}

#[tokio::test]
async fn a_file_beyond_the_limit_is_refused() {
    let app =
        TestApp::with(&[("DOCUMENTS__MAX_FILE_BYTES", "2000"), ("DOCUMENTS__MAX_TEXT_BYTES", "1500")]).await;
    let long = "word ".repeat(500);
    let in_form = [upload("mill.txt", "text/plain", &long)];
    for (media_type, bytes) in [("text/plain", long.clone().into_bytes()), (FORM, form(&in_form))] {
        let answer = file(&app, "/v1/summarize", media_type, bytes).send().await;
        assert_eq!(assert_problem(&answer, 413, "payload_too_large")["limit_bytes"], 2000);
    }
    let answer = file(&app, "/v1/summarize", "text/plain", "word ".repeat(390)).send().await;
    assert_eq!(assert_problem(&answer, 413, "payload_too_large")["limit_bytes"], 1500);
    assert_eq!(app.sim.calls().len(), 0);
}

#[tokio::test]
async fn hostile_files_end_in_time_and_hold_nobody_up() {
    let app = TestApp::start().await;
    let deep = format!("{}The core.{}", "<div>".repeat(100_000), "</div>".repeat(100_000));
    let bomb = zipped(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", &vec![b' '; 64 << 20])]);
    let tables = docx(&"<w:tbl><w:tr><w:tc>".repeat(50_000));
    for (media_type, bytes, statuses) in
        [("text/html", deep.into_bytes(), [200, 422]), (DOCX, bomb, [422, 413]), (DOCX, tables, [422, 422])]
    {
        let began = Instant::now();
        let hostile = file(&app, "/v1/summarize", media_type, bytes).patience(BOUND);
        let hostile = tokio::spawn(hostile.send());
        let others = async {
            for _ in 0..3 {
                answered(app.post("/v1/summarize", json!({"text": TEXT}))).await;
            }
            began.elapsed()
        };
        let others = timeout(BOUND, others).await.expect("others are served");
        let answer = timeout(BOUND, hostile).await.expect("it ends in time").unwrap();
        assert!(statuses.contains(&answer.status.as_u16()), "{media_type}: {}", answer.text());
        println!("{media_type}: {} after {:?}, others after {others:?}", answer.status, began.elapsed());
    }
}

/// Processes whose command line has this word.
fn processes_with(word: &str) -> usize {
    let numbers =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let lines = numbers.filter_map(|number| fs::read(format!("/proc/{number}/cmdline")).ok());
    lines.filter(|line| line.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes())).count()
}

async fn until_processes(word: &str, count: usize) {
    let look = async {
        while processes_with(word) != count {
            tokio::task::yield_now().await;
        }
    };
    timeout(BOUND, look).await.unwrap_or_else(|_| panic!("there never were {count} processes"));
}

#[tokio::test]
async fn reading_ends_with_the_client_and_with_the_requests_time() {
    /// By which the reader's process is found.
    const MARK: &str = "31415927";
    let sim = Sim::start(bedrock_sim::SimOptions::default()).await.unwrap();
    let mut config = load(&[("DOCUMENTS__MAX_TEXT_BYTES", MARK), ("DOCUMENTS__MAX_READERS", "1")]);
    config.bedrock.endpoint_url = Some(sim.endpoint_url());
    config.extraction.program =
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/documents/sleeper.sh").into();
    let app = TestApp::run(sim, App::build(&config).await.unwrap());
    let request = || file(&app, "/v1/summarize", "text/html", format!("<p>{TEXT}"));
    let leaving = tokio::spawn(request().send());
    until_processes(MARK, 1).await;
    leaving.abort();
    until_processes(MARK, 0).await;
    // The place is free again, and the next one's own time ends it.
    let answer = request().header("x-request-timeout-ms", "300").send().await;
    assert_problem(&answer, 504, "deadline_exceeded");
    until_processes(MARK, 0).await;
    assert_eq!(app.sim.calls().len(), 0);
    app.until_metric("redraft_admission_inflight", &[], 0.0).await;
}
