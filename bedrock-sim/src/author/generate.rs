//! Pieces that are written from a brief: blog posts, product descriptions, posts for platforms.
//!
//! Owns the reading of labelled lines and the sentences that stand around a caller's own words. A
//! blog post needs more than its brief says; what is added is said of any matter.
//! The one rule it protects: no figure, name or fact stands in a piece that is not in the brief.

use serde_json::{Map, Value, json};

use super::brief;
use super::rank;
use super::summary;
use super::text;
use super::words;

/// What is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    BlogPost,
    ProductDescription,
    Posts,
}

const ORDERS: [(&str, Piece); 3] = [
    ("write a blog post", Piece::BlogPost),
    ("write a product description", Piece::ProductDescription),
    ("write social media posts", Piece::Posts),
];
const USUAL_WORDS: usize = 400;
const USUAL_SECTIONS: [&str; 3] = ["Why it matters", "Where to begin", "What to keep in mind"];

/// What a section says of its point. Each stands in a post once.
const OF_A_POINT: [&str; 14] = [
    "{point} deserves a closer look, because much else depends on it.",
    "It helps to ask what it changes in practice, and for whom.",
    "A small step in the right direction is worth more here than a grand plan.",
    "Those who have tried it tend to say the same: begin simply, and see what works.",
    "With {topic}, the details decide, and this is one of them.",
    "It is easy to overlook, and easier still to put off.",
    "The question is less whether it is worth the effort than where to put the effort first.",
    "What looks like a detail at first often turns out to be the heart of the matter.",
    "Take the time to do it well once, and the rest follows more easily.",
    "Talk about it with others, for most of them have met the same question.",
    "Nothing about it has to be perfect on the first day.",
    "Look at it from the other side as well: what would be missing without it?",
    "A short note of what went well, and what did not, makes the next attempt easier.",
    "In the end it is a habit more than a task.",
];

/// What is asked for in these instructions, if it is such a piece.
pub(super) fn asked(instructions: &str) -> Option<Piece> {
    let lower = instructions.to_lowercase();
    let found = ORDERS.iter().filter_map(|(order, piece)| Some((lower.find(order)?, *piece)));
    found.min_by_key(|(at, _)| *at).map(|(_, piece)| piece)
}

/// What is asked for as data of this schema, if it is such a piece.
pub(super) fn asked_as(schema: &Value) -> Option<Piece> {
    let members = &schema["properties"];
    if members["posts"]["items"]["properties"]["platform"]["enum"].is_array() {
        Some(Piece::Posts)
    } else if members["sections"]["items"]["properties"]["heading"].is_object() {
        Some(Piece::BlogPost)
    } else if members["highlights"].is_object() && members["description"].is_object() {
        Some(Piece::ProductDescription)
    } else {
        None
    }
}

/// The piece as prose.
pub(super) fn write(piece: Piece, document: &str, instructions: &str) -> String {
    let plain = instructions.to_lowercase().contains("plain text");
    let limit = limit(instructions);
    match piece {
        Piece::BlogPost => {
            let post = BlogPost::of(document, limit);
            let mark = |signs: &str, heading: &str| match plain {
                true => heading.to_owned(),
                false => format!("{signs} {heading}"),
            };
            let mut parts = vec![mark("#", &post.title), post.opening];
            for (heading, text) in post.sections {
                parts.extend([mark("##", &heading), text]);
            }
            parts.join("\n\n")
        }
        Piece::ProductDescription => {
            let name = label(document, "Name").unwrap_or("The product");
            let description = description(document, limit);
            if plain { description } else { description.replacen(name, &format!("**{name}**"), 1) }
        }
        Piece::Posts => posts(document, &["x"], false).remove(0).0,
    }
}

/// The piece as data.
pub(super) fn write_json(piece: Piece, schema: &Value, document: &str, instructions: &str) -> Value {
    let limit = limit(instructions);
    match piece {
        Piece::BlogPost => {
            let post = BlogPost::of(document, limit);
            let sections =
                post.sections.iter().map(|(heading, text)| json!({ "heading": heading, "text": text }));
            json!({
                "title": post.title,
                "summary": post.opening,
                "sections": sections.collect::<Vec<Value>>(),
                "tags": list(document, "Keywords"),
            })
        }
        Piece::ProductDescription => {
            let highlights: Vec<String> =
                list(document, "Features").iter().map(|feature| words::capitalized(feature)).collect();
            let name = label(document, "Name").unwrap_or("The product");
            let headline = match label(document, "Target audience") {
                Some(audience) => format!("{name}, made for {audience}"),
                None => format!("{name}: {}", highlights.first().map_or("", String::as_str)),
            };
            json!({
                "headline": headline,
                "description": description(document, limit),
                "highlights": highlights,
            })
        }
        Piece::Posts => {
            let names = schema["properties"]["posts"]["items"]["properties"]["platform"]["enum"].as_array();
            let names: Vec<&str> = names.into_iter().flatten().filter_map(Value::as_str).collect();
            // A second try knows better.
            let again = instructions.contains("earlier answer");
            let told = names.iter().zip(posts(document, &names, again)).map(|(name, (text, hashtags))| {
                Value::Object(Map::from_iter([
                    ("platform".to_owned(), Value::from(*name)),
                    ("text".to_owned(), text.into()),
                    ("hashtags".to_owned(), hashtags.into()),
                ]))
            });
            json!({ "posts": told.collect::<Vec<Value>>() })
        }
    }
}

