//! `{{1}}` and `{{customer}}` in a template's texts.

use std::collections::BTreeMap;

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'t> {
    Text(&'t str),
    /// What stands between the braces, as it is written.
    Placeholder(&'t str),
}

/// The text in its pieces, in order. Braces that do not close are text.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, behind)) = after.split_once("}}") else { break };
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        pieces.push(Piece::Placeholder(name));
        rest = behind;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

/// The placeholders of a text, each where it stands.
pub fn names(text: &str) -> Vec<&str> {
    let name = |piece| match piece {
        Piece::Placeholder(name) => Some(name),
        Piece::Text(_) => None,
    };
    pieces(text).into_iter().filter_map(name).collect()
}

/// The text as the contact reads it. A placeholder without a value stays as it is.
pub fn fill(text: &str, values: &BTreeMap<&str, &str>) -> String {
    let mut filled = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Placeholder(name) => match values.get(name) {
                Some(value) => filled.push_str(value),
                None => {
                    filled.push_str("{{");
                    filled.push_str(name);
                    filled.push_str("}}");
                }
            },
        }
    }
    filled
}

/// Numbered (`1`, `2`), not named.
pub fn is_number(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 3
        && !name.starts_with('0')
        && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// What providers take for a name: `a-z`, `0-9` and `_`, a letter first; or a number.
pub fn is_name(name: &str) -> bool {
    let named = name.len() <= 64
        && name.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    named || is_number(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_taken_apart_and_filled() {
        let values = BTreeMap::from([("1", "Sara"), ("when", "{{1}}")]);
        for (text, found, filled) in [
            ("", vec![], ""),
            ("hello", vec![], "hello"),
            ("hello {{1}}!", vec!["1"], "hello Sara!"),
            ("{{1}}{{1}} {{when}}", vec!["1", "1", "when"], "SaraSara {{1}}"),
            ("{{ 1 }} {{x}}", vec![" 1 ", "x"], "{{ 1 }} {{x}}"),
            ("{{1} {{", vec![], "{{1} {{"),
            ("a {{}} b", vec![""], "a {{}} b"),
        ] {
            assert_eq!(names(text), found, "{text}");
            assert_eq!(fill(text, &values), filled, "{text}");
        }
    }
}
