//! What holds for every text that is split, however odd.
//!
//! Owns properties over arbitrary texts and policies, and the boundaries of one small
//! document: a newer version of a dependency may move those, and somebody should decide
//! whether it may. Examples of good cuts stand beside the code.

use proptest::prelude::*;
use redraft::chunk::{Chunk, Markup, SplitPolicy, TextProfile, estimate_tokens, split};
use unicode_segmentation::UnicodeSegmentation;

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z ,.]{1,60}",
        any::<String>().prop_map(|text| text.chars().take(40).collect()),
        "[A-Za-z0-9+/]{1,40}".prop_flat_map(|run| (1_usize..80).prop_map(move |times| run.repeat(times))),
        "[一-龠。,ぁ-ん]{1,80}",
        "[\u{0900}-\u{097f} ।]{1,40}",
        "[\u{200f}\u{202e}א-ת ]{1,30}",
        "(\r\n|\r|\n| |\t|\u{0}){1,12}",
        "(\u{301}|\u{20dd}|\u{200d}){1,60}",
        "(👩‍👩‍👧|🇩🇪|👍🏽|e\u{301}){1,20}",
        "\n#{1,6} [a-z ]{0,20}\n",
        "\n```[a-z]{0,3}\n([a-z ;]{0,20}\n){0,6}```\n",
        "\n(```|~~~~)\n",
        "\n\\| a \\| b \\|\n\\|---\\|---\\|\n(\\| [a-z]{1,9} \\| 1 \\|\n){0,8}",
        "\n([-*>] |[0-9]\\. | {2,5})[a-z ]{1,30}\n",
        "[a-z*_`<>&\\[\\]()!~$|:\\\\-]{1,40}",
    ]
}

fn document() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..24).prop_map(|pieces| pieces.concat())
}

fn policy() -> impl Strategy<Value = SplitPolicy> {
    let markup = prop_oneof![Just(Markup::Plain), Just(Markup::Markdown), Just(Markup::Lines)];
    (prop_oneof![0_u32..40, 8_u32..300], 0_u32..60, markup)
        .prop_map(|(max_tokens, context_tokens, markup)| SplitPolicy { max_tokens, context_tokens, markup })
}

fn limit(policy: &SplitPolicy) -> u32 {
    policy.max_tokens.max(SplitPolicy::LEAST_MAX_TOKENS)
}

fn line_starts(text: &str) -> Vec<usize> {
    let ends = text.match_indices('\n').map(|(at, _)| at + 1);
    let lone = text.match_indices('\r').map(|(at, _)| at + 1).filter(|at| !text[*at..].starts_with('\n'));
    let mut starts: Vec<usize> = std::iter::once(0).chain(ends).chain(lone).chain([text.len()]).collect();
    starts.sort_unstable();
    starts.dedup();
    starts
}

