//! The turns of a conversation, by who has them.
//!
//! The one rule it protects: what comes after the user's last word is no part of what was said
//! before it.

/// Who has a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaker {
    User,
    Assistant,
}

/// What somebody says at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) speaker: Speaker,
    pub(crate) text: String,
}

/// The user's last word, and the turns before it.
pub(crate) fn last_word(mut turns: Vec<Turn>) -> (String, Vec<Turn>) {
    let Some(last) = turns.iter().rposition(|turn| turn.speaker == Speaker::User) else {
        return (String::new(), turns);
    };
    turns.truncate(last + 1);
    let text = turns.pop().map_or_else(String::new, |turn| turn.text);
    (text, turns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_is_the_users_also_before_a_prefill() {
        let turn = |speaker: Speaker, text: &str| Turn { speaker, text: text.to_owned() };
        let (one, two) = (turn(Speaker::User, "one"), turn(Speaker::Assistant, "two"));
        let three = turn(Speaker::User, "three");
        let prefill = turn(Speaker::Assistant, "It");
        let earlier = vec![one, two];
        let all = |more: &[Turn]| earlier.iter().chain(more).cloned().collect::<Vec<_>>();
        assert_eq!(last_word(all(std::slice::from_ref(&three))), ("three".to_owned(), earlier.clone()));
        assert_eq!(last_word(all(&[three, prefill])), ("three".to_owned(), earlier.clone()));
        assert_eq!(last_word(Vec::new()), (String::new(), Vec::new()));
    }
}
