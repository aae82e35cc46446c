//! The request as a job's record tells it: whoever may look at jobs reads it, so what opens a URL is not in it.

use alioth_jobs::Request;
use reqwest::Url;
use serde_json::Value;

/// The request without the user, the password and the query of its URLs. Its message keeps them.
pub(crate) fn told<R: Request>(request: &R) -> Value {
    // Requests are structs of text and lists, which always serialise.
    let mut asked = serde_json::to_value(request).unwrap_or_default();
    conceal(&mut asked);
    asked
}

fn conceal(value: &mut Value) {
    match value {
        Value::String(text) if text.contains("://") => *text = concealed(text),
        Value::Array(values) => values.iter_mut().for_each(conceal),
        Value::Object(fields) => fields.values_mut().for_each(conceal),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn concealed(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else {
        let (scheme, _) = text.split_once("://").unwrap_or_default();
        return format!("{scheme}://…");
    };
    url.set_query(None);
    url.set_fragment(None);
    // These fail where there can be no user.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alioth_jobs::{JobId, RestoreFrom, RestoreRequest, RestoreWhat};

    #[test]
    fn a_url_is_told_without_user_password_and_query() {
        for (url, told) in [
            (
                "https://u:pw@h:8443/a%20b.snapshot?X-Sig=1#f",
                "https://h:8443/a%20b.snapshot",
            ),
            ("https://H:443/a.snapshot?X-Sig=1", "https://h/a.snapshot"),
            (
                "s3://backups/collection/a.snapshot",
                "s3://backups/collection/a.snapshot",
            ),
            ("https://u:p?w@h/a.snapshot", "https://…"),
        ] {
            let request = RestoreRequest {
                job_id: JobId::new(),
                what: RestoreWhat::Collections(vec!["movies".to_owned()]),
                from: RestoreFrom::Url(url.to_owned()),
                rename_to: None,
                overwrite: false,
                host: None,
            };
            let asked = super::told(&request);
            assert_eq!(asked["from"]["url"], told, "{url}");
            assert_eq!(asked["what"]["collections"][0], "movies");
            assert!(String::from_utf8(request.encode()).unwrap().contains(url));
        }
    }
}
