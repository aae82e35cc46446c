//! What a request's headers say of its body: its type and its encoding. Pure.

use std::fmt;

use axum::http::{HeaderMap, header};

use crate::answer::Refusal;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

/// Reads Content-Type and Content-Encoding.
///
/// A missing Content-Type is refused, as Qdrant refuses it: a browser may send a body without one
/// to a foreign origin unasked.
///
/// # Errors
/// `ContentType` and `ContentEncoding`.
pub(crate) fn declared(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let content_type = headers.get(header::CONTENT_TYPE);
    let Some(content_type) = content_type.map(|value| value.as_bytes()) else {
        return Err(Refusal::ContentType { found: None });
    };
    if !is_json(content_type) {
        let found = Some(String::from_utf8_lossy(content_type).into_owned());
        return Err(Refusal::ContentType { found });
    }
    encoding(headers)
}

/// `application/json` in UTF-8; parameters other than `charset` mean nothing to JSON.
fn is_json(content_type: &[u8]) -> bool {
    let mut parts = content_type.split(|byte| *byte == b';');
    let media_type = parts.next().unwrap_or_default().trim_ascii();
    media_type.eq_ignore_ascii_case(b"application/json") && parts.all(is_utf8_or_no_charset)
}

fn is_utf8_or_no_charset(parameter: &[u8]) -> bool {
    let Some(equals) = parameter.iter().position(|byte| *byte == b'=') else {
        return true;
    };
    let (name, value) = parameter.split_at(equals);
    if !name.trim_ascii().eq_ignore_ascii_case(b"charset") {
        return true;
    }
    let value = value[1..].trim_ascii();
    let value = value.strip_prefix(b"\"").unwrap_or(value);
    let value = value.strip_suffix(b"\"").unwrap_or(value);
    value.eq_ignore_ascii_case(b"utf-8")
        || value.eq_ignore_ascii_case(b"utf8")
        || value.eq_ignore_ascii_case(b"us-ascii")
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let mut lines = headers.get_all(header::CONTENT_ENCODING).iter();
    let first = match lines.next() {
        Some(value) => value.as_bytes().trim_ascii(),
        None => return Ok(Encoding::Identity),
    };
    let known = [
        (&b"identity"[..], Encoding::Identity),
        (&b"gzip"[..], Encoding::Gzip),
        // An alias of gzip. Source: RFC 9110, 8.4.1.3.
        (&b"x-gzip"[..], Encoding::Gzip),
        (&b"zstd"[..], Encoding::Zstd),
    ];
    let found = known
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(first));
    match (found, lines.next()) {
        (Some((_, encoding)), None) => Ok(*encoding),
        (None, _) | (_, Some(_)) => Err(Refusal::ContentEncoding {
            found: all_lines(headers),
        }),
    }
}

fn all_lines(headers: &HeaderMap) -> String {
    let lines: Vec<_> = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    lines.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Code;

    fn read(content_type: Option<&str>, encodings: &[&str]) -> Result<Encoding, Code> {
        let mut headers = HeaderMap::new();
        if let Some(value) = content_type {
            headers.insert(header::CONTENT_TYPE, value.parse().unwrap());
        }
        for value in encodings {
            headers.append(header::CONTENT_ENCODING, value.parse().unwrap());
        }
        declared(&headers).map_err(|refusal| refusal.verdict().code)
    }

    #[test]
    fn json_in_utf8_is_taken_however_it_is_spelled() {
        for content_type in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
            "application/json; version=1",
            "application/json;",
        ] {
            assert_eq!(
                read(Some(content_type), &[]),
                Ok(Encoding::Identity),
                "{content_type}"
            );
        }
    }

    #[test]
    fn any_other_type_and_none_are_refused() {
        for content_type in [
            None,
            Some(""),
            Some("text/plain"),
            Some("application/jsonl"),
            Some("application/x-www-form-urlencoded"),
            Some("application/json; charset=utf-16"),
        ] {
            let refused = Err(Code::UnsupportedContentType);
            assert_eq!(read(content_type, &[]), refused, "{content_type:?}");
        }
    }

    #[test]
    fn one_known_encoding_is_taken() {
        let json = Some("application/json");
        for (name, encoding) in [
            ("gzip", Encoding::Gzip),
            ("X-GZIP", Encoding::Gzip),
            (" zstd ", Encoding::Zstd),
            ("identity", Encoding::Identity),
        ] {
            assert_eq!(read(json, &[name]), Ok(encoding), "{name}");
        }
        for encodings in [
            &["br"][..],
            &["gzip, zstd"],
            &["gzip", "gzip"],
            &["deflate"],
            &[""],
        ] {
            let refused = Err(Code::UnsupportedEncoding);
            assert_eq!(read(json, encodings), refused, "{encodings:?}");
        }
    }
}