proptest! {
    #[test]
    fn the_bodies_are_the_text_and_each_keeps_to_the_limit(text in document(), policy in policy()) {
        let chunks = split(&text, &policy);
        let mut end = 0;
        for chunk in &chunks {
            prop_assert_eq!(chunk.body.start, end);
            prop_assert!(chunk.body.end > end);
            end = chunk.body.end;
            let body = &text[chunk.body.clone()];
            prop_assert_eq!(chunk.tokens, estimate_tokens(body));
            prop_assert!(chunk.tokens <= limit(&policy), "{} of {}", chunk.tokens, limit(&policy));
        }
        prop_assert_eq!(end, text.len());
        if !text.is_empty() && estimate_tokens(&text) <= limit(&policy) {
            prop_assert_eq!(chunks.len(), 1);
        }
    }

    #[test]
    fn the_context_is_what_stands_right_before_and_within_its_limit(text in document(), policy in policy()) {
        for (number, chunk) in split(&text, &policy).iter().enumerate() {
            prop_assert_eq!(chunk.context.end, chunk.body.start);
            prop_assert!(number > 0 || chunk.context.is_empty());
            let context = &text[chunk.context.clone()];
            prop_assert!(estimate_tokens(context) <= policy.context_tokens);
            prop_assert!(context.is_empty() || !context.trim().is_empty());
        }
    }

    #[test]
    fn headings_are_of_markdown_and_short(text in document(), policy in policy()) {
        for chunk in split(&text, &policy) {
            prop_assert!(policy.markup == Markup::Markdown || chunk.headings.is_empty());
            prop_assert!(chunk.headings.len() <= 6);
            prop_assert!(chunk.headings.iter().all(|heading| heading.chars().count() <= 120));
        }
    }

    /// Only a cluster that is larger than a part may be cut.
    #[test]
    fn graphemes_stay_whole(text in document(), policy in policy()) {
        let mut clusters = text.grapheme_indices(true).peekable();
        for chunk in split(&text, &policy) {
            let end = chunk.body.end;
            while clusters.next_if(|(at, cluster)| at + cluster.len() <= end).is_some() {}
            if let Some((at, cluster)) = clusters.peek().filter(|(at, _)| *at < end) {
                let whole = estimate_tokens(cluster);
                prop_assert!(whole * 2 > limit(&policy), "{:?} at {} cut at {}", cluster, at, end);
            }
        }
    }

    #[test]
    fn lines_that_fit_stay_whole(text in document(), policy in policy()) {
        let policy = SplitPolicy { markup: Markup::Lines, ..policy };
        let starts = line_starts(&text);
        for chunk in split(&text, &policy) {
            if let Err(next) = starts.binary_search(&chunk.body.end) {
                let line = &text[starts[next - 1]..starts[next]];
                prop_assert!(estimate_tokens(line) > limit(&policy), "{:?} was cut", line);
            }
        }
    }

    #[test]
    fn the_estimate_is_that_of_the_profile(text in document(), other in document()) {
        prop_assert_eq!(TextProfile::of(&text).base_tokens(), estimate_tokens(&text));
        let mut sum = TextProfile::of(&text);
        sum += TextProfile::of(&other);
        let whole = estimate_tokens(&format!("{text}{other}"));
        prop_assert!(sum.base_tokens().abs_diff(whole) <= 2);
    }

    #[test]
    fn what_a_text_is_taken_for_is_never_a_list(text in document()) {
        prop_assert_ne!(Markup::detect(&text), Markup::Lines);
    }
}

#[test]
fn the_boundaries_of_a_small_document_do_not_move_unseen() {
    let text = "\
# The mill

The mill stands where two brooks meet. It ground rye until 1951, and saws boards today.

## Visitors

Guided tours begin at ten. Groups of more than eight people are asked to write beforehand.

| day | from | to |
|-----|------|----|
| Tue | 10   | 16 |
| Sat | 9    | 18 |

### Children

Under six they pay nothing. Between six and fourteen they pay half, and must not go near the saw \
while it runs, however much they ask.

## Workshop

```sh
mill --open sluice
mill --saw oak --width 40
```

Boards are sold on Fridays.
";
    let chunks =
        split(text, &SplitPolicy { max_tokens: 70, context_tokens: 16, markup: Markup::detect(text) });
    let shown = |chunk: &Chunk| {
        let body = &text[chunk.body.clone()];
        let first = body.lines().next().unwrap_or_default().to_owned();
        let last = body.trim_end().lines().next_back().unwrap_or_default().to_owned();
        (first, last, chunk.headings.join(" > "), text[chunk.context.clone()].trim().to_owned())
    };
    let expected = [
        (
            "# The mill",
            "Guided tours begin at ten. Groups of more than eight people are asked to write beforehand.",
            "",
            "",
        ),
        (
            "| day | from | to |",
            "| Sat | 9    | 18 |",
            "The mill > Visitors",
            "Groups of more than eight people are asked to write beforehand.",
        ),
        ("### Children", "Boards are sold on Fridays.", "The mill > Visitors", "| Sat | 9    | 18 |"),
    ];
    let shown: Vec<_> = chunks.iter().map(shown).collect();
    let expected = expected.map(|(a, b, c, d)| (a.to_owned(), b.to_owned(), c.to_owned(), d.to_owned()));
    assert_eq!(shown, expected);
}
