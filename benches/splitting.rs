//! What it costs to split ten megabytes, of ordinary text and of the worst we know.
//!
//! The budgets are 0.3 s of CPU for prose, 0.6 s for Markdown, 1 s for a text without white
//! space and 2 s for anything; divide the size by them to read the throughput.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use redraft::chunk::{Markup, SplitPolicy, TextProfile, split};
use std::hint::black_box;

const DOCUMENT_BYTES: usize = 10_000_000;

const SENTENCES: [&str; 3] = [
    "The committee met in March and found that costs had risen by 12 percent since 2024. ",
    "Nobody had planned for that. ",
    "A second report, due in June, should say whether the trend is going to last. ",
];

fn repeated(pattern: &str) -> String {
    pattern.repeat(DOCUMENT_BYTES / pattern.len())
}

fn prose() -> String {
    let paragraph = |number: usize| -> String {
        let sentences = (0..2 + number % 7).map(|index| SENTENCES[(number + index) % SENTENCES.len()]);
        sentences.chain(["\n\n"]).collect()
    };
    repeated(&(0..50).map(paragraph).collect::<String>())
}

fn markdown() -> String {
    let section = |number: usize| {
        let words = SENTENCES.concat();
        let rows = "| 1 | some words | 12.50 |\n".repeat(number % 9);
        format!(
            "## Section {number}\n\n{words}\n\n- *{words}*\n- [{words}](https://example.org/{number})\n\n\
             | a | b | c |\n|---|---|---|\n{rows}\n### Code\n\n```rust\nfn main() {{\n    run({number});\n}}\n```\n\n{words}\n\n"
        )
    };
    repeated(&(0..40).map(section).collect::<String>())
}

fn splitting(criterion: &mut Criterion) {
    let documents = [
        ("prose", Markup::Plain, prose()),
        ("Markdown", Markup::Markdown, markdown()),
        ("prose as Markdown", Markup::Markdown, prose()),
        ("prose as lines", Markup::Lines, prose()),
        (
            "Chinese",
            Markup::Plain,
            repeated("会议决定把项目推迟到明年春天。主要原因是材料价格上涨,而且工人数量不足。\n"),
        ),
        ("one letter", Markup::Plain, repeated("a")),
        (
            "base64",
            Markup::Plain,
            repeated("q8Zt2LwXn0vYp4RkTe7uHs1BfJ5cMaGd9iOxKy6rWjEbQlSz+hNoCVDPg/IAmT3"),
        ),
        (
            "base64 as Markdown",
            Markup::Markdown,
            repeated("q8Zt2LwXn0vYp4RkTe7uHs1BfJ5cMaGd9iOxKy6rWjEbQl_*z+h`oCVDPg/IAmT3"),
        ),
        ("words without a sentence", Markup::Plain, repeated("some words that never end ")),
        ("runs as long as words may be", Markup::Plain, repeated(&format!("{} ", "abcdefgh".repeat(250)))),
        ("line feeds", Markup::Plain, repeated("\n")),
        ("line feeds as Markdown", Markup::Markdown, repeated("\n")),
        ("line feeds as lines", Markup::Lines, repeated("\n")),
        ("short lines", Markup::Plain, repeated("a\n")),
        ("short lines as Markdown", Markup::Markdown, repeated("a\n")),
        ("emoji", Markup::Plain, repeated("👩‍👩‍👧👍🏽")),
        ("flags", Markup::Plain, repeated("🇩🇪")),
        ("combining marks", Markup::Plain, repeated("\u{301}")),
        ("headings", Markup::Markdown, repeated("# \n")),
        ("headings with words", Markup::Markdown, repeated("# a\n")),
        ("bars", Markup::Markdown, repeated("|")),
        ("quotes in quotes", Markup::Markdown, repeated(">")),
        ("brackets", Markup::Markdown, repeated("[")),
        ("emphasis", Markup::Markdown, repeated("*a **b ")),
        ("code never closed", Markup::Markdown, format!("```\n{}", repeated("let x = 1;\n"))),
        ("fences", Markup::Markdown, repeated("```\na\n")),
    ];
    for max_tokens in [4_000, 50_000] {
        let mut group = criterion.benchmark_group(format!("split ten megabytes by {max_tokens} tokens"));
        group.sample_size(10);
        for (name, markup, text) in &documents {
            let policy = SplitPolicy { max_tokens, context_tokens: 100, markup: *markup };
            group.throughput(Throughput::Bytes(text.len() as u64));
            group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
                bencher.iter_batched(|| (), |()| split(black_box(text), &policy), BatchSize::PerIteration);
            });
        }
        group.finish();
    }

    let mut group = criterion.benchmark_group("look at ten megabytes");
    group.sample_size(10);
    for (name, _, text) in &documents[..5] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(BenchmarkId::new("profile", name), |bencher| {
            bencher.iter(|| TextProfile::of(black_box(text)));
        });
        group.bench_function(BenchmarkId::new("detect", name), |bencher| {
            bencher.iter(|| Markup::detect(black_box(text)));
        });
    }
    group.finish();
}

criterion_group!(benches, splitting);
criterion_main!(benches);
