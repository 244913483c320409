//! Each format, read as it comes from the programs that write it.

use redraft::documents::{Charset, DocumentFormat, ExtractError, Note};

use crate::builders::{docx, docx_with};
use crate::{HTML, TEXT, fixture, read};

#[tokio::test]
async fn a_docx_of_a_converter_keeps_its_headings_lists_table_and_footnote() {
    let bytes = std::fs::read(fixture("river.docx")).unwrap();
    let extracted = read(DocumentFormat::Docx, bytes).await.unwrap();
    assert_eq!(extracted.notes, []);
    for part in [
        "# The river in four seasons\n\n# Introduction\n\nThe river rises in the hills",
        "every spring since.[^1] People",
        "## What was measured\n\n- the depth at the old bridge\n- the speed of the water\n    - in the middle\n",
        "- the temperature\n\n1. Read the gauge.\n2. Write the figure down.\n    1. First the date,\n",
        "| Season | Depth (m) | Speed (m/s) |\n| --- | --- | --- |\n| Spring | 3.2 | 1.8 |\n",
        "Größe, naïve, Ελλάδα, Москва",
        "\n\n[^1]: With two exceptions, both in wartime.",
    ] {
        assert!(extracted.text.contains(part), "{part}\nin\n{}", extracted.text);
    }
}

#[tokio::test]
async fn a_pdf_of_an_office_program_reads_like_its_pages() {
    let bytes = std::fs::read(fixture("river.pdf")).unwrap();
    let extracted = read(DocumentFormat::Pdf, bytes).await.unwrap();
    for part in [
        "The river in four seasons\n\nIntroduction\n\nThe river rises in the hills above the town.",
        "- the depth at the old bridge\n- the speed of the water\n",
        "1. Read the gauge.\n2. Write the figure down.\n",
        "Spring 3.2 1.8\n",
        "Größe, naïve, Ελλάδα, Москва",
        "efficient offices find them difficult to explain",
    ] {
        assert!(extracted.text.contains(part), "{part}\nin\n{}", extracted.text);
    }
}

#[tokio::test]
async fn html_becomes_markdown() {
    let page = "<html lang=de><head><meta charset=utf-8><title>Tee</title></head><body><nav>Menü</nav>\
        <h2>Grüner Tee</h2><ul><li>70 °C<li>zwei Minuten</ul></body></html>";
    let extracted = read(HTML, page).await.unwrap();
    assert_eq!(extracted.text, "# Tee\n\n## Grüner Tee\n\n- 70 °C\n- zwei Minuten");
}

#[tokio::test]
async fn the_child_learns_that_a_page_is_xhtml() {
    let page = "<head><script src='a.js'/></head><body><p>Text</p></body>";
    let xhtml = DocumentFormat::of_media_type("application/xhtml+xml").unwrap();
    assert_eq!(read(xhtml, page).await.unwrap().text, "Text");
}

#[tokio::test]
async fn text_and_markdown_are_decoded_and_otherwise_left_alone() {
    let charset = Charset::of_label("windows-1251");
    let extracted =
        read(DocumentFormat::Markdown { charset }, &b"# \xCC\xE8\xF0\r\n\r\n*  x  *"[..]).await.unwrap();
    assert_eq!(extracted.text, "# Мир\n\n*  x  *");
    let utf_8 = Charset::of_label("utf-8");
    let extracted =
        read(DocumentFormat::PlainText { charset: utf_8 }, &b"caf\xE9 and more"[..]).await.unwrap();
    assert_eq!(extracted.text, "caf\u{FFFD} and more");
    assert_eq!(extracted.notes, [Note::UndecodableBytes]);
}

#[tokio::test]
async fn a_docx_tells_every_word_once() {
    let run = |text: &str| format!("<w:r><w:t xml:space='preserve'>{text}</w:t></w:r>");
    let text_box = format!("<w:txbxContent><w:p>{}</w:p></w:txbxContent>", run("boxed"));
    let body = format!(
        "<w:p>{}<w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:ins>{}</w:ins>\
         <w:moveFrom>{}</w:moveFrom><w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r>\
         <w:r><AlternateContent><Choice>{text_box}</Choice><Fallback>{text_box}</Fallback></AlternateContent></w:r>\
         {}</w:p><w:p><w:r><w:t>a</w:t><w:tab/><w:t>b &amp;</w:t><w:br/><w:t>&#x263A;</w:t></w:r></w:p>",
        run("kept "),
        run("added "),
        run("moved away"),
        run("after"),
    );
    let extracted = read(DocumentFormat::Docx, docx(&body)).await.unwrap();
    assert_eq!(extracted.text, "kept added after\n\nboxed\n\na\tb &\n☺");
}

#[tokio::test]
async fn a_docx_in_another_language_has_headings_and_lists_all_the_same() {
    let styles = "<w:style w:styleId='berschrift2'><w:name w:val='heading 2'/></w:style>\
        <w:style w:styleId='Mein'><w:basedOn w:val='berschrift2'/></w:style>\
        <w:style w:styleId='A'><w:basedOn w:val='B'/></w:style><w:style w:styleId='B'><w:basedOn w:val='A'/></w:style>\
        <w:style w:styleId='Liste'><w:pPr><w:numPr><w:numId w:val='7'/></w:numPr></w:pPr></w:style>";
    let numbering = "<w:abstractNum w:abstractNumId='3'><w:lvl w:ilvl='0'><w:start w:val='4'/>\
        <w:numFmt w:val='decimal'/></w:lvl></w:abstractNum><w:num w:numId='7'><w:abstractNumId w:val='3'/></w:num>";
    let paragraph = |style: &str, text: &str| {
        format!("<w:p><w:pPr><w:pStyle w:val='{style}'/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>")
    };
    let cell = |text: &str, properties: &str| {
        format!("<w:tc><w:tcPr>{properties}</w:tcPr>{}</w:tc>", paragraph("", text))
    };
    let body = format!(
        "{}{}{}{}{}<w:tbl><w:tr>{}</w:tr><w:tr>{}{}</w:tr></w:tbl>",
        paragraph("Mein", "Kopf"),
        paragraph("A", "loop"),
        paragraph("Liste", "vier"),
        paragraph("Liste", "fünf"),
        "<w:p><w:pPr><w:outlineLvl w:val='0'/></w:pPr><w:r><w:t>Teil</w:t></w:r></w:p>",
        cell("wide", "<w:gridSpan w:val='2'/>"),
        cell("x", ""),
        cell("y", "<w:vMerge/>"),
    );
    let document = docx_with(&body, &[("styles", styles), ("numbering", numbering)]);
    let extracted = read(DocumentFormat::Docx, document).await.unwrap();
    assert_eq!(
        extracted.text,
        "## Kopf\n\nloop\n\n4. vier\n5. fünf\n\n# Teil\n\n| wide |  |\n| --- | --- |\n| x |  |"
    );
}

#[tokio::test]
async fn a_document_without_words_says_so() {
    for (format, bytes) in [
        (DocumentFormat::Docx, docx("<w:p/>")),
        (HTML, b"<html><body><img src=x></body></html>".to_vec()),
        (TEXT, b" \r\n \n".to_vec()),
    ] {
        assert!(matches!(read(format, bytes).await, Err(ExtractError::NoText)), "{format:?}");
    }
}
