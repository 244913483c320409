//! How many tokens a prompt has, before any model has counted it.

use std::sync::Arc;

use super::model::ModelId;

/// An estimate per model: vocabularies differ, and so does how well they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputSize {
    by_model: Arc<[ModelTokens]>,
    /// For a model that is not listed.
    otherwise: u32,
}

/// The estimate for one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelTokens {
    pub model: ModelId,
    /// The most likely number.
    pub expected: u32,
    /// The number to compare with a limit: it holds the estimate's margin.
    pub at_most: u32,
}

impl InputSize {
    /// The same number for every model.
    pub fn of_any_model(tokens: u32) -> Self {
        Self { by_model: Arc::default(), otherwise: tokens }
    }

    /// A number for each of these models, and for any other one the largest of them.
    pub fn of_models(by_model: impl IntoIterator<Item = ModelTokens>) -> Self {
        let by_model: Arc<[ModelTokens]> = by_model.into_iter().collect();
        let otherwise = by_model.iter().map(|tokens| tokens.at_most).max().unwrap_or(0);
        Self { by_model, otherwise }
    }

    /// The most likely number.
    pub fn expected(&self, model: &ModelId) -> u32 {
        self.find(model).map_or(self.otherwise, |tokens| tokens.expected)
    }

    /// The number to compare with a limit.
    pub fn at_most(&self, model: &ModelId) -> u32 {
        self.find(model).map_or(self.otherwise, |tokens| tokens.at_most)
    }

    fn find(&self, model: &ModelId) -> Option<&ModelTokens> {
        self.by_model.iter().find(|tokens| tokens.model == *model)
    }
}

#[cfg(test)]
mod tests {
    use super::{InputSize, ModelTokens};
    use crate::domain::ModelId;

    #[test]
    fn each_model_has_its_own_number_and_a_stranger_the_largest() {
        let model = |name: &str| ModelId::parse(name).unwrap();
        let size = InputSize::of_models([
            ModelTokens { model: model("a.one"), expected: 100, at_most: 115 },
            ModelTokens { model: model("b.two"), expected: 130, at_most: 150 },
        ]);
        assert_eq!((size.expected(&model("a.one")), size.at_most(&model("a.one"))), (100, 115));
        assert_eq!((size.expected(&model("c.three")), size.at_most(&model("c.three"))), (150, 150));
        assert_eq!(InputSize::of_any_model(7).at_most(&model("a.one")), 7);
    }
}
