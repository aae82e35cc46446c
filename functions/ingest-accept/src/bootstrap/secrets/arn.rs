//! ARNs of secrets: of Secrets Manager, with a JSON key after it as ECS writes it, or of a parameter of SSM's.

/// Who keeps a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    SecretsManager,
    ParameterStore,
}

/// A secret's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arn {
    pub(super) store: Store,
    pub(super) region: String,
    /// What the store is asked for: the ARN itself, without what stands after it.
    pub(super) id: String,
    /// The member of a JSON object that the secret is.
    pub(super) json_key: Option<String>,
}

const EXPECTED: &str = "is no ARN of a secret or a parameter \
    (arn:aws:secretsmanager:region:account:secret:name, arn:aws:ssm:region:account:parameter/name)";

impl Arn {
    /// Reads an ARN.
    ///
    /// # Errors
    /// What is expected.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let parts: Vec<&str> = text.split(':').collect();
        let ["arn", partition, service, region, _, rest @ ..] = parts.as_slice() else {
            return Err(EXPECTED);
        };
        let (store, json_key) = match (*service, rest) {
            ("secretsmanager", ["secret", _]) => (Store::SecretsManager, None),
            // The version's stage and id would follow: always the current one is meant.
            ("secretsmanager", ["secret", _, key] | ["secret", _, key, "", ""]) => {
                (Store::SecretsManager, Some(*key))
            }
            ("ssm", [parameter]) if parameter.starts_with("parameter/") => {
                (Store::ParameterStore, None)
            }
            _ => return Err(EXPECTED),
        };
        if region.is_empty() || !partition.starts_with("aws") {
            return Err(EXPECTED);
        }
        let named = match store {
            Store::SecretsManager => 7,
            Store::ParameterStore => 6,
        };
        Ok(Self {
            store,
            region: (*region).to_owned(),
            id: parts[..named].join(":"),
            json_key: json_key.filter(|key| !key.is_empty()).map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_may_have_a_json_key_after_it() {
        let secret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:alioth/amqp-a1B2c3";
        let plain = Arn {
            store: Store::SecretsManager,
            region: "eu-central-1".to_owned(),
            id: secret.to_owned(),
            json_key: None,
        };
        assert_eq!(Arn::parse(secret), Ok(plain.clone()));
        assert_eq!(Arn::parse(&format!("{secret}:::")), Ok(plain.clone()));
        let keyed = Arn {
            json_key: Some("url".to_owned()),
            ..plain
        };
        assert_eq!(Arn::parse(&format!("{secret}:url::")), Ok(keyed.clone()));
        assert_eq!(Arn::parse(&format!("{secret}:url")), Ok(keyed));
    }

    #[test]
    fn a_parameter_is_asked_for_by_its_arn() {
        let parameter = "arn:aws-us-gov:ssm:us-gov-west-1:123456789012:parameter/alioth/keys";
        let arn = Arn::parse(parameter).unwrap();
        assert_eq!(arn.store, Store::ParameterStore);
        assert_eq!(arn.region, "us-gov-west-1");
        assert_eq!(arn.id, parameter);
    }

    #[test]
    fn whatever_else_is_refused() {
        for other in [
            "",
            "alioth/amqp",
            "arn:aws:s3:::bucket",
            "arn:aws:secretsmanager::123456789012:secret:name",
            "arn:aws:secretsmanager:eu-central-1:123456789012:name",
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:name:key:AWSPREVIOUS:",
            "arn:aws:ssm:eu-central-1:123456789012:document/name",
        ] {
            assert_eq!(Arn::parse(other), Err(EXPECTED), "{other}");
        }
    }
}
