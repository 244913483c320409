//! The terms on which a model serves a call, because they change its price.
//!
//! The provider may serve a call on other terms than those that were asked for, and
//! bills what it did; so terms travel with the tokens they were billed on.

use super::usage::TokenUsage;

/// How a call stands in line with others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServiceTier {
    #[default]
    Default,
    /// Served first, for more money.
    Priority,
    /// Served when there is room, for less.
    Flex,
    /// Served from capacity that the account has paid for by contract.
    Reserved,
}

impl ServiceTier {
    /// Every tier.
    pub const ALL: [Self; 4] = [Self::Default, Self::Priority, Self::Flex, Self::Reserved];

    /// The word in the catalogue and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Priority => "priority",
            Self::Flex => "flex",
            Self::Reserved => "reserved",
        }
    }

    /// The tier of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.as_str() == word)
    }
}

/// What a call was served on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServiceTerms {
    pub tier: ServiceTier,
    /// On faster hardware.
    pub optimized_latency: bool,
}

/// Tokens, and the terms they are billed on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Metered {
    pub tokens: TokenUsage,
    pub terms: ServiceTerms,
}

/// On the usual terms.
impl From<TokenUsage> for Metered {
    fn from(tokens: TokenUsage) -> Self {
        Self { tokens, terms: ServiceTerms::default() }
    }
}
