//! What the answer that brings a file calls it: `Content-Disposition`. A stranger may have chosen the name,
//! so that it is one here and no path. Pure.

use percent_encoding::percent_decode_str;

use crate::channel::media::FILENAME_CHARS;

/// The name in `attachment; filename="villa.pdf"; filename*=UTF-8''villa%20%D9%81.pdf`; the longer form, which
/// takes letters of all kinds, goes first.
pub fn of_answer(disposition: &str) -> Option<String> {
    let parameters = parameters(disposition);
    let value = |wanted: &str| {
        let found = parameters.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.as_str())
    };
    let encoded = || {
        let (charset, rest) = value("filename*")?.split_once('\'')?;
        let (_, name) = rest.split_once('\'')?;
        let utf8 = charset.eq_ignore_ascii_case("utf-8");
        utf8.then(|| percent_decode_str(name).decode_utf8().ok()).flatten().map(String::from)
    };
    let name = encoded().or_else(|| value("filename").map(str::to_owned))?;
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last.chars().filter(|c| !c.is_control()).take(FILENAME_CHARS).collect();
    Some(plain.trim().to_owned()).filter(|name| !name.is_empty() && name != "." && name != "..")
}

/// What follows the first word, as pairs. A semicolon within quotes parts nothing.
fn parameters(disposition: &str) -> Vec<(String, String)> {
    let mut parts = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for c in disposition.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => {
                escaped = true;
                continue;
            }
            '"' => {
                quoted = !quoted;
                continue;
            }
            ';' if !quoted => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    let pair = |part: String| {
        let (name, value) = part.split_once('=')?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    };
    parts.into_iter().skip(1).filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_what_is_none() {
        for (disposition, expected) in [
            ("attachment; filename=villa.pdf", Some("villa.pdf")),
            ("attachment; FileName=\"a; b\\\"c.pdf\"; size=7", Some("a; b\"c.pdf")),
            ("inline; filename=\"x.pdf\"; filename*=UTF-8''villa%20%D9%81.pdf", Some("villa ف.pdf")),
            ("attachment; filename*=ISO-8859-1'en'a%E4.pdf; filename=a.pdf", Some("a.pdf")),
            ("attachment; filename=\"../../etc/passwd\"", Some("passwd")),
            ("attachment; filename*=utf-8''..%2F..%5Cwin.ini", Some("win.ini")),
            ("attachment; filename=\"..\"", None),
            ("attachment; filename=", None),
            ("attachment", None),
            ("filename=villa.pdf", None),
            ("", None),
        ] {
            assert_eq!(of_answer(disposition).as_deref(), expected, "{disposition}");
        }
        let long = of_answer(&format!("attachment; filename={}", "n".repeat(9_000)));
        assert_eq!(long.map(|name| name.len()), Some(FILENAME_CHARS));
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>(), parts in "(filename|\\*|=|;|\"|\\\\|'|%|UTF-8| |é)*") {
            let _ = of_answer(&text);
            let _ = of_answer(&parts);
        }
    }
}
