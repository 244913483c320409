//! Examples of request bodies, which the reader accepts: `requests` tests it.

use serde_json::{Value, json};

use crate::domain::TaskKind;

/// An example body, with a name and a sentence.
pub(super) struct Example {
    pub name: &'static str,
    pub summary: &'static str,
    pub body: Value,
}

/// Examples for `POST /v1/{task}`; the first is the shortest.
pub(super) fn v1_examples(kind: TaskKind) -> Vec<Example> {
    match kind {
        TaskKind::Summarize => vec![
            Example {
                name: "key-points",
                summary: "Nothing but the text: its key points, as a Markdown list.",
                body: json!({ "text": LIBRARY }),
            },
            Example {
                name: "tldr",
                summary: "One sentence, as a stream of events.",
                body: json!({ "text": LIBRARY, "type": "tldr", "stream": true }),
            },
            Example {
                name: "headline",
                summary: "A headline in plain text, from the quickest models.",
                body: json!({
                    "text": LIBRARY, "type": "headline", "length": "medium", "format": "plain-text",
                    "preference": "speed",
                }),
            },
            Example {
                name: "paragraphs",
                summary: "Two paragraphs in German for readers who are named.",
                body: json!({
                    "text": LIBRARY, "paragraphs": 2, "max_words": 80, "output_language": "de",
                    "expected_input_languages": ["en"], "context": "For the town's newsletter.",
                }),
            },
            Example {
                name: "in-parts",
                summary: "Parts side by side, if the text makes several, and what each of them gave; a part \
                          that fails is left out.",
                body: json!({
                    "text": LIBRARY, "strategy": "map-reduce", "on_chunk_error": "skip",
                    "include": ["partials"], "stream": true,
                }),
            },
        ],
        TaskKind::Rephrase => vec![
            Example {
                name: "more-formal",
                summary: "The same, more formally.",
                body: json!({ "text": ORDER, "tone": "more-formal" }),
            },
            Example {
                name: "simple",
                summary: "Shorter and simpler, without markup, as a stream of plain text.",
                body: json!({
                    "text": ORDER, "style": "simple", "length": "shorter", "format": "plain-text",
                    "stream": "text",
                }),
            },
            Example {
                name: "named-chain",
                summary: "By a chain that is named, with background that all requests share.",
                body: json!({
                    "text": ORDER, "style": "professional", "chain": "capability",
                    "shared_context": "We are a small bookshop and write to our customers.",
                }),
            },
            Example {
                name: "suggestions",
                summary: "Three suggestions to choose from.",
                body: json!({ "text": ORDER, "n": 3 }),
            },
        ],
        TaskKind::Expand => vec![
            Example {
                name: "bullets",
                summary: "A text of at most 100 words from three points.",
                body: json!({ "bullets": ["launch on 3 May", "works offline", "free for schools"] }),
            },
            Example {
                name: "bullet-lines",
                summary: "The points as one string; the last event repeats the whole text.",
                body: json!({
                    "bullets": "- launch on 3 May\n- works offline\n- free for schools",
                    "tone": "casual", "length": "medium", "stream": "sse", "include": ["text"],
                }),
            },
            Example {
                name: "draft",
                summary: "A fuller version of a draft.",
                body: json!({
                    "text": "Our app now works offline. Notes sync when you are back.",
                    "tone": "formal", "format": "plain-text", "max_words": 60,
                }),
            },
        ],
    }
}

/// Examples for `POST /api/{task}`.
pub(super) fn compat_examples(kind: TaskKind) -> Vec<Example> {
    let (summary, body) = match kind {
        TaskKind::Summarize => ("A summary of one paragraph.", json!({ "text": LIBRARY, "max_length": 1 })),
        TaskKind::Rephrase => {
            ("In a professional manner.", json!({ "text": ORDER, "style": "professional" }))
        }
        TaskKind::Expand => (
            "A text from three points.",
            json!({ "bullets": ["launch on 3 May", "works offline", "free for schools"] }),
        ),
    };
    vec![Example { name: "usual", summary, body }]
}

pub(super) const LIBRARY: &str = "The new library opened on Monday. It holds 40,000 books and a reading room for 120 people. \
                       Visitors may borrow up to ten books at a time. The building cost 12 million euros, and the \
                       city paid half of it.";
const ORDER: &str = "We can't ship your order today because the warehouse is closed.";

/// Examples for `POST /v1/measure`.
pub(super) fn measure_examples() -> Vec<Example> {
    vec![
        Example {
            name: "summarize",
            summary: "What the key points of a text would take.",
            body: json!({ "task": "summarize", "text": LIBRARY }),
        },
        Example {
            name: "expand",
            summary: "What a long text from three points would take.",
            body: json!({
                "task": "expand", "bullets": ["launch on 3 May", "works offline", "free for schools"],
                "length": "long",
            }),
        },
    ]
}
