//! URLs in what a server says: it repeats the one it could not fetch, in a form of its own, and such a URL may be a
//! credential.

/// A text whose URLs have no user, no password, no query and no fragment.
pub(super) fn redact(text: &str) -> String {
    let mut told = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(SEPARATOR) {
        let (before, url) = rest.split_at(at + SEPARATOR.len());
        // A URL that a server has parsed has no blank in it. What else ends one may be part of a password.
        let end = url.find(char::is_whitespace).unwrap_or(url.len());
        let (url, after) = url.split_at(end);
        told.push_str(before);
        told.push_str(without_secrets(url));
        rest = after;
    }
    told.push_str(rest);
    told
}

const SEPARATOR: &str = "://";

/// Of what stands behind `://`.
fn without_secrets(url: &str) -> &str {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let (path, query) = url.split_at(end);
    // A password with a question mark, or a query with an at sign: nothing of it can be told.
    if query.contains('@') {
        return "…";
    }
    path.rsplit_once('@').map_or(path, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_told_without_what_opens_it_in_whatever_form_it_comes() {
        for (said, told) in [
            ("disabled by configuration", "disabled by configuration"),
            (
                "get https://s3/a.snapshot?X-Amz-Signature=5EC",
                "get https://s3/a.snapshot",
            ),
            ("(https://s3:443/a?X-Sig=5EC): 403", "(https://s3:443/a 403"),
            (
                "HTTPS://S3.Example/a?sig=5EC gone",
                "HTTPS://S3.Example/a gone",
            ),
            (
                "of http://user:5EC@s3/a.snapshot",
                "of http://s3/a.snapshot",
            ),
            ("of http://user:5EC@5EC@s3/a#5EC", "of http://s3/a"),
            ("of http://user:5EC?5EC@s3/a", "of http://…"),
            (
                "{\"url\":\"http://s3/a?sig=5EC\",\"x\":1}",
                "{\"url\":\"http://s3/a",
            ),
            (
                "http://a/b?5EC then https://u:5EC@c/d",
                "http://a/b then https://c/d",
            ),
            ("://", "://"),
        ] {
            assert_eq!(redact(said), told, "{said}");
        }
    }
}
