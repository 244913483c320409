//! Model ids: plain ids, ids of geographic profiles, and ARNs.
//!
//! Owns the grammar of ids, not what stands behind them.
//! The one rule it protects: a model is read off an id only where the id names it.

/// The first segment of the id of a system-defined inference profile.
const GEOGRAPHIES: [&str; 10] = ["us", "eu", "apac", "jp", "au", "ca", "in", "sa", "global", "us-gov"];
const MAX_ID_BYTES: usize = 2_048;

/// What an id says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ModelId<'a> {
    /// A foundation model by its base id, called through a profile or directly.
    Named { base: &'a str, profile: bool },
    /// A scenario of this simulator.
    Simulated(&'a str),
    /// Something whose model is known to AWS alone.
    Opaque,
    /// A model that the account brought itself.
    Imported,
}

impl<'a> ModelId<'a> {
    /// Reads an id. None if no id looks like this.
    pub(super) fn parse(id: &'a str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-:._".contains(&byte);
        if id.is_empty() || id.len() > MAX_ID_BYTES {
            return None;
        }
        if id.starts_with("arn:") {
            return Self::parse_arn(id);
        }
        id.bytes().all(allowed).then(|| Self::parse_plain(id))
    }

    fn parse_plain(id: &'a str) -> Self {
        let (base, profile) = match id.split_once('.') {
            Some((geography, rest)) if GEOGRAPHIES.contains(&geography) && rest.contains('.') => (rest, true),
            _ => (id, false),
        };
        match base.strip_prefix("sim.") {
            Some(name) => Self::Simulated(name),
            None => Self::Named { base, profile },
        }
    }

    fn parse_arn(arn: &'a str) -> Option<Self> {
        let mut parts = arn.splitn(6, ':');
        let (_, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
        let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        if !partition.starts_with("aws") || region.is_empty() {
            return None;
        }
        let (kind, name) = resource.split_once('/')?;
        let owned = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        match (service, kind) {
            _ if name.is_empty() => None,
            ("bedrock", "foundation-model") if account.is_empty() => {
                Some(Self::Named { base: name, profile: false })
            }
            ("bedrock", "inference-profile") if owned => Some(Self::parse_plain(name)),
            ("bedrock", "imported-model") if owned => Some(Self::Imported),
            (
                "bedrock",
                "application-inference-profile"
                | "provisioned-model"
                | "custom-model"
                | "custom-model-deployment"
                | "prompt"
                | "prompt-router"
                | "default-prompt-router",
            )
            | ("sagemaker", "endpoint")
                if owned =>
            {
                Some(Self::Opaque)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_for_what_they_say() {
        let named = |base, profile| Some(ModelId::Named { base, profile });
        let cases = [
            ("amazon.nova-micro-v1:0", named("amazon.nova-micro-v1:0", false)),
            ("us.amazon.nova-micro-v1:0", named("amazon.nova-micro-v1:0", true)),
            ("us-gov.anthropic.claude-x", named("anthropic.claude-x", true)),
            ("us.does-not-exist", named("us.does-not-exist", false)),
            ("sim.stall", Some(ModelId::Simulated("stall"))),
            ("us.sim.stall", Some(ModelId::Simulated("stall"))),
            (
                "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-micro-v1:0",
                named("amazon.nova-micro-v1:0", false),
            ),
            (
                "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-micro-v1:0",
                named("amazon.nova-micro-v1:0", true),
            ),
            (
                "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcdefghijkl",
                Some(ModelId::Opaque),
            ),
            (
                "arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:provisioned-model/abcdefghijkl",
                Some(ModelId::Opaque),
            ),
            ("arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl", Some(ModelId::Imported)),
            ("arn:aws:s3:::bucket/key", None),
            ("arn:aws:bedrock:us-east-1:12:provisioned-model/abcdefghijkl", None),
            ("arn:aws:bedrock:us-east-1", None),
            ("", None),
            ("a b", None),
        ];
        for (id, expected) in cases {
            assert_eq!(ModelId::parse(id), expected, "{id}");
        }
        assert_eq!(ModelId::parse(&"a".repeat(2_049)), None);
    }
}