fn limit(instructions: &str) -> usize {
    let lower = instructions.to_lowercase();
    lower.lines().filter(|line| line.contains("at most")).find_map(brief::most_words).unwrap_or(USUAL_WORDS)
}

struct BlogPost {
    title: String,
    opening: String,
    sections: Vec<(String, String)>,
}

impl BlogPost {
    fn of(document: &str, limit: usize) -> Self {
        let topic = label(document, "Topic").map_or_else(|| text::one_line(document), str::to_owned);
        let topic = topic.trim_end_matches(['.', '!']);
        let audience = label(document, "Audience").unwrap_or("anyone who is curious");
        let mut opening = format!("This post is about {} and is written for {audience}.", small(topic));
        let keywords = list(document, "Keywords");
        if !keywords.is_empty() {
            opening.push_str(&format!(" It also touches on {}.", listed(&keywords)));
        }
        let outline = list(document, "Outline");
        let headings = match outline.is_empty() {
            true => USUAL_SECTIONS.iter().map(ToString::to_string).collect(),
            false => outline,
        };
        let mut room = limit.saturating_sub(words::count(topic) + words::count(&opening));
        let each = OF_A_POINT.len() / headings.len().max(1);
        let mut sentences = OF_A_POINT.iter();
        let mut sections = Vec::new();
        for heading in headings {
            room = room.saturating_sub(words::count(&heading));
            let mut told = Vec::new();
            for _ in 0..each.max(1) {
                let Some(sentence) = sentences.next().or(OF_A_POINT.last()) else { break };
                let sentence = sentence.replace("{point}", &heading).replace("{topic}", &small(topic));
                if words::count(&sentence) > room {
                    break;
                }
                room -= words::count(&sentence);
                told.push(sentence);
            }
            if told.is_empty() {
                break;
            }
            sections.push((heading, told.join(" ")));
        }
        Self { title: words::capitalized(topic), opening, sections }
    }
}

fn description(document: &str, limit: usize) -> String {
    let name = label(document, "Name").unwrap_or("The product");
    let audience = label(document, "Target audience");
    let mut told = vec![match audience {
        Some(audience) => format!("{name} is made for {audience}."),
        None => format!("Meet {name}."),
    }];
    let features = list(document, "Features");
    for (at, feature) in features.iter().enumerate() {
        let feature = feature.trim_end_matches('.');
        told.push(match at % 4 {
            0 => format!("It comes with this: {feature}."),
            1 => format!("{}: that is part of it, too.", words::capitalized(feature)),
            2 => format!("There is more: {feature}."),
            _ => format!("Count on this as well: {feature}."),
        });
    }
    if features.len() > 1 {
        told.push(format!("All of that is {name}."));
    }
    let mut written = String::new();
    for sentence in told {
        let longer = if written.is_empty() { sentence } else { format!("{written} {sentence}") };
        if words::count(&longer) > limit && !written.is_empty() {
            break;
        }
        written = longer;
    }
    written
}

/// Text and hashtags of a post for each platform. The first sentence is told whole, however long it
/// is, unless this is another try.
fn posts(document: &str, platforms: &[&str], again: bool) -> Vec<(String, Vec<String>)> {
    let best: Vec<(usize, String)> = rank::best(document)
        .take(8)
        .map(|best| (best.place, text::without_markup(&text::one_line(best.text))))
        .collect();
    let topics = hashtags(document, best.first().map_or("", |(_, sentence)| sentence));
    let post = |platform: &&str| {
        let (room, hashtags) = match *platform {
            "x" => (200, 2),
            "bluesky" => (220, 2),
            "threads" => (330, 1),
            "mastodon" => (330, 3),
            _ => (650, 4),
        };
        let mut chosen: Vec<(usize, String)> = Vec::new();
        let mut length = 0;
        for (place, sentence) in &best {
            let sentence = match again && chosen.is_empty() && sentence.chars().count() > room {
                true => summary::shortened(sentence, room / 8),
                false => sentence.clone(),
            };
            let longer = length + sentence.chars().count() + 1;
            if longer > room && !chosen.is_empty() {
                continue;
            }
            length = longer;
            chosen.push((*place, sentence));
        }
        chosen.sort_by_key(|(place, _)| *place);
        let sentences: Vec<String> = chosen.into_iter().map(|(_, sentence)| sentence).collect();
        let separator = if room > 400 { "\n\n" } else { " " };
        (sentences.join(separator), topics.iter().take(hashtags).cloned().collect())
    };
    platforms.iter().map(post).collect()
}

