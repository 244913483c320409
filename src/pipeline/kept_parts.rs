//! Answers to parts of requests that failed: a retried request does not pay them twice.
//!
//! Owns a bounded store in memory, keyed by what was asked. Only work of requests
//! that did not succeed is kept, and taking it out removes it. The rule it protects:
//! what is not asked for again is forgotten after its time, and the store never
//! holds more bytes than it may.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::chunk::CHUNKER_VERSION;
use crate::domain::{Guardrail, Prompt};
use crate::tasks::PROMPT_VERSION;

/// How much is kept for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepPolicy {
    /// Zero keeps nothing.
    pub max_bytes: usize,
    pub keep_for: Duration,
}

/// Names what was asked: the prompt without its random boundary, and of which chain. 128 bits,
/// keyed with secrets of this process, so that nobody can make two texts collide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct PartKey(u64, u64);

/// An answer to a part.
#[derive(Clone)]
pub(super) struct KeptPart {
    pub key: PartKey,
    pub text: Arc<str>,
}

/// How the document of a request was cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    /// Names the whole request.
    pub key: PartKey,
    /// The most tokens of its parts.
    pub part_tokens: u32,
    /// Where their summaries were merged, the most tokens of one merge.
    pub merge_tokens: Option<u32>,
}

/// The store.
pub(super) struct KeptParts {
    hashers: [RandomState; 2],
    store: Mutex<Store>,
}

#[derive(Default)]
struct Store {
    parts: HashMap<PartKey, (Arc<str>, Instant)>,
    /// In the order in which they came; some may have been taken out since.
    arrivals: VecDeque<(PartKey, Instant)>,
    bytes: usize,
    /// How documents were cut whose parts are kept, the newest last.
    cuts: VecDeque<(Cut, Instant)>,
}

/// Requests whose cut is remembered; each takes a few bytes.
const MAX_CUTS: usize = 1024;

impl KeptParts {
    pub(super) fn new() -> Self {
        Self { hashers: [RandomState::new(), RandomState::new()], store: Mutex::default() }
    }

    /// The name of what `prompt`, written with a fixed boundary, asks of this chain.
    /// What was written under one guardrail is not told under another.
    pub(super) fn key(
        &self,
        prompt: &Prompt,
        max_tokens: u32,
        chain: &str,
        guardrail: Option<&Guardrail>,
    ) -> PartKey {
        let hash = |state: &RandomState| {
            let mut hasher = state.build_hasher();
            guardrail.map(|guardrail| (&guardrail.id, &guardrail.version)).hash(&mut hasher);
            (PROMPT_VERSION, CHUNKER_VERSION, chain, max_tokens).hash(&mut hasher);
            (&prompt.system, &prompt.user.before, &prompt.user.opening, &*prompt.user.document)
                .hash(&mut hasher);
            for exchange in &prompt.later {
                (&*exchange.answer, &*exchange.wish).hash(&mut hasher);
            }
            hasher.finish()
        };
        PartKey(hash(&self.hashers[0]), hash(&self.hashers[1]))
    }

