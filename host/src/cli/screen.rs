//! What a command prints: tables for people, JSON for programs, and a pipe that is closed early is
//! no error. Everything leaves through [`line()`], [`json`] and [`note`], so that nothing that guests,
//! contacts or providers wrote is obeyed by a terminal, or read in another order than it stands in.

use std::io::Write as _;

use serde_json::Value;

use crate::cli::Result;
use crate::cli::failure::Failure;
use crate::glyph;

/// Prints a line, or several.
pub fn line(text: &str) -> Result<()> {
    print(format!("{}\n", glyph::shown_lines(text)).as_bytes())
}

pub fn json(value: &Value) -> Result<()> {
    json_lines(&format!("{value:#}\n"))
}

/// JSON as it was received: it still reads the same.
pub fn json_lines(json: &str) -> Result<()> {
    print(glyph::shown_json(json).as_bytes())
}

fn print(text: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text).and_then(|()| out.flush()).map_err(Failure::Output)
}

/// Tells something on standard error, beside what was asked for; nobody may be there to read it.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", glyph::shown_lines(text));
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
        object.iter().map(|(key, value)| vec![one_line(&key.replace('_', " ")), text(value)]).collect();
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
        other => one_line(&other.to_string()),
    }
}

/// Text from outside, as a part of a line of ours.
pub fn one_line(text: &str) -> String {
    glyph::shown(text, usize::MAX)
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
            (json!("a\nb\u{1b}[31m"), "a\\u{a}b\\u{1b}[31m"),
            (json!(true), "yes"),
            (json!([1, "x"]), "1, x"),
            (json!([]), "-"),
            (json!({"a": 1}), "{\"a\":1}"),
            (json!({"a": "\u{202e}"}), "{\"a\":\"\\u{202e}\"}"),
        ];
        for (value, expected) in cases {
            assert_eq!(text(&value), expected, "{value}");
        }
    }
}
