//! What every request pays before and around its model call.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use redraft::chunk::estimate_tokens;
use redraft::domain::{Fences, TaskKind};
use redraft::tasks::{Fields, Task};
use serde_json::{Map, Value, json};
use std::hint::black_box;

const SENTENCE: &str = "The committee met in March and found that costs had risen by 12 percent since 2024. ";

fn members(text: &str) -> Map<String, Value> {
    let body = json!({"text": text, "type": "tldr", "length": "medium", "output_language": "de"});
    body.as_object().cloned().unwrap_or_default()
}

fn hot_paths(criterion: &mut Criterion) {
    let document = SENTENCE.repeat(12_000);
    let mut estimate = criterion.benchmark_group("estimate_tokens");
    estimate.throughput(Throughput::Bytes(document.len() as u64));
    estimate.bench_function("one megabyte of prose", |bencher| {
        bencher.iter(|| estimate_tokens(black_box(&document)));
    });
    estimate.finish();

    let body = members(&SENTENCE.repeat(50));
    criterion.bench_function("read a summarize request of 4 kB", |bencher| {
        bencher.iter_batched(
            || Fields::new(body.clone()),
            |mut fields| Task::read(TaskKind::Summarize, &mut fields),
            criterion::BatchSize::SmallInput,
        );
    });

    let fences = Fences::default();
    if let Some(task) = Task::read(TaskKind::Summarize, &mut Fields::new(body)) {
        criterion.bench_function("write its prompt", |bencher| {
            bencher.iter(|| task.prompt(&fences.boundary()));
        });
    }
}

criterion_group!(benches, hot_paths);
criterion_main!(benches);