    /// Takes an answer out, if it is still there.
    pub(super) fn take(&self, key: PartKey) -> Option<Arc<str>> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.forget_until(Instant::now());
        let (text, _) = store.parts.remove(&key)?;
        store.bytes -= cost(&text);
        Some(text)
    }

    /// How a request was cut whose parts are kept.
    pub(super) fn cut(&self, key: PartKey) -> Option<Cut> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.forget_until(Instant::now());
        store.cuts.iter().rev().find(|(cut, _)| cut.key == key).map(|(cut, _)| *cut)
    }

    /// Keeps answers of a request that did not succeed, and how its document was cut.
    pub(super) fn keep(&self, parts: Vec<KeptPart>, cut: Option<Cut>, policy: KeepPolicy) {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        store.forget_until(now);
        if let Some(cut) = cut
            && policy.max_bytes > 0
        {
            store.cuts.push_back((cut, now + policy.keep_for));
            if store.cuts.len() > MAX_CUTS {
                store.cuts.pop_front();
            }
        }
        for KeptPart { key, text } in parts {
            if cost(&text) > policy.max_bytes {
                continue;
            }
            let until = now + policy.keep_for;
            store.bytes += cost(&text);
            if let Some((replaced, _)) = store.parts.insert(key, (text, until)) {
                store.bytes -= cost(&replaced);
            }
            store.arrivals.push_back((key, until));
        }
        // Those that were taken out must not pile up behind those that are still there.
        if store.arrivals.len() > 2 * store.parts.len() + 64 {
            let Store { parts, arrivals, .. } = &mut *store;
            arrivals.retain(|(key, until)| parts.get(key).is_some_and(|(_, kept_until)| kept_until == until));
        }
        while store.bytes > policy.max_bytes && store.forget_oldest() {}
    }
}

/// What an answer takes in memory: its text, its key and its places in the lists.
fn cost(text: &str) -> usize {
    const PER_ENTRY_BYTES: usize = 128;
    text.len() + PER_ENTRY_BYTES
}

impl Store {
    fn forget_until(&mut self, now: Instant) {
        while self.cuts.front().is_some_and(|(_, until)| *until <= now) {
            self.cuts.pop_front();
        }
        while self.arrivals.front().is_some_and(|(_, until)| *until <= now) {
            self.forget_oldest();
        }
    }

