//! The places where a prompt may be cut for the cache.
//!
//! Owns the order of a prompt's parts (tools, system, messages) and the fingerprint of each of its
//! beginnings. How many tokens those have is counted where blocks are read.
//! The one rule it protects: two prompts that begin alike have the same fingerprint there, wherever
//! their other cache points stand.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use serde_json::Value;

use super::reader::Object;

const USUAL_TTL: Duration = Duration::from_secs(5 * 60);
const LONG_TTL: Duration = Duration::from_secs(60 * 60);

/// The end of a prefix that a request wants cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CachePoint {
    /// A fingerprint of all that comes before.
    pub(crate) prefix: u64,
    /// The tokens of all that comes before.
    pub(crate) tokens: u64,
    /// How long the prefix is kept after its last use.
    pub(crate) kept_for: Duration,
}

/// The cache points of a request that has been read, with the tokens before each.
pub(super) fn find(request: &Object, tokens: &[u64]) -> Vec<CachePoint> {
    if tokens.is_empty() {
        return Vec::new();
    }
    let mut walk = Walk { hasher: DefaultHasher::new(), tokens, found: Vec::new() };
    let tools = request.get("toolConfig").map_or(&Value::Null, |config| &config["tools"]);
    let mut in_tools = Vec::new();
    for tool in blocks(tools) {
        match tool.get("cachePoint") {
            // All tools count as one part of the prompt.
            Some(point) if !point.is_null() => in_tools.push(point),
            _ => walk.pass(tool),
        }
    }
    for point in in_tools {
        walk.cut(point);
    }
    walk.blocks(request.get("system").unwrap_or(&Value::Null));
    for message in blocks(request.get("messages").unwrap_or(&Value::Null)) {
        walk.pass(&message["role"]);
        walk.blocks(&message["content"]);
    }
    walk.found
}

#[derive(Debug)]
struct Walk<'a> {
    hasher: DefaultHasher,
    tokens: &'a [u64],
    found: Vec<CachePoint>,
}

impl Walk<'_> {
    fn blocks(&mut self, list: &Value) {
        for block in blocks(list) {
            match block.get("cachePoint") {
                Some(point) if !point.is_null() => self.cut(point),
                _ => self.pass(block),
            }
        }
    }

    fn pass(&mut self, part: &Value) {
        part.to_string().hash(&mut self.hasher);
    }

    fn cut(&mut self, point: &Value) {
        let tokens = self.tokens.get(self.found.len()).copied().unwrap_or(0);
        let kept_for = if point["ttl"] == "1h" { LONG_TTL } else { USUAL_TTL };
        self.found.push(CachePoint { prefix: self.hasher.finish(), tokens, kept_for });
    }
}

fn blocks(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn prefixes(request: &Value, count: usize) -> Vec<u64> {
        let tokens: Vec<u64> = (1..=count as u64).collect();
        let found = find(request.as_object().unwrap(), &tokens);
        assert_eq!(found.iter().map(|point| point.tokens).collect::<Vec<_>>(), tokens);
        found.iter().map(|point| point.prefix).collect()
    }

    #[test]
    fn prompts_that_begin_alike_have_the_same_prefixes() {
        let cut = json!({"cachePoint": {"type": "default"}});
        let user = |text: &str| json!([{"role": "user", "content": [{"text": text}, cut]}]);
        let one = json!({"system": [{"text": "s"}, cut], "messages": user("a")});
        let other = json!({"system": [{"text": "s"}, cut], "messages": user("b")});
        let uncut = json!({"system": [{"text": "s"}], "messages": user("a")});
        let [first, second] = prefixes(&one, 2).try_into().unwrap();
        assert_eq!(prefixes(&other, 2)[0], first);
        assert_ne!(prefixes(&other, 2)[1], second);
        assert_eq!(prefixes(&uncut, 1), [second], "an earlier cut changes nothing");
    }

    #[test]
    fn tools_come_first_and_the_time_is_the_points_own() {
        let point = json!({"cachePoint": {"type": "default", "ttl": "1h"}});
        let request = json!({"toolConfig": {"tools": [point, {"toolSpec": {}}]}, "system": [{"text": "s"}, {"cachePoint": {}}]});
        let found = find(request.as_object().unwrap(), &[5, 7]);
        assert_eq!([found[0].kept_for, found[1].kept_for], [LONG_TTL, USUAL_TTL]);
        let without = json!({"system": [{"text": "s"}, {"cachePoint": {}}]});
        assert_ne!(prefixes(&without, 1)[0], found[1].prefix, "the tools are part of the prefix");
    }
}
