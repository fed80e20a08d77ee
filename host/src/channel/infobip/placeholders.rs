//! A template's placeholders at Infobip: numbered in each text, from 1 and without gaps. A template of
//! ours may name them, or number them as it likes.

use std::collections::BTreeMap;

use crate::channel::EncodeError;
use crate::template::Template;
use crate::template::placeholders::{Piece, names, pieces};

/// The names in a text, each once, in the order of their numbers at Infobip: numbers by size, names as
/// they come.
pub fn ordered(text: &str) -> Vec<&str> {
    let mut ordered: Vec<&str> = Vec::new();
    for name in names(text) {
        if !ordered.contains(&name) {
            ordered.push(name);
        }
    }
    if ordered.iter().all(|name| name.parse::<u32>().is_ok()) {
        ordered.sort_by_key(|name| name.parse::<u32>().unwrap_or(u32::MAX));
    }
    ordered
}

/// The text as Infobip is told it.
pub fn numbered(text: &str) -> String {
    let ordered = ordered(text);
    let number = |name| ordered.iter().position(|known| *known == name).map_or(0, |at| at + 1);
    let told = pieces(text).into_iter().map(|piece| match piece {
        Piece::Text(text) => text.to_owned(),
        Piece::Placeholder(name) => format!("{{{{{}}}}}", number(name)),
    });
    told.collect()
}

/// What stands for the placeholders of a text, in Infobip's order.
pub fn filled<'a>(
    template: &Template,
    text: &str,
    by_name: &BTreeMap<&str, &'a str>,
) -> Result<Vec<&'a str>, EncodeError> {
    let value = |name: &str| {
        by_name.get(name).copied().ok_or_else(|| {
            EncodeError(format!(
                "the template `{}` says `{{{{{name}}}}}`, but has no parameter of that name",
                template.name
            ))
        })
    };
    ordered(text).into_iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_ordered_and_numbered() {
        for (text, found, told) in [
            ("Hello", vec![], "Hello"),
            ("{{2}} and {{1}} and {{2}}", vec!["1", "2"], "{{2}} and {{1}} and {{2}}"),
            ("Dear {{customer}}, {{day}}, {{customer}}", vec!["customer", "day"], "Dear {{1}}, {{2}}, {{1}}"),
            ("{{10}}{{9}}", vec!["9", "10"], "{{2}}{{1}}"),
            ("{{open", vec![], "{{open"),
        ] {
            assert_eq!(ordered(text), found, "{text}");
            assert_eq!(numbered(text), told, "{text}");
        }
    }
}