    /// Forgets the oldest arrival; false when there is none.
    fn forget_oldest(&mut self) -> bool {
        let Some((key, until)) = self.arrivals.pop_front() else { return false };
        // It may have been taken out, and have come again since.
        if self.parts.get(&key).is_some_and(|(_, kept_until)| *kept_until == until)
            && let Some((text, _)) = self.parts.remove(&key)
        {
            self.bytes -= cost(&text);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{Cut, KeepPolicy, KeptPart, KeptParts, PartKey};
    use crate::domain::{Exchange, Guardrail, GuardrailStream, OnBlock, Prompt};
    use std::time::Duration;
    use tokio::time::advance;

    const POLICY: KeepPolicy = KeepPolicy { max_bytes: 2 * 128 + 10, keep_for: Duration::from_secs(600) };

    fn part(key: PartKey, text: &str) -> KeptPart {
        KeptPart { key, text: text.into() }
    }

    fn keys(kept: &KeptParts, count: u32) -> Vec<PartKey> {
        (0..count).map(|number| kept.key(&prompt("rules", "text"), number, "chain", None)).collect()
    }

    fn prompt(system: &str, document: &str) -> Prompt {
        Prompt { system: system.to_owned(), ..Prompt::of_document(document.into()) }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_kept_is_taken_once_and_forgotten_after_its_time() {
        let kept = KeptParts::new();
        let keys = keys(&kept, 2);
        kept.keep(vec![part(keys[0], "one"), part(keys[1], "two")], None, POLICY);
        assert_eq!(kept.take(keys[0]).as_deref(), Some("one"));
        assert_eq!(kept.take(keys[0]), None);
        advance(Duration::from_secs(599)).await;
        assert_eq!(kept.take(keys[1]).as_deref(), Some("two"));
        kept.keep(vec![part(keys[1], "two")], None, POLICY);
        advance(Duration::from_secs(600)).await;
        assert_eq!(kept.take(keys[1]), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_give_way_and_what_is_too_large_is_not_kept() {
        let kept = KeptParts::new();
        let keys = keys(&kept, 4);
        kept.keep(vec![part(keys[0], "12345"), part(keys[1], "1234"), part(keys[2], "123")], None, POLICY);
        assert_eq!(kept.take(keys[0]), None);
        assert_eq!(kept.take(keys[1]).as_deref(), Some("1234"));
        kept.keep(vec![part(keys[3], &"1".repeat(139))], None, POLICY);
        assert_eq!(kept.take(keys[3]), None);
        assert_eq!(kept.take(keys[2]).as_deref(), Some("123"));
        assert_eq!(kept.store.lock().unwrap().bytes, 0);
        for _ in 0..1000 {
            kept.keep(vec![part(keys[1], "1234")], None, POLICY);
            assert!(kept.take(keys[1]).is_some());
            advance(Duration::from_millis(1)).await;
        }
        assert!(kept.store.lock().unwrap().arrivals.len() <= 66);
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_comes_again_is_kept_from_then_on() {
        let kept = KeptParts::new();
        let key = keys(&kept, 1)[0];
        kept.keep(vec![part(key, "one")], None, POLICY);
        advance(Duration::from_secs(300)).await;
        let taken = kept.take(key).unwrap();
        kept.keep(vec![KeptPart { key, text: taken }], None, POLICY);
        advance(Duration::from_secs(400)).await;
        assert_eq!(kept.take(key).as_deref(), Some("one"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_cut_is_remembered_as_long_as_parts_are() {
        let kept = KeptParts::new();
        let key = keys(&kept, 1)[0];
        kept.keep(Vec::new(), Some(Cut { key, part_tokens: 700, merge_tokens: None }), POLICY);
        kept.keep(Vec::new(), Some(Cut { key, part_tokens: 800, merge_tokens: Some(900) }), POLICY);
        let cut = kept.cut(key).unwrap();
        assert_eq!((cut.part_tokens, cut.merge_tokens), (800, Some(900)));
        advance(Duration::from_secs(600)).await;
        assert!(kept.cut(key).is_none());
    }

    #[test]
    fn whatever_is_asked_otherwise_has_another_name() {
        let kept = KeptParts::new();
        let key = |system: &str, document: &str, max_tokens: u32, chain: &str| {
            kept.key(&prompt(system, document), max_tokens, chain, None)
        };
        let base = key("rules", "text", 100, "chain");
        assert_eq!(base, key("rules", "text", 100, "chain"));
        for other in [
            key("rule", "stext", 100, "chain"),
            key("rules", "text!", 100, "chain"),
            key("rules", "text", 101, "chain"),
            key("rules", "text", 100, "other"),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn conversations_about_one_document_have_names_of_their_own() {
        let kept = KeptParts::new();
        let key = |later: &[(&str, &str)]| {
            let exchange =
                |(answer, wish): &(&str, &str)| Exchange { answer: (*answer).into(), wish: (*wish).into() };
            let later = later.iter().map(exchange).collect();
            kept.key(&Prompt { later, ..prompt("rules", "text") }, 1, "chain", None)
        };
        let conversations: [&[(&str, &str)]; 5] = [
            &[],
            &[("an answer", "shorter")],
            &[("an answer", "longer")],
            &[("an answers", "horter")],
            &[("an answer", "shorter"), ("an", "longer")],
        ];
        let keys = conversations.map(key);
        assert_eq!(key(&[("an answer", "shorter")]), keys[1]);
        assert!((0..5).all(|at| keys.iter().skip(at + 1).all(|later| *later != keys[at])));
    }

    #[test]
    fn what_one_guardrail_let_pass_is_not_found_under_another() {
        let kept = KeptParts::new();
        let guardrail = |id: &str, version: &str| Guardrail {
            name: "g".into(),
            id: id.to_owned(),
            version: version.to_owned(),
            stream: GuardrailStream::Sync,
            on_block: OnBlock::Refuse,
            trace: false,
        };
        let key = |guardrail: Option<&Guardrail>| kept.key(&prompt("rules", "text"), 1, "chain", guardrail);
        let (one, later, other) = (guardrail("a", "1"), guardrail("a", "2"), guardrail("b", "1"));
        let keys = [None, Some(&one), Some(&later), Some(&other)].map(key);
        assert_eq!(key(Some(&one)), keys[1]);
        assert!((0..4).all(|at| keys.iter().skip(at + 1).all(|later| *later != keys[at])));
    }
}
