//! Says in an operator's words what a deserializer finds wrong: the key, what is wrong with it, and
//! what to do. Pure.

/// What stands in back quotes after `before`.
pub fn quoted_after<'m>(message: &'m str, before: &str) -> Option<&'m str> {
    message.strip_prefix(before)?.split('`').next()
}

/// A message without the key that it begins with: `` `key`: what is wrong ``.
pub fn unnamed(message: &str) -> &str {
    let rest = message.strip_prefix('`').and_then(|rest| rest.split_once("`: "));
    rest.map_or(message, |(_, rest)| rest)
}

/// `prefix.key`.
pub fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}

/// serde's words in ours: the key, what is wrong with it, and what to do.
pub fn explain(key: &str, message: &str) -> (String, String, String) {
    if let Some(field) = quoted_after(message, "unknown field `") {
        let known: Vec<&str> = message.split('`').skip(3).step_by(2).collect();
        let action = match nearest(field, &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", known.join(", ")),
        };
        return (key.to_owned(), "there is no such key".into(), action);
    }
    if let Some(field) = quoted_after(message, "missing field `") {
        return (join(key, field), "is missing".into(), format!("add `{field} = ...`"));
    }
    if let Some(variant) = quoted_after(message, "unknown variant `") {
        let known: Vec<&str> = message.split('`').skip(3).step_by(2).collect();
        return (
            key.to_owned(),
            format!("\"{variant}\" is not known"),
            format!("one of: {}", known.join(", ")),
        );
    }
    if let Some((found, expected)) =
        message.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected "))
    {
        return (key.to_owned(), format!("is {found}"), format!("write {}", plain_type(expected)));
    }
    if let Some((found, expected)) =
        message.strip_prefix("invalid value: ").and_then(|rest| rest.split_once(", expected "))
    {
        return (key.to_owned(), format!("is {found}"), format!("write {}", plain_type(expected)));
    }
    if message.contains("socket address") {
        let action = "write an address and a port, such as \"127.0.0.1:8000\"";
        return (key.to_owned(), "is not an address".into(), action.into());
    }
    (key.to_owned(), message.to_owned(), String::new())
}

fn plain_type(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i32" | "i64" => "a whole number",
        "a string" | "string" | "path string" => "a text in quotes",
        "a boolean" => "true or false",
        "a sequence" => "a list: [ ... ]",
        other => other,
    }
}

/// The known word that a slip of the finger or two makes of `word`.
fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    known
        .iter()
        .map(|candidate| (distance(word, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= 2.max(candidate.len() / 4))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (diagonal + usize::from(a != *b)).min(above + 1).min(row[j] + 1);
            diagonal = above;
        }
    }
    row[right.len()]
}
