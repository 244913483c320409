//! The name of a task, built in or somebody's own.
//!
//! It is the same word in paths, settings, logs and labels. It holds no more than a
//! pointer: every call and every line of a log carries it.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::task_kind::TaskKind;

/// Names one task among all that a service has.
#[derive(Clone)]
pub struct TaskName(Name);

#[derive(Clone)]
enum Name {
    BuiltIn(&'static str),
    Own(Arc<str>),
}

/// The name is no word of letters, digits and hyphens, or a built-in task has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTaskName {
    #[error("a task's name is 1 to 40 characters of a-z, 0-9 and -, and begins with a letter")]
    Malformed,
    #[error("a built-in task has this name")]
    BuiltIn,
}

const MAX_BYTES: usize = 40;

impl TaskName {
    pub const BLOG_POST: Self = Self(Name::BuiltIn("blog-post"));
    pub const PRODUCT_DESCRIPTION: Self = Self(Name::BuiltIn("product-description"));
    pub const SOCIAL_POSTS: Self = Self(Name::BuiltIn("social-posts"));
    pub const REFINE: Self = Self(Name::BuiltIn("refine"));

    /// Every built-in task, in the order of the documentation.
    pub const BUILT_IN: [Self; 7] = [
        Self::of(TaskKind::Summarize),
        Self::of(TaskKind::Rephrase),
        Self::of(TaskKind::Expand),
        Self::BLOG_POST,
        Self::PRODUCT_DESCRIPTION,
        Self::SOCIAL_POSTS,
        Self::REFINE,
    ];

    /// The words of [`TaskName::BUILT_IN`], in the same order.
    pub const BUILT_IN_WORDS: [&'static str; 7] =
        ["summarize", "rephrase", "expand", "blog-post", "product-description", "social-posts", "refine"];

    /// The name of a task that works on a text.
    pub const fn of(kind: TaskKind) -> Self {
        Self(Name::BuiltIn(kind.as_str()))
    }

    /// The name of a task that is not built in.
    ///
    /// # Errors
    /// [`InvalidTaskName`].
    pub fn own(name: &str) -> Result<Self, InvalidTaskName> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_word = name.len() <= MAX_BYTES
            && name.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
            && name.bytes().all(allowed);
        if !is_word {
            return Err(InvalidTaskName::Malformed);
        }
        if Self::BUILT_IN.iter().any(|built_in| built_in.as_str() == name) {
            return Err(InvalidTaskName::BuiltIn);
        }
        Ok(Self(Name::Own(name.into())))
    }

    /// The name used in paths, configuration, logs and labels.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Name::BuiltIn(name) => name,
            Name::Own(name) => name,
        }
    }
}

impl From<TaskKind> for TaskName {
    fn from(kind: TaskKind) -> Self {
        Self::of(kind)
    }
}

/// Lets maps be asked by a name that was read.
impl Borrow<str> for TaskName {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for TaskName {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for TaskName {}

impl PartialOrd for TaskName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TaskName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for TaskName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskName({})", self.as_str())
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{InvalidTaskName, TaskName};
    use crate::domain::TaskKind;

    #[test]
    fn an_own_name_is_a_word_that_no_built_in_task_has() {
        assert_eq!(TaskName::own("extract-action-items").unwrap().as_str(), "extract-action-items");
        for malformed in ["", "Translate", "a b", "9lives", "-a", "ü", "a/b", "a_b", &"a".repeat(41)] {
            assert_eq!(TaskName::own(malformed), Err(InvalidTaskName::Malformed), "{malformed}");
        }
        for built_in in TaskName::BUILT_IN {
            assert_eq!(TaskName::own(built_in.as_str()), Err(InvalidTaskName::BuiltIn));
        }
    }

    #[test]
    fn the_words_are_those_of_the_names() {
        assert_eq!(TaskName::BUILT_IN.each_ref().map(TaskName::as_str), TaskName::BUILT_IN_WORDS);
    }

    #[test]
    fn a_map_of_names_can_be_asked_by_text() {
        let own = TaskName::own("translate").unwrap();
        let map = BTreeMap::from([(own, 1), (TaskName::of(TaskKind::Expand), 2)]);
        assert_eq!((map.get("translate"), map.get("expand"), map.get("x")), (Some(&1), Some(&2), None));
    }
}
