//! Money: prices per token and what a call costs.
//!
//! Amounts are whole pico-dollars (1e-12 USD), because the smallest published
//! price, 0.00875 USD per million tokens, is 8,750 of them: sums stay exact.
//! An unknown price makes an unknown cost, never a cost of zero.

use super::service_terms::{Metered, ServiceTerms, ServiceTier};

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
    pub factors: PriceFactors,
}

/// What the prices are multiplied with on other terms than the usual ones; `None`
/// when the model is not known to be served on them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PriceFactors {
    pub priority: Option<f64>,
    pub flex: Option<f64>,
    pub optimized_latency: Option<f64>,
}

impl PriceFactors {
    /// `None` when it is not known; reserved capacity is paid by contract.
    fn on(&self, terms: ServiceTerms) -> Option<f64> {
        let tier = match terms.tier {
            ServiceTier::Default => Some(1.0),
            ServiceTier::Priority => self.priority,
            ServiceTier::Flex => self.flex,
            ServiceTier::Reserved => None,
        };
        let latency = if terms.optimized_latency { self.optimized_latency } else { Some(1.0) };
        Some(tier? * latency?)
    }
}

impl Prices {
    /// The cost of what was used, or `None` when it holds tokens of a class without a
    /// price, or was served on terms without one.
    pub fn cost(&self, metered: &Metered) -> Option<Cost> {
        let usage = &metered.tokens;
        let factor = self.factors.on(metered.terms)?;
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
        let cost = Cost(parts.into_iter().fold(0, u64::saturating_add));
        // Whole sums stay exact where nothing is multiplied.
        Some(if factor == 1.0 { cost } else { cost.times(factor) })
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
    use super::{PriceFactors, Prices, UsdPerMillionTokens};
    use crate::domain::{Metered, ServiceTerms, ServiceTier, TokenUsage};

    fn usd(price: f64) -> UsdPerMillionTokens {
        UsdPerMillionTokens::new(price).unwrap()
    }

    fn prices(
        input: UsdPerMillionTokens,
        output: UsdPerMillionTokens,
        cache_read: Option<UsdPerMillionTokens>,
    ) -> Prices {
        Prices { input, output, cache_read, cache_write: None, factors: PriceFactors::default() }
    }

    #[test]
    fn a_million_tokens_cost_the_listed_price() {
        let prices = prices(usd(0.06), usd(0.24), Some(usd(0.00875)));
        let million = 1_000_000;
        let cost = |usage: TokenUsage| prices.cost(&usage.into()).map(super::Cost::usd);
        assert_eq!(cost(TokenUsage { input_tokens: million, ..TokenUsage::default() }), Some(0.06));
        assert_eq!(cost(TokenUsage { output_tokens: million, ..TokenUsage::default() }), Some(0.24));
        assert_eq!(
            cost(TokenUsage { cache_read_input_tokens: million, ..TokenUsage::default() }),
            Some(0.00875)
        );
    }

    #[test]
    fn tokens_without_a_price_make_the_cost_unknown() {
        let prices = prices(usd(1.0), usd(1.0), None);
        let usage = TokenUsage { input_tokens: 5, cache_write_input_tokens: 1, ..TokenUsage::default() };
        assert_eq!(prices.cost(&usage.into()), None);
    }

    #[test]
    fn other_terms_change_the_price_and_unknown_terms_make_it_unknown() {
        let factors = PriceFactors { priority: Some(1.75), flex: Some(0.5), optimized_latency: None };
        let prices = Prices { factors, ..prices(usd(2.0), usd(4.0), None) };
        let tokens = TokenUsage { input_tokens: 1_000_000, ..TokenUsage::default() };
        let cost = |tier, optimized_latency| {
            let terms = ServiceTerms { tier, optimized_latency };
            prices.cost(&Metered { tokens, terms }).map(super::Cost::usd)
        };
        assert_eq!(cost(ServiceTier::Default, false), Some(2.0));
        assert_eq!(cost(ServiceTier::Priority, false), Some(3.5));
        assert_eq!(cost(ServiceTier::Flex, false), Some(1.0));
        assert_eq!(cost(ServiceTier::Reserved, false), None);
        assert_eq!(cost(ServiceTier::Default, true), None);
    }

    #[test]
    fn a_price_that_is_no_price_is_refused() {
        for bad in [-0.01, f64::NAN, f64::INFINITY, 2e6] {
            assert!(UsdPerMillionTokens::new(bad).is_none(), "{bad}");
        }
    }
}
