//! Closed word lists: the values that an option may have.
//!
//! Owns the trait that ties an enum to its names on the wire, and the macro that
//! writes both from one list. The rule it protects: a value and its name are
//! listed once, so that a reader, an answer and a document cannot disagree.

/// An option whose values are words of a closed list.
pub trait Vocabulary: Copy + Default + PartialEq + 'static {
    /// Every value with the name it has in requests and answers, the default first.
    const NAMES: &'static [(&'static str, Self)];

    /// Words that are still understood but no longer offered.
    const OLDER_NAMES: &'static [(&'static str, Self)] = &[];

    /// The name in requests and answers.
    fn as_str(self) -> &'static str {
        Self::NAMES
            .iter()
            .find_map(|&(name, value)| (value == self).then_some(name))
            .expect("NAMES lists every value of the enum")
    }

    /// The value that a word names. An underscore may stand for a hyphen.
    fn from_word(word: &str) -> Option<Self> {
        let same = |name: &str| {
            name.len() == word.len()
                && name.bytes().zip(word.bytes()).all(|(a, b)| a == b || (a == b'-' && b == b'_'))
        };
        Self::NAMES.iter().chain(Self::OLDER_NAMES).find_map(|&(name, value)| same(name).then_some(value))
    }
}

/// Declares an enum and its names; the first value is the default.
macro_rules! vocabulary {
    (
        $(#[$meta:meta])*
        pub enum $enum:ident { $(#[$first_meta:meta])* $first:ident = $first_name:literal
            $(, $(#[$value_meta:meta])* $value:ident = $name:literal)* $(,)? }
        $(older { $($older:literal => $older_value:ident),+ $(,)? })?
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
        pub enum $enum {
            $(#[$first_meta])*
            #[default]
            $first,
            $($(#[$value_meta])* $value,)*
        }

        impl $crate::tasks::vocabulary::Vocabulary for $enum {
            const NAMES: &'static [(&'static str, Self)] =
                &[($first_name, Self::$first), $(($name, Self::$value)),*];
            $(const OLDER_NAMES: &'static [(&'static str, Self)] = &[$(($older, Self::$older_value)),+];)?
        }
    };
}

pub(super) use vocabulary;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Vocabulary;
    use crate::tasks::{
        ExpandFormat, ExpandLength, ExpandTone, GenerateFormat, GenerateLength, Output, Platform,
        PostsOutput, RephraseFormat, RephraseLength, RephraseTone, Style, SummaryFormat, SummaryLength,
        SummaryType,
    };

    fn check<T: Vocabulary + std::fmt::Debug>() {
        let names: HashSet<_> = T::NAMES.iter().chain(T::OLDER_NAMES).map(|(name, _)| *name).collect();
        assert_eq!(names.len(), T::NAMES.len() + T::OLDER_NAMES.len(), "a name is listed twice");
        assert_eq!(T::NAMES[0].1, T::default(), "the default comes first");
        for &(name, value) in T::NAMES {
            assert_eq!(value.as_str(), name);
            assert_eq!(T::from_word(name), Some(value));
            assert_eq!(T::from_word(&name.replace('-', "_")), Some(value));
            assert_eq!(T::from_word(&name.to_uppercase()), None);
            assert_eq!(T::from_word(&name[1..]), None);
        }
        for &(name, value) in T::OLDER_NAMES {
            assert_eq!(T::from_word(name), Some(value));
        }
    }

    #[test]
    fn every_value_is_read_by_its_name_and_named_by_its_value() {
        check::<SummaryType>();
        check::<SummaryLength>();
        check::<SummaryFormat>();
        check::<RephraseTone>();
        check::<RephraseLength>();
        check::<RephraseFormat>();
        check::<Style>();
        check::<ExpandTone>();
        check::<ExpandLength>();
        check::<ExpandFormat>();
        check::<GenerateLength>();
        check::<GenerateFormat>();
        check::<Output>();
        check::<PostsOutput>();
        check::<Platform>();
    }
}
