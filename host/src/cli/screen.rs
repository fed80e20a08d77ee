//! What a command prints: tables for people, JSON for programs, and a pipe that is closed early is
//! no error.

use std::io::Write as _;

use serde_json::Value;

use crate::cli::Result;
use crate::cli::failure::Failure;

/// Prints a line.
pub fn line(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Failure::Output)
}

pub fn json(value: &Value) -> Result<()> {
    line(&format!("{value:#}"))
}

/// A heading, and what stands below it of each item.
pub type Column = (&'static str, fn(&Value) -> String);

/// A listing: each row is one of `items`, each column a heading and what it shows of an item.
pub fn list(items: &[Value], columns: &[Column], none: &str) -> Result<()> {
    if items.is_empty() {
        return line(none);
    }
    let mut rows: Vec<Vec<String>> = vec![columns.iter().map(|(heading, _)| (*heading).to_owned()).collect()];
    rows.extend(items.iter().map(|item| columns.iter().map(|(_, show)| show(item)).collect()));
    line(&table(&rows))
}

/// Columns as wide as their widest cell; nothing is padded at the end of a line.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let cells: Vec<String> =
                row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}

/// One thing, a line a field.
pub fn fields(value: &Value) -> Result<()> {
    let Value::Object(object) = value else { return json(value) };
    let rows: Vec<Vec<String>> =
        object.iter().map(|(key, value)| vec![key.replace('_', " "), text(value)]).collect();
    line(&table(&rows))
}

/// A value in words: nothing as a dash, text without quotes, anything deeper as JSON.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => one_line(text),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::Array(items) if items.iter().all(|item| !item.is_object()) => match items.as_slice() {
            [] => "-".into(),
            items => items.iter().map(text).collect::<Vec<_>>().join(", "),
        },
        other => other.to_string(),
    }
}

/// Text from outside, harmless to a terminal: no escape sequences, no line breaks.
pub fn one_line(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

/// The same, with its line breaks.
pub fn harmless(text: &str) -> String {
    text.chars().filter(|char| *char == '\n' || !char.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_clean() {
        let rows = [["ID", "NAME"], ["2", "Marina"], ["155", "خانه"]];
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|cell| (*cell).into()).collect()).collect();
        assert_eq!(table(&rows), "ID   NAME\n2    Marina\n155  خانه");
    }

    #[test]
    fn values_in_words() {
        let cases = [
            (json!(null), "-"),
            (json!("a\nb\u{1b}[31m"), "a b [31m"),
            (json!(true), "yes"),
            (json!([1, "x"]), "1, x"),
            (json!([]), "-"),
            (json!({"a": 1}), "{\"a\":1}"),
        ];
        for (value, expected) in cases {
            assert_eq!(text(&value), expected, "{value}");
        }
    }
}
