//! Text as a printer set it, made readable: words cut at line ends, joined letters, bullets.
//!
//! The one rule: when in doubt, the text stays as it was printed.

use std::collections::HashSet;

/// Letters that were cast in one piece.
const LIGATURES: [(char, &str); 7] = [
    ('\u{FB00}', "ff"),
    ('\u{FB01}', "fi"),
    ('\u{FB02}', "fl"),
    ('\u{FB03}', "ffi"),
    ('\u{FB04}', "ffl"),
    ('\u{FB05}', "st"),
    ('\u{FB06}', "st"),
];
const BULLETS: [char; 6] = ['•', '◦', '▪', '●', '‣', '\u{F0B7}'];
const SOFT_HYPHEN: char = '\u{AD}';

/// Repairs lines.
pub(super) fn readable(text: &str) -> String {
    let text = with_single_letters_and_spaces(text);
    let compounds: HashSet<&str> = words(&text).filter(|word| word.contains('-')).collect();
    let mut joined = String::with_capacity(text.len());
    let mut lines = text.lines().map(str::trim_end).peekable();
    while let Some(line) = lines.next() {
        let line = marked(&mut joined, line);
        match lines.peek().and_then(|next| cut_word(line, next)) {
            Some(cut) if compounds.contains(cut.whole.as_str()) => joined.push_str(line),
            Some(cut) => joined.push_str(cut.before),
            None => {
                joined.push_str(line.trim_end_matches(SOFT_HYPHEN));
                joined.push('\n');
            }
        }
    }
    joined.retain(|c| c != SOFT_HYPHEN);
    joined
}

/// Spaces are what is left of the distance between words; some programs write tabs.
fn with_single_letters_and_spaces(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for c in text.chars() {
        match LIGATURES.iter().find(|(ligature, _)| *ligature == c) {
            Some((_, letters)) => written.push_str(letters),
            None if matches!(c, ' ' | '\t' | '\u{A0}') => {
                if !written.ends_with(' ') {
                    written.push(' ');
                }
            }
            None => written.push(c),
        }
    }
    written
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
}

/// Writes the mark of a list's item and returns what follows it.
fn marked<'a>(written: &mut String, line: &'a str) -> &'a str {
    match line.trim_start().strip_prefix(BULLETS) {
        Some(item) if written.is_empty() || written.ends_with('\n') => {
            written.push_str("- ");
            item.trim_start()
        }
        _ => line,
    }
}

struct Cut<'a> {
    /// The line without the hyphen.
    before: &'a str,
    /// The word as it would be, were the hyphen its own.
    whole: String,
}

/// A word that goes on in the next line: both parts have two small letters at the hyphen.
fn cut_word<'a>(line: &'a str, next: &str) -> Option<Cut<'a>> {
    let before = line.strip_suffix(['-', '\u{2010}', SOFT_HYPHEN])?;
    let is_small = |c: char| c.is_lowercase();
    let first = before.rsplit(|c: char| !c.is_alphabetic()).next()?;
    let second = next.split(|c: char| !c.is_alphabetic()).next()?;
    let ends_small = first.chars().rev().take(2).filter(|c| is_small(*c)).count() == 2;
    let begins_small = second.chars().take(2).filter(|c| is_small(*c)).count() == 2;
    (ends_small && begins_small).then(|| Cut { before, whole: format!("{first}-{second}") })
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn a_cut_word_is_joined() {
        assert_eq!(readable("an exam-\nple of hy\u{AD}\nphenation"), "an example of hyphenation\n");
    }

    #[test]
    fn a_hyphen_that_is_the_word_s_own_stays() {
        assert_eq!(readable("well-known and well-\nknown"), "well-known and well-known\n");
        for kept in ["Anglo-\nAmerican", "1990-\n1995", "x-\nray", "end -\nand", "A-\nb"] {
            assert_eq!(readable(kept), format!("{kept}\n"));
        }
    }

    #[test]
    fn joined_letters_are_single_again_and_bullets_are_marks() {
        assert_eq!(readable("e\u{FB03}cient \u{FB01}sh"), "efficient fish\n");
        assert_eq!(readable("•  one\n• two\n3 • 4"), "- one\n- two\n3 • 4\n");
    }
}
