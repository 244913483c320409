//! What a stranger may send: each gets a right answer or a clear error, in time.
//!
//! Memory needs no measuring here: the kernel refuses the child more than the policy's
//! limit, which `child` finds in force.

use std::io::{Cursor, Read as _};
use std::time::Duration;

use redraft::documents::{Crash, DocumentFormat, ExtractError, Extracted, ExtractionPolicy, Note};
use tokio::time::Instant;
use zip::ZipArchive;

use crate::builders::{docx, docx_that_holds_itself, one_page, packed_zeros, pdf, stream, zip};
use crate::{HTML, MEBIBYTE, TEXT, fixture, policy, read, read_under};

/// Generous for a machine that builds in debug and does other things besides.
const BOUND: Duration = Duration::from_secs(20);
const FONT: &str = "/Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >>";

async fn in_time(format: DocumentFormat, bytes: Vec<u8>) -> Result<Extracted, ExtractError> {
    let started = Instant::now();
    let outcome = read(format, bytes).await;
    assert!(started.elapsed() < BOUND, "it took {:?}", started.elapsed());
    outcome
}

fn hasty() -> ExtractionPolicy {
    ExtractionPolicy { max_cpu: Duration::from_secs(1), ..policy() }
}

#[tokio::test]
async fn a_hundred_thousand_levels_of_html_keep_their_text() {
    let page = format!("{}core{}<p>after", "<div>".repeat(100_000), "</div>".repeat(100_000));
    let text = in_time(HTML, page.into_bytes()).await.unwrap().text;
    assert_eq!(text.split_whitespace().collect::<Vec<_>>(), ["core", "after"]);
}

