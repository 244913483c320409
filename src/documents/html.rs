//! HTML becomes Markdown: headings, lists, tables and links survive.
//!
//! The page is first written anew by `guard`, which keeps only what carries meaning and
//! no more levels than a reader can follow; the converter sees nothing else.

mod dropping;
mod elements;
mod guard;
mod syntax;
mod table;

use encoding_rs::Encoding;
use htmd::HtmlToMarkdown;
use htmd::options::{BulletListMarker, HrStyle, Options};

use super::error::Refusal;
use super::format::Charset;
use super::report::{Extracted, Note};
use super::{sniff, text};

/// Where a page must name its charset, says the standard.
const META_WITHIN_BYTES: usize = 1024;

/// Reads a page; `is_xhtml` when its sender says so.
pub(super) fn read(bytes: &[u8], declared: Option<Charset>, is_xhtml: bool) -> Result<Extracted, Refusal> {
    let decoded = text::decode(bytes, declared.or_else(|| charset_of_meta(bytes)));
    if sniff::is_noise(&decoded.text) {
        return Err(Refusal::TypeMismatch);
    }
    let mut notes = decoded.notes();
    let page = guard::rewrite(&text::clean(&decoded.text), is_xhtml);
    drop(decoded);
    if page.has_images {
        notes.push(Note::ImagesDropped);
    }
    let markdown = converter().convert(&page.html).map_err(|_| Refusal::Malformed)?;
    let markdown = text::tidy(&table::without_separators(&markdown));
    let text = match page.title {
        Some(title) => format!("# {title}\n\n{markdown}"),
        None => markdown,
    };
    Ok(Extracted { text, notes })
}

fn converter() -> HtmlToMarkdown {
    let builder = HtmlToMarkdown::builder().options(Options {
        hr_style: HrStyle::Dashes,
        bullet_list_marker: BulletListMarker::Dash,
        ul_bullet_spacing: 1,
        ol_number_spacing: 1,
        ..Options::default()
    });
    table::handled_by(builder).build()
}

