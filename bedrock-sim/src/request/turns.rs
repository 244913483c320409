//! The turns of a conversation around its last user message.
//!
//! Owns their order. The usual author reads the last user message and what was said before it, an
//! upstream reads all.
//! The one rule it protects: each text is held once.

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaker {
    System,
    User,
    Assistant,
}

impl Speaker {
    /// Of a role of Converse. An unknown one has been refused.
    pub(crate) fn of(role: &str) -> Self {
        match role {
            "system" => Self::System,
            "assistant" => Self::Assistant,
            _ => Self::User,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// What was said before and after the last user message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Around {
    before: Vec<(Speaker, String)>,
    after: Vec<(Speaker, String)>,
    /// Whether there is a last user message yet.
    has_user: bool,
}

impl Around {
    /// Takes the next turn in. One of the user takes the place of the last user message.
    pub(crate) fn take(&mut self, speaker: Speaker, text: String, last_user_text: &mut String) {
        if speaker != Speaker::User {
            self.after.push((speaker, text));
            return;
        }
        let earlier = std::mem::replace(last_user_text, text);
        if self.has_user {
            self.before.push((Speaker::User, earlier));
        }
        self.before.append(&mut self.after);
        self.has_user = true;
    }

    /// What was said before the last user message, in order.
    pub(crate) fn before(&self) -> &[(Speaker, String)] {
        &self.before
    }

    /// All turns in their order.
    pub(crate) fn turns<'a>(&'a self, last_user_text: &'a str) -> impl Iterator<Item = (Speaker, &'a str)> {
        let told = |(speaker, text): &'a (Speaker, String)| (*speaker, text.as_str());
        let last = std::iter::once((Speaker::User, last_user_text));
        self.before.iter().map(told).chain(last).chain(self.after.iter().map(told))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_come_out_as_they_went_in() {
        use Speaker::{Assistant, System, User};
        let conversations: [&[(Speaker, &str)]; 4] = [
            &[(User, "a")],
            &[(User, "a"), (Assistant, "b"), (User, "c")],
            &[(User, "a"), (User, "b"), (System, "c"), (Assistant, "d"), (User, "e"), (Assistant, "f")],
            &[(Assistant, "a"), (User, "b"), (Assistant, "c")],
        ];
        for turns in conversations {
            let (mut around, mut last) = (Around::default(), String::new());
            for (speaker, text) in turns {
                around.take(*speaker, (*text).to_owned(), &mut last);
            }
            assert_eq!(around.turns(&last).collect::<Vec<_>>(), turns);
        }
    }
}
