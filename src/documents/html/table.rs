//! HTML tables. The converter's own handler wants a head, skips heading cells further
//! down, and pads columns, which lets one long cell fill all memory.
//!
//! The converter hands over text, not elements, so cells and rows end in a separator on
//! their way up to the table. The one rule: a page cannot write a separator, because
//! `guard` lets no control character through.

use htmd::element_handler::{HandlerResult, Handlers};
use htmd::{Element, HtmlToMarkdownBuilder};

use crate::documents::markdown;

const TABLE: char = '\x1C';
const CELL_END: char = '\x1D';
const ROW_END: char = '\x1E';
const CAPTION_END: char = '\x1F';

/// Has the converter write tables as `markdown` does.
pub(super) fn handled_by(builder: HtmlToMarkdownBuilder) -> HtmlToMarkdownBuilder {
    builder
        .add_handler(vec!["caption"], |handlers: &dyn Handlers, element: Element| {
            ended(handlers, &element, CAPTION_END)
        })
        .add_handler(vec!["td", "th"], |handlers: &dyn Handlers, element: Element| {
            ended(handlers, &element, CELL_END)
        })
        .add_handler(vec!["tr"], |handlers: &dyn Handlers, element: Element| {
            ended(handlers, &element, ROW_END)
        })
        .add_handler(vec!["thead", "tbody", "tfoot"], |handlers: &dyn Handlers, element: Element| {
            Some(handlers.walk_children(element.node))
        })
        .add_handler(vec!["table"], |handlers: &dyn Handlers, element: Element| {
            Some(written(&handlers.walk_children(element.node).content).into())
        })
}

/// The text without what was left of the separators.
pub(super) fn without_separators(text: &str) -> String {
    text.replace([TABLE, CELL_END, ROW_END, CAPTION_END], "")
}

fn ended(handlers: &dyn Handlers, element: &Element, end: char) -> Option<HandlerResult> {
    let mut content = handlers.walk_children(element.node).content;
    content.push(end);
    Some(content.into())
}

fn written(content: &str) -> String {
    let (caption, content) = content.split_once(CAPTION_END).unwrap_or(("", content));
    let rows: Vec<Vec<String>> = content.split_terminator(ROW_END).map(cells).collect();
    let rows: Vec<_> = rows.into_iter().filter(|row| row.iter().any(|cell| !cell.is_empty())).collect();
    let text = if content.contains(TABLE) {
        // It only arranges other tables on the page.
        rows.concat().join("\n\n")
    } else {
        markdown::table(&rows)
    };
    format!("\n\n{TABLE}{}\n\n{text}\n\n", caption.trim())
}

fn cells(row: &str) -> Vec<String> {
    row.split_terminator(CELL_END).map(|cell| cell.trim().to_owned()).collect()
}
