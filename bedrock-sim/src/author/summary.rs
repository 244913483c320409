//! Summaries: the best sentences of a document, as bullets or as prose.
//!
//! Owns how many sentences are taken and how they are put down. Which are the best is the ranking's
//! matter. The one rule it protects: sentences stand in the order of the document, whole where the
//! limits allow it.

use super::brief::{Brief, Form};
use super::rank::{self, Best};
use super::text;
use super::words;

const USUAL_BULLETS: usize = 5;
const USUAL_SENTENCES: usize = 3;
const SENTENCES_PER_PARAGRAPH: usize = 3;
/// A text up to this many words is given back whole where no task was recognized.
const REPLY_WORDS: usize = 80;

pub(super) fn write(document: &str, brief: &Brief) -> String {
    let best = rank::best(document);
    if brief.form == Form::Bullets {
        return bullets(best, brief);
    }
    prose(best, brief)
}

/// An answer to a prompt whose task was not recognized: the text, or what it says first of all.
pub(super) fn reply(document: &str, brief: &Brief) -> String {
    if words::count(words::first(document, REPLY_WORDS + 1)) <= REPLY_WORDS {
        return text::one_line(document);
    }
    prose(rank::best(document), brief)
}

/// A sentence of at most `limit` words: whole, or up to a comma, or up to a word.
pub(super) fn shortened(sentence: &str, limit: usize) -> String {
    if words::count(sentence) <= limit {
        return text::one_line(sentence);
    }
    let kept = words::first(sentence, limit);
    let clause = kept.rfind([',', ';', ':', '\u{ff0c}', '\u{3001}']).map(|at| &kept[..at]);
    let long_enough = |clause: &&str| words::count(clause) * 2 >= limit;
    let kept = clause.filter(long_enough).unwrap_or_else(|| without_loose_end(kept));
    let kept = kept.trim_end_matches(|c: char| !c.is_alphanumeric() && !")]\"%\u{201d}".contains(c));
    match sentence.ends_with('\u{3002}') {
        true => format!("{}\u{3002}", text::one_line(kept)),
        false => format!("{}.", text::one_line(kept)),
    }
}

fn bullets(best: Best<'_>, brief: &Brief) -> String {
    let most = brief.max_bullets.unwrap_or(USUAL_BULLETS);
    let lines: Vec<String> = chosen(best, most, brief)
        .into_iter()
        .map(|sentence| if brief.bullet_signs { format!("- {sentence}") } else { sentence })
        .collect();
    lines.join("\n")
}

fn prose(best: Best<'_>, brief: &Brief) -> String {
    let paragraphs = brief.paragraphs.unwrap_or(1).max(1);
    let most = brief.sentences.unwrap_or(match brief.paragraphs {
        Some(paragraphs) => paragraphs.saturating_mul(SENTENCES_PER_PARAGRAPH),
        None => USUAL_SENTENCES,
    });
    let sentences = chosen(best, most, brief);
    let paragraphs = paragraphs.min(sentences.len().max(1));
    let mut written = Vec::with_capacity(paragraphs);
    let mut rest = sentences.as_slice();
    for left in (1..=paragraphs).rev() {
        let (now, later) = rest.split_at(rest.len().div_ceil(left));
        let limit = if brief.paragraphs.is_some() { brief.max_words_each } else { None };
        written.push(joined(now, limit));
        rest = later;
    }
    written.join("\n\n")
}

