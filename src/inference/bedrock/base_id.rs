//! The base id of a model: what is left of an inference profile's id without its
//! part of the world.
//!
//! Tokens are counted by base ids alone. The list of parts is AWS's own, because a
//! first part cannot be told from a provider's name by its looks. It knows nothing
//! of which models can count: Bedrock says so.

/// What ids of system-defined inference profiles begin with.
const PARTS_OF_THE_WORLD: [&str; 10] = ["us", "us-gov", "eu", "apac", "jp", "au", "ca", "in", "sa", "global"];

/// The base id of a model or profile id; `None` for an ARN, which may stand for a
/// model that only AWS knows.
pub(super) fn of(id: &str) -> Option<&str> {
    if id.starts_with("arn:") {
        return None;
    }
    match id.split_once('.') {
        Some((first, base)) if PARTS_OF_THE_WORLD.contains(&first) => Some(base),
        _ => Some(id),
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn a_profile_is_stripped_to_its_model_and_an_arn_has_no_base_id() {
        let cases = [
            ("us.anthropic.claude-sonnet-4-6", Some("anthropic.claude-sonnet-4-6")),
            ("us-gov.anthropic.claude-haiku-5-5", Some("anthropic.claude-haiku-5-5")),
            ("global.amazon.nova-2-lite-v1:0", Some("amazon.nova-2-lite-v1:0")),
            ("anthropic.claude-3-haiku-20240307-v1:0", Some("anthropic.claude-3-haiku-20240307-v1:0")),
            ("zai.glm-4.7", Some("zai.glm-4.7")),
            ("arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0", None),
            ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-6", None),
        ];
        for (id, base) in cases {
            assert_eq!(of(id), base, "{id}");
        }
    }
}