/// The charset that the page itself names near its beginning.
fn charset_of_meta(bytes: &[u8]) -> Option<Charset> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(META_WITHIN_BYTES)]).to_ascii_lowercase();
    head.match_indices("<meta").find_map(|(start, _)| {
        let tag = head[start..].split('>').next()?;
        let (_, value) = tag.split_once("charset=")?;
        let label = value.trim_start_matches(['"', '\'', ' ']).split(['"', '\'', ' ', ';', '/']).next()?;
        let charset = Charset::of_label(label)?;
        // It is readable as bytes of ASCII, so it cannot be UTF-16, whatever it says.
        if Encoding::is_ascii_compatible(charset.encoding()) {
            Some(charset)
        } else {
            Charset::of_label("utf-8")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{charset_of_meta, read};
    use crate::documents::format::Charset;
    use crate::documents::report::Note;

    fn markdown(html: &str) -> String {
        read(html.as_bytes(), None, false).unwrap().text
    }

    #[test]
    fn headings_lists_tables_and_links_survive() {
        let page = "<!DOCTYPE html><html><head><title>Ignored: there is a heading</title></head><body>\
            <h1>Tea &amp; coffee</h1><p>Two <b>drinks</b>, see <a href='https://example.com/t'>here</a>.</p>\
            <h2>Steps</h2><ol><li>Boil<li>Pour<ul><li>slowly</ul></ol>\
            <table><tr><th>Drink<th>Minutes<tr><td>Tea<td>4<tr><td>Coffee|filter<td>3</table></body></html>";
        assert_eq!(
            markdown(page),
            "# Tea & coffee\n\nTwo **drinks**, see [here](https://example.com/t).\n\n## Steps\n\n\
             1. Boil\n2. Pour\n   - slowly\n\n\
             | Drink | Minutes |\n| --- | --- |\n| Tea | 4 |\n| Coffee\\|filter | 3 |"
        );
    }

    #[test]
    fn a_table_without_a_head_is_one_and_a_table_of_tables_is_none() {
        let page = "<table><tbody><tr><td>a</td><th>b</th></tr><tr><td><table><tr><td>c<td>d</table></td>\
            <td>e</td></tr></tbody></table>";
        assert_eq!(markdown(page), "a\n\nb\n\n| c | d |\n| --- | --- |\n\ne");
        assert_eq!(
            markdown("<table><tr><td>a<th>b<tr><th>c<td>d</table>"),
            "| a | b |\n| --- | --- |\n| c | d |"
        );
    }

    #[test]
    fn what_is_not_read_by_people_is_dropped() {
        let page = "<head><title>T</title><style>p{}</style></head><nav><nav>x</nav>Menu</nav><p>Text</p>\
            <script>if (a < b) { '</p>' }</script><template><p>t</p></template><svg><text>s</text></svg>\
            <noscript>n</noscript><iframe>i</iframe><!-- c --><select><option>o</select>";
        assert_eq!(markdown(page), "# T\n\nText");
    }

    #[test]
    fn a_tag_that_ends_itself_drops_nothing_in_xhtml() {
        let sent_as_xhtml = |page: &str| read(page.as_bytes(), None, true).unwrap().text;
        for tag in ["script src='a.js'", "iframe", "object", "nav", "textarea", "select", "style", "title"] {
            let page = format!("<head><{tag}/></head><body><{tag} /><p>Text</p></body>");
            assert_eq!(sent_as_xhtml(&page), "Text", "{tag}");
            for beginning in [
                "<?xml version='1.0'?>",
                "<!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0 Strict//EN'>",
                "<html xmlns='http://www.w3.org/1999/xhtml'>",
            ] {
                assert_eq!(markdown(&format!("{beginning}{page}")), "Text", "{beginning} {tag}");
            }
        }
    }

    #[test]
    fn xhtml_is_read_by_the_rules_of_xml() {
        let page = "<?xml version='1.0'?><html><head><title>T</title><script>//<![CDATA[\n'<p>'//]]></script>\
            </head><body><a name='top'/><p>one<![CDATA[ & <b>two]]></p><div/><p/><ul><li/><li>four</li></ul>\
            <table><tr><td/><td>five</td></tr></table><nav>Menu</nav></body></html>";
        assert_eq!(markdown(page), "# T\n\none & \\<b>two\n\n-\n- four\n\n|  | five |\n| --- | --- |");
    }

    #[test]
    fn in_html_only_drawings_end_themselves() {
        assert_eq!(markdown("<svg/><svg><svg/><style/><title/></svg><p>Text</p><math/>more"), "Text\n\nmore");
        assert_eq!(markdown("<body><p>a</p><script src='a.js'/><p>code</p></script><p>b</p>"), "a\n\nb");
    }

    #[test]
    fn what_is_around_a_dropped_element_ends_it() {
        for (page, text) in [
            ("<div><select><option>o</div><p>Text</p>", "Text"),
            ("<div><object><div>o</div>o</div><p>Text</p>", "Text"),
            ("<ul><li>a<video><li>b</ul><p>Text</p>", "- a\n\nText"),
            ("<table><tr><td><select><option>o<td>b<tr><td>c</table>", "|  | b |\n| --- | --- |\n| c |"),
            ("<table><tr><td><object><table><tr><td>o<td>o</table></object>a</table>", "a"),
            ("<select><option>a<select><option>b</select><p>Text</p>", "Text"),
            // A stray end tag ends nothing, and a template is sealed.
            ("<select></section></select><p>Text</p>", "Text"),
            ("<table><tr><td>a<template><tr><td>t</td></div></template></table>", "a"),
        ] {
            assert_eq!(markdown(page), text, "{page}");
        }
    }

    #[test]
    fn what_is_never_closed_is_read() {
        for name in ["nav", "select", "object", "video", "textarea", "iframe", "svg", "template", "noscript"]
        {
            let page = format!("<p>a</p><{name}>c</{name}><p>b</p><{name}><p>Text</p><h2>More</h2>");
            assert_eq!(markdown(&page), "a\n\nb\n\nText\n\n## More", "{name}");
        }
        assert_eq!(markdown("<title>T<body><p>Text</p>"), "T\n\nText");
        // A menu is read by people, so its text is not lost with what is around it.
        assert_eq!(markdown("<div>a<nav>Menu<p>Text</p></div><p>b</p>"), "a Menu\n\nText\n\nb");
        assert_eq!(markdown("<p>a<nav>Menu</nav>b"), "a\n\nb");
    }

    #[test]
    fn code_that_is_never_closed_is_read_unless_the_page_breaks_off() {
        for page in [
            "<p>a</p><script src='a.js'><p>Text</p></body>",
            "<p>a</p><script src='a.js'/><p>Text</p>",
            "<p>a</p><script>c</script><style><p>Text</p></HTML>\n<!-- cached -->",
        ] {
            assert_eq!(markdown(page), "a\n\nText", "{page}");
        }
        assert_eq!(markdown("<body><p>a</p><script>var page = '<p>"), "a");
    }

    #[test]
    fn every_name_left_open_is_one_more_reading_and_no_more() {
        let open =
            ["audio", "canvas", "math", "nav", "object", "select", "svg", "template", "video", "iframe"];
        let opening: String = open.iter().map(|name| format!("<{name}>")).collect();
        let page = format!("{}<p>Text", opening.repeat(1000));
        assert_eq!(markdown(&page), "Text");
        let page = format!("{}{}<p>Text", "<div><nav>".repeat(1000), "</div>".repeat(1000));
        assert_eq!(markdown(&page), "Text");
    }

    #[test]
    fn images_leave_their_description_and_a_note() {
        let extracted = read(b"<p>See <img src='data:x' alt='a red &lt;fox&gt;'></p>", None, false).unwrap();
        assert_eq!(extracted.text, "See a red \\<fox>");
        assert_eq!(extracted.notes, [Note::ImagesDropped]);
    }

    #[test]
    fn links_that_lead_nowhere_are_plain_text() {
        for target in ["javascript:alert(1)", "#top", "data:text/plain,x", ""] {
            assert_eq!(markdown(&format!("<p><a href=\"{target}\">Up</a></p>")), "Up", "{target}");
        }
    }

    #[test]
    fn a_hundred_thousand_levels_keep_their_text() {
        for (opening, closing) in [
            ("<div>", "</div>"),
            ("<blockquote>", "</blockquote>"),
            ("<ul><li>", "</ul>"),
            ("<table><tr><td>", "</table>"),
            ("<p><i>", ""),
            ("<x>", "</y>"),
        ] {
            let page = format!("{}core{}<p>after", opening.repeat(100_000), closing.repeat(100_000));
            let text = markdown(&page);
            assert!(text.contains("core") && text.contains("after"), "{opening}");
        }
    }

    #[test]
    fn tags_that_end_by_themselves_do_not_count_as_levels() {
        let items: String = (0..1000).map(|n| format!("<li>item {n}<p>more<p>text")).collect();
        let text = markdown(&format!("<ul>{items}</ul>"));
        assert!(text.contains("- item 999"), "the thousandth item is still an item");
        let rows: String = (0..1000).map(|n| format!("<tr><td>{n}<td>x")).collect();
        assert!(markdown(&format!("<table>{rows}</table>")).ends_with("| 999 | x |"));
        let paragraphs = markdown(&"<p>one".repeat(600));
        assert_eq!(paragraphs.matches("one\n\n").count(), 599);
    }

    #[test]
    fn the_charset_comes_from_the_page_when_nobody_else_says() {
        let page = b"<html><head><META http-equiv='Content-Type' content='text/html; charset=windows-1251'>\
            </head><body>\xCC\xE8\xF0</body>";
        assert_eq!(read(page, None, false).unwrap().text, "Мир");
        assert_eq!(charset_of_meta(b"<meta charset=\"utf-16\">"), Charset::of_label("utf-8"));
        assert_eq!(charset_of_meta(b"<p>charset=latin1"), None);
    }
}