/// What the document names most often; where it names nothing twice, long words of a sentence.
fn hashtags(document: &str, sentence: &str) -> Vec<String> {
    const MOST: usize = 5;
    const LONG_WORD_CHARS: usize = 6;
    let topics = rank::topics(document, MOST);
    let named: Vec<String> = match topics.is_empty() {
        false => topics,
        true => words::plain_words(sentence)
            .filter(|word| word.chars().count() >= LONG_WORD_CHARS && !words::is_common(&words::lower(word)))
            .filter(|word| word.chars().all(char::is_alphabetic))
            .take(MOST)
            .map(str::to_owned)
            .collect(),
    };
    named.iter().map(|word| words::capitalized(word)).collect()
}

/// The words behind a label.
fn label<'a>(document: &'a str, label: &str) -> Option<&'a str> {
    let of_line = |line: &'a str| Some(line.strip_prefix(label)?.strip_prefix(':')?.trim());
    document.lines().find_map(of_line).filter(|words| !words.is_empty())
}

/// The items of the list under a label.
fn list(document: &str, label: &str) -> Vec<String> {
    let is_label = |line: &&str| line.strip_prefix(label) == Some(":");
    let items = document.lines().skip_while(|line| !is_label(line)).skip(1);
    items.map_while(|line| line.strip_prefix("- ")).map(str::to_owned).collect()
}

/// "one, two and three".
fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A topic within a sentence: with a small letter where its first word is an ordinary one.
fn small(topic: &str) -> String {
    let first = words::plain_words(topic).next().unwrap_or_default();
    let mut letters = topic.chars();
    match letters.next() {
        Some(letter) if words::is_common(&words::lower(first)) => {
            letter.to_lowercase().chain(letters).collect()
        }
        _ => topic.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BRIEF: &str = "Topic: How to read a map\nAudience: young hikers\nKeywords:\n- compass\n- scale\nOutline:\n- \
                         Symbols first\n- Which way is north";

    #[test]
    fn a_piece_is_told_by_its_order() {
        let cases = [
            ("Job:\n- Write a blog post about the topic.", Some(Piece::BlogPost)),
            ("Write a product description of it. Not a blog post.", Some(Piece::ProductDescription)),
            ("Summarize the blog post.", None),
        ];
        for (instructions, piece) in cases {
            assert_eq!(asked(instructions), piece, "{instructions}");
        }
    }

    #[test]
    fn a_blog_post_follows_its_brief() {
        let post =
            write(Piece::BlogPost, BRIEF, "Write a blog post.\n- Write at most 300 words; use the room.");
        assert!(post.starts_with("# How to read a map\n\nThis post is about how to read a map"), "{post}");
        for part in
            ["young hikers", "compass and scale", "\n\n## Symbols first\n\n", "\n\n## Which way is north\n\n"]
        {
            assert!(post.contains(part), "{part} in {post}");
        }
        assert!(words::count(&post) <= 300 + 6, "{post}");
        let plain = write(Piece::BlogPost, BRIEF, "Write a blog post in plain text.");
        assert!(!plain.contains('#'), "{plain}");
        let short = write(Piece::BlogPost, BRIEF, "Write at most 40 words.");
        assert!(words::count(&short) < 50, "{short}");
    }

    #[test]
    fn a_description_names_every_feature() {
        let brief =
            "Name: Lumo lamp\nTarget audience: night readers\nFeatures:\n- warm light\n- clips to a book";
        let text = write(Piece::ProductDescription, brief, "");
        assert!(text.starts_with("**Lumo lamp** is made for night readers."), "{text}");
        assert!(text.contains("warm light") && text.contains("Clips to a book"), "{text}");
        let data = write_json(Piece::ProductDescription, &Value::Null, brief, "");
        assert_eq!(data["highlights"], json!(["Warm light", "Clips to a book"]));
    }

    #[test]
    fn a_second_try_shortens_what_was_too_long() {
        let schema = json!({"properties": {"posts": {"items": {"properties": {"platform": {"enum": ["x", "linkedin"]}}}}}});
        assert_eq!(asked_as(&schema), Some(Piece::Posts));
        let document =
            format!("The bridge {} in the end. Bridges need care.", "is long and wide and ".repeat(20));
        let text = |instructions: &str| {
            let data = write_json(Piece::Posts, &schema, &document, instructions);
            assert_eq!(data["posts"][1]["platform"], "linkedin");
            data["posts"][0]["text"].as_str().unwrap().to_owned()
        };
        assert!(text("Write social media posts.").len() > 280);
        assert!(text("There is an earlier answer.").len() < 280);
    }
}