/// The best sentences within the limits, in the order of the document.
fn chosen(best: Best<'_>, most: usize, brief: &Brief) -> Vec<String> {
    let each = match brief.form {
        Form::Bullets => brief.max_words_each.unwrap_or(usize::MAX),
        _ => usize::MAX,
    };
    let mut room = brief.max_words.unwrap_or(usize::MAX);
    let mut chosen: Vec<(usize, String)> = Vec::new();
    for candidate in best {
        if chosen.len() == most || room == 0 {
            break;
        }
        let sentence = clean(candidate.text, brief);
        let limit = match chosen.is_empty() {
            // The first sentence is shortened rather than left out.
            true => each.min(room),
            false if words::count(&sentence) > room => continue,
            false => each,
        };
        let sentence = shortened(&sentence, limit);
        room -= words::count(&sentence).min(room);
        if !sentence.is_empty() {
            chosen.push((candidate.place, sentence));
        }
    }
    chosen.sort_by_key(|(place, _)| *place);
    chosen.into_iter().map(|(_, sentence)| sentence).collect()
}

fn clean(sentence: &str, brief: &Brief) -> String {
    let line = text::one_line(sentence);
    let line = if brief.plain { text::without_markup(&line) } else { line };
    words::capitalized(&line)
}

fn joined(sentences: &[String], limit: Option<usize>) -> String {
    let mut room = limit.unwrap_or(usize::MAX);
    let mut paragraph = String::new();
    for sentence in sentences {
        let words = words::count(sentence);
        if words > room && !paragraph.is_empty() {
            continue;
        }
        let sentence = shortened(sentence, room);
        room = room.saturating_sub(words);
        if !paragraph.is_empty() && !paragraph.ends_with('\u{3002}') {
            paragraph.push(' ');
        }
        paragraph.push_str(&sentence);
        if !sentence.ends_with(|c: char| !c.is_alphanumeric()) {
            paragraph.push('.');
        }
    }
    paragraph
}

/// Takes words off the end that cannot end a sentence: "the", "of", "and".
fn without_loose_end(text: &str) -> &str {
    let mut text = text.trim_end();
    while let Some(at) = text.rfind(char::is_whitespace) {
        let last = text[at..].trim();
        if !words::is_common(&words::lower(last)) {
            break;
        }
        text = text[..at].trim_end();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARTICLE: &str = "On 3 March 2025 the city of Graz opened a bridge of 120 m for cyclists. \
        It cost 4.2 million euros. \"We should have built it ten years ago,\" said engineer Ana Horvat. \
        Traffic on the old bridge fell by 38 % within a month. The weather was fine on that day.";

    fn summary(instructions: &str) -> String {
        write(ARTICLE, &Brief::read(instructions, ""))
    }

    #[test]
    fn bullets_are_whole_sentences_in_the_order_of_the_document() {
        let summary = summary("Summarize the text in at most 3 bullets.");
        let lines: Vec<&str> = summary.lines().collect();
        assert_eq!(lines.len(), 3);
        let mut last = 0;
        for line in lines {
            let sentence = line.strip_prefix("- ").unwrap();
            let at = ARTICLE.find(sentence).unwrap_or_else(|| panic!("{sentence:?} is not in the document"));
            assert!(at >= last);
            last = at;
        }
    }

    #[test]
    fn limits_of_words_hold() {
        for limit in [5, 12, 20, 40] {
            let total =
                summary(&format!("Summarize the text in 3 bullets of at most {limit} words in total."));
            assert!(words::count(&total.replace("- ", "")) <= limit, "{limit}: {total}");
            let each = summary(&format!("Summarize the text: 4 bullets, at most {limit} words each."));
            for line in each.lines() {
                assert!(words::count(&line[2..]) <= limit, "{limit}: {line}");
            }
        }
    }

    #[test]
    fn paragraphs_and_sentences_are_as_many_as_asked_for() {
        assert_eq!(summary("Summarize the text in exactly 2 paragraphs.").matches("\n\n").count(), 1);
        let one = summary("Summarize the text in one sentence.");
        assert_eq!(text::sentences(&one).len(), 1, "{one}");
    }

    #[test]
    fn a_cut_sentence_ends_well() {
        assert_eq!(shortened("The city opened the bridge of the year.", 6), "The city opened the bridge.");
        assert_eq!(shortened("When it rained, all of us went home early.", 4), "When it rained.");
        assert_eq!(shortened("Short.", 6), "Short.");
    }
}
