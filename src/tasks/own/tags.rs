//! What may stand in the tags of a template, before the engine reads it.
//!
//! Owns the bounds that the engine has none for: its steps are counted and its output is
//! measured, but not what one step takes. Deep expressions are parsed by recursion, and a
//! text can be multiplied or doubled within a handful of steps. The rule it protects: no
//! template that passes can take the process down, whatever the input.

/// The longest tag, in bytes; it bounds how deep an expression can be.
const LONGEST_TAG: usize = 400;
/// How deep `if` and `for` may stand within each other.
const DEEPEST: usize = 16;

/// Statements that rules need. All others can keep what they computed, or call each other.
const STATEMENTS: [&str; 6] = ["if", "elif", "else", "endif", "for", "endfor"];

/// The first tag that is too much, with its line from 1.
pub(super) fn problem(source: &str) -> Option<(usize, String)> {
    let mut depth = 0;
    let mut rest = source;
    while let Some(at) = rest.find('{') {
        let opened = &rest[at..];
        let line = source[..source.len() - opened.len()].matches('\n').count() + 1;
        let Some(end) = end_of_tag(opened) else {
            rest = &opened[1..];
            continue;
        };
        let (tag, behind) = opened.split_at(end);
        rest = behind;
        if tag.starts_with("{#") {
            continue;
        }
        if tag.len() > LONGEST_TAG {
            return Some((line, format!("has a tag of {} bytes, the most are {LONGEST_TAG}", tag.len())));
        }
        if let Some(found) = multiplies_or_repeats(tag) {
            return Some((line, format!("{found} is not for prompts")));
        }
        if tag.starts_with("{%") {
            let word = statement(tag);
            if !STATEMENTS.contains(&word) {
                let known = STATEMENTS.join(", ");
                return Some((line, format!("{word} is no statement for prompts, known are {known}")));
            }
            match word {
                "if" | "for" => depth += 1,
                "endif" | "endfor" => depth = usize::saturating_sub(depth, 1),
                _ => {}
            }
            if depth > DEEPEST {
                return Some((line, format!("has statements more than {DEEPEST} deep")));
            }
        }
    }
    None
}

/// Where the tag ends that begins here, if one does. Ends within strings are none. What is
/// never closed ends with the text; the engine says so in its own words.
fn end_of_tag(text: &str) -> Option<usize> {
    let close = match text.as_bytes().get(1)? {
        b'{' => "}}",
        b'%' => "%}",
        b'#' => return Some(text.find("#}").map_or(text.len(), |at| at + 2)),
        _ => return None,
    };
    let mut within = Strings::default();
    let mut at = 2;
    while at < text.len() {
        if !within.covers(text.as_bytes()[at]) && text[at..].starts_with(close) {
            return Some(at + 2);
        }
        at += 1;
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    Some(text.len())
}

/// Follows the strings in a tag, byte by byte.
#[derive(Default)]
struct Strings {
    quote: Option<u8>,
    is_escaped: bool,
}

impl Strings {
    /// Whether this byte belongs to a string.
    fn covers(&mut self, byte: u8) -> bool {
        match self.quote {
            Some(_) if self.is_escaped => self.is_escaped = false,
            Some(_) if byte == b'\\' => self.is_escaped = true,
            Some(quote) if byte == quote => self.quote = None,
            Some(_) => {}
            None if matches!(byte, b'"' | b'\'') => self.quote = Some(byte),
            None => return false,
        }
        true
    }
}

/// A sign or word outside of strings with which little becomes much.
fn multiplies_or_repeats(tag: &str) -> Option<&'static str> {
    let mut within = Strings::default();
    let plain: Vec<u8> = tag.bytes().map(|byte| if within.covers(byte) { b' ' } else { byte }).collect();
    if plain.contains(&b'*') {
        return Some("*");
    }
    let mut words = plain.split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
    words.any(|word| word == b"recursive").then_some("recursive")
}

/// The word that a statement begins with.
fn statement(tag: &str) -> &str {
    let inner = tag[2..].trim_start_matches(['-', '+']).trim_start();
    let end = inner.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(inner.len());
    &inner[..end]
}

#[cfg(test)]
mod tests {
    use super::problem;

    #[test]
    fn what_rules_need_may_stand_in_tags() {
        for source in [
            "Plain { text } with % and * and {.",
            "{% if tone == \"a*b %} c\" %}{{ tone }}{% elif x %}{% else %}{% endif %}",
            "{%- for name in names or [] -%}{{ name|upper }}, {%- endfor -%}{# set a = a * 9 #}",
            "{{ language ~ \", set\" }}",
        ] {
            assert_eq!(problem(source), None, "{source}");
        }
        let nested = format!("{}x{}", "{% if a %}".repeat(16), "{% endif %}".repeat(16));
        assert_eq!(problem(&nested), None);
    }

    #[test]
    fn what_could_take_the_process_down_is_told_with_its_line() {
        let deep = format!("{}x", "{% if a %}".repeat(17));
        let chain = format!("a\n{{{{ {}1 }}}}", "-".repeat(5_000));
        let filters = format!("{{{{ w{} }}}}", "|upper".repeat(2_000));
        for (source, line, message) in [
            ("a\n\n{% set a = a ~ a %}", 3, "set is no statement for prompts, known are if, elif"),
            ("{%- macro m() %}", 1, "macro is no statement"),
            ("{% raw %}", 1, "raw is no statement"),
            ("{{ language * 40000 }}", 1, "* is not for prompts"),
            ("{% for a in b recursive %}", 1, "recursive is not for prompts"),
            (&deep, 1, "more than 16 deep"),
            (&chain, 2, "has a tag of 5007 bytes, the most are 400"),
            (&filters, 1, "has a tag of"),
            ("{{ 'never closed * ", 1, ""),
        ] {
            match problem(source) {
                Some((at, told)) => assert!(at == line && told.contains(message), "{source}: {at} {told}"),
                None => assert_eq!(message, "", "{source}"),
            }
        }
    }
}
