//! Money: prices per token and what a call costs.
//!
//! Amounts are whole pico-dollars (1e-12 USD), because the smallest published
//! price, 0.00875 USD per million tokens, is 8,750 of them: sums stay exact.
//! An unknown price makes an unknown cost, never a cost of zero.

use super::usage::TokenUsage;

const PICO_USD_PER_USD: f64 = 1e12;

/// A price, as price lists state it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UsdPerMillionTokens(f64);

impl UsdPerMillionTokens {
    /// Accepts a finite price that is not negative and at most 1,000,000.
    pub fn new(usd: f64) -> Option<Self> {
        (usd.is_finite() && (0.0..=1e6).contains(&usd)).then_some(Self(usd))
    }

    /// The price in USD per million tokens.
    pub fn usd(self) -> f64 {
        self.0
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 1e6 USD per million tokens is 0 to 1e12 pico-dollars per token"
    )]
    fn pico_usd_per_token(self) -> u64 {
        (self.0 * PICO_USD_PER_USD / 1e6).round() as u64
    }
}

/// What one model charges for each class of tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prices {
    pub input: UsdPerMillionTokens,
    pub output: UsdPerMillionTokens,
    pub cache_read: Option<UsdPerMillionTokens>,
    pub cache_write: Option<UsdPerMillionTokens>,
}

impl Prices {
    /// The cost of `usage`, or `None` when it holds tokens of a class without a price.
    pub fn cost(&self, usage: &TokenUsage) -> Option<Cost> {
        let class = |tokens: u64, price: Option<UsdPerMillionTokens>| match (tokens, price) {
            (0, _) => Some(0),
            (_, None) => None,
            (tokens, Some(price)) => Some(tokens.saturating_mul(price.pico_usd_per_token())),
        };
        let parts = [
            class(usage.input_tokens, Some(self.input))?,
            class(usage.output_tokens, Some(self.output))?,
            class(usage.cache_read_input_tokens, self.cache_read)?,
            class(usage.cache_write_input_tokens, self.cache_write)?,
        ];
        Some(Cost(parts.into_iter().fold(0, u64::saturating_add)))
    }
}

/// An amount of money in whole pico-dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost(u64);

impl Cost {
    /// An amount of at most 1,000,000 USD; `None` for what is no amount of money.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 1e6 USD is 0 to 1e18 pico-dollars, which a u64 holds"
    )]
    pub fn of_usd(usd: f64) -> Option<Self> {
        (usd.is_finite() && (0.0..=1e6).contains(&usd)).then(|| Self((usd * PICO_USD_PER_USD).round() as u64))
    }

    /// The amount in USD.
    #[expect(clippy::cast_precision_loss, reason = "a display value; the sum itself stays exact")]
    pub fn usd(self) -> f64 {
        self.0 as f64 / PICO_USD_PER_USD
    }

    /// The amount times a factor that is not negative, held at the largest amount.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "for forecasts: a float that is too large becomes the largest amount"
    )]
    pub fn times(self, factor: f64) -> Self {
        Self((self.0 as f64 * factor).ceil() as u64)
    }

    /// The sum, held at the largest amount instead of wrapping.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

#[cfg(test)]
mod tests {
    use super::{Prices, UsdPerMillionTokens};
    use crate::domain::TokenUsage;

    fn usd(price: f64) -> UsdPerMillionTokens {
        UsdPerMillionTokens::new(price).unwrap()
    }

    #[test]
    fn a_million_tokens_cost_the_listed_price() {
        let prices =
            Prices { input: usd(0.06), output: usd(0.24), cache_read: Some(usd(0.00875)), cache_write: None };
        let million = 1_000_000;
        let cost = |usage: TokenUsage| prices.cost(&usage).map(super::Cost::usd);
        assert_eq!(cost(TokenUsage { input_tokens: million, ..TokenUsage::default() }), Some(0.06));
        assert_eq!(cost(TokenUsage { output_tokens: million, ..TokenUsage::default() }), Some(0.24));
        assert_eq!(
            cost(TokenUsage { cache_read_input_tokens: million, ..TokenUsage::default() }),
            Some(0.00875)
        );
    }

    #[test]
    fn tokens_without_a_price_make_the_cost_unknown() {
        let prices = Prices { input: usd(1.0), output: usd(1.0), cache_read: None, cache_write: None };
        let usage = TokenUsage { input_tokens: 5, cache_write_input_tokens: 1, ..TokenUsage::default() };
        assert_eq!(prices.cost(&usage), None);
    }

    #[test]
    fn a_price_that_is_no_price_is_refused() {
        for bad in [-0.01, f64::NAN, f64::INFINITY, 2e6] {
            assert!(UsdPerMillionTokens::new(bad).is_none(), "{bad}");
        }
    }
}