#[tokio::test]
async fn a_docx_that_inflates_without_end_is_refused() {
    let bomb = zip(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", &vec![b' '; 100 << 20])]);
    assert!(bomb.len() < 200 << 10);
    assert!(matches!(in_time(DocumentFormat::Docx, bomb.clone()).await, Err(ExtractError::Malformed)));

    // The same with a lie about its size, at every place that says it.
    let (said, lie) = ((100_u32 << 20).to_le_bytes(), 1000_u32.to_le_bytes());
    let mut liar = bomb;
    let places: Vec<usize> = (0..liar.len() - 4).filter(|place| liar[*place..*place + 4] == said).collect();
    assert!(!places.is_empty());
    for place in places {
        liar[place..place + 4].copy_from_slice(&lie);
    }
    assert!(matches!(in_time(DocumentFormat::Docx, liar).await, Err(ExtractError::Malformed)));
}

#[tokio::test]
async fn archives_within_archives_are_not_opened() {
    let mut nested = docx("<w:p><w:r><w:t>core</w:t></w:r></w:p>");
    for _ in 0..50 {
        nested = zip(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", &nested)]);
    }
    let outcome = in_time(DocumentFormat::Docx, nested).await;
    assert!(matches!(outcome, Err(ExtractError::Malformed | ExtractError::TypeMismatch)), "{outcome:?}");
}

#[tokio::test]
async fn an_archive_that_holds_itself_is_no_document() {
    let archive = docx_that_holds_itself();
    // It is a good archive: who asks for the part gets the directory that lists it.
    let mut reader = ZipArchive::new(Cursor::new(archive.as_slice())).unwrap();
    let mut part = Vec::new();
    reader.by_name("word/document.xml").unwrap().read_to_end(&mut part).unwrap();
    assert!(archive.ends_with(&part) && part.starts_with(b"PK\x01\x02"));
    let outcome = in_time(DocumentFormat::Docx, archive).await;
    assert!(matches!(outcome, Err(ExtractError::TypeMismatch)), "{outcome:?}");
}

#[tokio::test]
async fn an_archive_of_too_many_entries_is_refused() {
    let names: Vec<String> = (0..2001).map(|number| format!("word/{number}.xml")).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    assert!(matches!(in_time(DocumentFormat::Docx, zip(&entries)).await, Err(ExtractError::Malformed)));
}

#[tokio::test]
async fn entities_that_multiply_are_not_resolved() {
    let document = "<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;'>]>\
        <document><body><p><r><t>one &c; two</t></r></p></body></document>";
    let package = zip(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", document.as_bytes())]);
    assert_eq!(in_time(DocumentFormat::Docx, package).await.unwrap().text, "one  two");
}

#[tokio::test]
async fn other_archives_and_broken_ones_are_told_apart() {
    let workbook = zip(&[("[Content_Types].xml", b"<Types/>"), ("xl/workbook.xml", b"<workbook/>")]);
    let plain = zip(&[("a.txt", b"a")]);
    for bytes in [workbook, plain, b"%PDF-1.4".to_vec()] {
        assert!(matches!(in_time(DocumentFormat::Docx, bytes).await, Err(ExtractError::TypeMismatch)));
    }
    let whole = docx("<w:p><w:r><w:t>core</w:t></w:r></w:p>");
    let cut = whole[..whole.len() / 2].to_vec();
    assert!(matches!(in_time(DocumentFormat::Docx, cut).await, Err(ExtractError::Malformed)));
    let unclosed = zip(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", b"<a><body></a>")]);
    assert!(matches!(in_time(DocumentFormat::Docx, unclosed).await, Err(ExtractError::Malformed)));
    let deep = docx(&"<w:tbl><w:tr><w:tc>".repeat(100_000));
    assert!(matches!(in_time(DocumentFormat::Docx, deep).await, Err(ExtractError::Malformed)));
}

#[tokio::test]
async fn references_of_a_pdf_that_go_in_circles_end() {
    let loops_of_pages = pdf(&[
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 /Parent 2 0 R >>".to_vec(),
    ]);
    let circle = pdf(&[b"2 0 R".to_vec(), b"1 0 R".to_vec()]);
    let parents = pdf(&[
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 /Parent 2 0 R >>".to_vec(),
        b"<< /Type /Page /Parent 2 0 R >>".to_vec(),
    ]);
    for bytes in [loops_of_pages, circle] {
        let outcome = in_time(DocumentFormat::Pdf, bytes).await;
        assert!(matches!(outcome, Err(ExtractError::Malformed | ExtractError::NoText)), "{outcome:?}");
    }
    // Followed for ever, by recursion or by a loop: as the compiler likes.
    let outcome = read_under(hasty(), DocumentFormat::Pdf, parents).await;
    let is_clear =
        matches!(outcome, Err(ExtractError::OutOfTime | ExtractError::Crashed(Crash::StackOverflow)));
    assert!(is_clear, "{outcome:?}");
}

#[tokio::test]
async fn a_drawing_that_draws_itself_ends_the_child_and_nothing_else() {
    let mut objects = one_page("/XObject << /X 5 0 R >>", stream("", b"/X Do"));
    objects.push(stream("/Type /XObject /Subtype /Form /Resources << /XObject << /X 5 0 R >> >>", b"/X Do"));
    let outcome = in_time(DocumentFormat::Pdf, pdf(&objects)).await;
    assert!(matches!(outcome, Err(ExtractError::Crashed(Crash::StackOverflow))), "{outcome:?}");
}

/// Each drawing draws the next one twice, forty deep.
fn doubling() -> Vec<u8> {
    let mut objects = one_page("/XObject << /X 5 0 R >>", stream("", b"/X Do"));
    for next in 6..46 {
        let extra = format!("/Type /XObject /Subtype /Form /Resources << /XObject << /X {next} 0 R >> >>");
        objects.push(stream(&extra, b"/X Do /X Do"));
    }
    objects.push(stream("/Type /XObject /Subtype /Form", b""));
    pdf(&objects)
}

#[tokio::test]
async fn work_that_doubles_forty_times_runs_out_of_processor_time() {
    let outcome = read_under(hasty(), DocumentFormat::Pdf, doubling()).await;
    assert!(matches!(outcome, Err(ExtractError::OutOfTime)), "{outcome:?}");
}

#[tokio::test]
async fn a_pdf_that_inflates_without_end_meets_the_limit_of_memory() {
    let bomb = pdf(&one_page("", stream("/Filter /FlateDecode", &packed_zeros(400 << 20))));
    let outcome = read_under(narrow(), DocumentFormat::Pdf, bomb).await;
    // The parser goes on with what it could inflate, if it is told that there is no memory.
    let is_clear = matches!(outcome, Err(ExtractError::OutOfMemory { .. } | ExtractError::NoText));
    assert!(is_clear, "{outcome:?}");
}

#[tokio::test]
async fn a_page_too_large_for_memory_says_so() {
    let page = "<p>a".repeat(10 << 20);
    let outcome = read_under(narrow(), HTML, page).await;
    assert!(matches!(outcome, Err(ExtractError::OutOfMemory { .. })), "{outcome:?}");
}

fn narrow() -> ExtractionPolicy {
    ExtractionPolicy { max_memory_bytes: 256 * MEBIBYTE, ..policy() }
}

#[tokio::test]
async fn a_pdf_without_letters_says_so_and_one_that_is_cut_is_refused() {
    let scan = pdf(&one_page("", stream("", b"0 0 595 842 re f")));
    assert!(matches!(in_time(DocumentFormat::Pdf, scan).await, Err(ExtractError::NoText)));
    let whole = std::fs::read(fixture("river.pdf")).unwrap();
    for length in [9, 500, whole.len() / 2] {
        let outcome = in_time(DocumentFormat::Pdf, whole[..length].to_vec()).await;
        let is_clear = matches!(outcome, Err(ExtractError::Malformed | ExtractError::NoText));
        assert!(is_clear, "{length}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_page_that_breaks_does_not_take_the_others_with_it() {
    let words = stream("", b"BT /F1 12 Tf 72 700 Td (Legible words) Tj ET");
    let mut objects = one_page(FONT, words);
    objects[1] = b"<< /Type /Pages /Kids [3 0 R 5 0 R] /Count 2 >>".to_vec();
    // Its content names a font that is nowhere.
    objects.push(b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 6 0 R >>".to_vec());
    objects.push(stream("", b"BT /F9 12 Tf (lost) Tj ET"));
    let extracted = in_time(DocumentFormat::Pdf, pdf(&objects)).await.unwrap();
    assert_eq!(extracted.text, "Legible words");
    assert_eq!(extracted.notes, [Note::PagesDropped]);
}

#[tokio::test]
async fn fifty_megabytes_on_one_line_are_a_text() {
    let line = "word ".repeat(10 << 20).into_bytes();
    let length = line.len();
    assert_eq!(in_time(TEXT, line).await.unwrap().text.len(), length);
}

#[tokio::test]
async fn text_beyond_the_limit_is_told_with_the_limit() {
    let policy = || ExtractionPolicy { max_text_bytes: 1000, ..policy() };
    let long = "word ".repeat(1000);
    let page = format!("<p>{long}");
    let package = docx(&format!("<w:p><w:r><w:t>{long}</w:t></w:r></w:p>"));
    let content = format!("BT /F1 12 Tf 72 700 Td ({long}) Tj ET");
    let printed = pdf(&one_page(FONT, stream("", content.as_bytes())));
    for (format, bytes) in [
        (TEXT, long.into_bytes()),
        (HTML, page.into_bytes()),
        (DocumentFormat::Docx, package),
        (DocumentFormat::Pdf, printed),
    ] {
        let outcome = read_under(policy(), format, bytes).await;
        assert!(matches!(outcome, Err(ExtractError::TooLarge { limit_bytes: 1000 })), "{outcome:?}");
    }
}

#[tokio::test]
async fn odd_characters_are_right_in_text_and_in_html() {
    let odd = "a\r\nb\rc\n\u{0}d \u{200F}שלום\u{200E} 👩\u{200D}🚒";
    let right = "a\nb\nc\nd \u{200F}שלום\u{200E} 👩\u{200D}🚒";
    assert_eq!(in_time(TEXT, odd.into()).await.unwrap().text, right);
    let page = format!("<pre>{odd}</pre>&#0;&#x1e;&#29;<p>end");
    let text = in_time(HTML, page.into()).await.unwrap().text;
    assert!(text.contains(right) && text.ends_with("end"), "{text:?}");
    assert!(!text.contains(['\0', '\x1D', '\x1E']), "{text:?}");
    for (format, bytes) in [(TEXT, "🎉🎉 👍🏽".to_owned()), (HTML, "<p>🎉🎉 👍🏽</p>".to_owned())]
    {
        assert_eq!(in_time(format, bytes.into()).await.unwrap().text, "🎉🎉 👍🏽");
    }
}

#[tokio::test]
async fn bytes_of_one_type_under_the_name_of_another_are_a_mismatch() {
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01".to_vec();
    let printed = pdf(&one_page("", stream("", b"")));
    for (format, bytes) in [
        (TEXT, png.clone()),
        (HTML, png.clone()),
        (DocumentFormat::Pdf, png),
        (TEXT, printed.clone()),
        (DocumentFormat::Docx, printed),
        (HTML, docx("")),
        (DocumentFormat::Pdf, b"<html><p>hello".to_vec()),
    ] {
        assert!(matches!(in_time(format, bytes).await, Err(ExtractError::TypeMismatch)), "{format:?}");
    }
}
