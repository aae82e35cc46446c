//! Paths into a payload, as filters name them: `a.b[].c`, `"any key".d[3]`. Qdrant would refuse the whole
//! upsert for a bad one, long after it was accepted, so it is checked here.

/// Whether Qdrant reads `text` as a path.
pub(super) fn is_path(text: &str) -> bool {
    let Some(mut rest) = after_key(text) else {
        return false;
    };
    while !rest.is_empty() {
        let next = match rest.strip_prefix('.') {
            Some(key) => after_key(key),
            None => after_index(rest),
        };
        let Some(after) = next else { return false };
        rest = after;
    }
    true
}

/// What follows the key at the start of `text`, plain or in quotes.
fn after_key(text: &str) -> Option<&str> {
    if let Some(quoted) = text.strip_prefix('"') {
        let end = quoted.find(['"', '\\'])?;
        return quoted[end..].strip_prefix('"');
    }
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-')
        .unwrap_or(text.len());
    (end > 0).then(|| &text[end..])
}

/// What follows the `[]` or `[3]` at the start of `text`.
fn after_index(text: &str) -> Option<&str> {
    let (index, after) = text.strip_prefix('[')?.split_once(']')?;
    let digits = index.bytes().all(|byte| byte.is_ascii_digit());
    (index.is_empty() || digits && index.parse::<usize>().is_ok()).then_some(after)
}

#[cfg(test)]
mod tests {
    use super::is_path;

    #[test]
    fn paths_are_told_as_qdrant_tells_them() {
        for good in [
            "a",
            "a.b",
            "foo[1][50].bar-baz[].\"qux[.]quux\"",
            "\"\"",
            "größe",
            "a[]",
            "\"a b\".c",
            "-",
        ] {
            assert!(is_path(good), "{good}");
        }
        for bad in [
            "",
            ".",
            "a.",
            "a b",
            "a[",
            "a[x]",
            "a[-1]",
            "a]",
            "\"a",
            "a..b",
            "a\"b\"",
            "\"a\\\"\"",
            "[0]",
            "a[1",
        ] {
            assert!(!is_path(bad), "{bad}");
        }
    }
}
