//! A TOML file whose mistakes can be pointed at: every problem names file, line, column and key, and
//! says what to do. All problems of a file are found in one go, because an operator who mends a
//! file at night should mend it once. Knows nothing of what the keys mean.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, ValueDeserializer};

use crate::config::advice::{explain, join, quoted_after, unnamed};
use crate::regular_file;

/// Line and column, from 1.
pub type Place = (usize, usize);

/// One mistake: `data/tenants.toml:12:5: tenant[1].language: "english" is not ..., write ...`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problem {
    pub file: PathBuf,
    /// `None` where the whole file is meant.
    pub place: Option<Place>,
    /// Dotted, `routing.prefixes[1]`; empty where no single key is meant.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub action: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some((line, column)) = self.place {
            write!(f, "{line}:{column}:")?;
        }
        if !self.key.is_empty() {
            write!(f, " {}:", self.key)?;
        }
        write!(f, " {}", self.what)?;
        if !self.action.is_empty() {
            write!(f, "; {}", self.action)?;
        }
        Ok(())
    }
}

/// What a file says, with the place of each value.
pub struct Document {
    path: PathBuf,
    text: String,
}

/// Collections are the largest.
const DOCUMENT_BYTES: usize = 64 << 20;

/// Where the values of a document stand, by dotted key.
#[derive(Default)]
pub struct Places(Vec<(String, Range<usize>)>);

impl Places {
    fn of(&self, key: &str) -> Option<Range<usize>> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, span)| span.clone())
    }
}

impl Document {
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Document { path: path.into(), text: text.into() }
    }

    /// Reads the file whole.
    pub fn read(path: &Path) -> Result<Self, Problem> {
        let bytes = regular_file::read(path, DOCUMENT_BYTES).map_err(|error| Problem {
            file: path.to_owned(),
            place: None,
            key: String::new(),
            what: format!("cannot be read: {error}"),
            action: "check the path and its permissions".into(),
        })?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Document::new(path, text)),
            Err(error) => Err(Problem {
                file: path.to_owned(),
                place: None,
                key: String::new(),
                what: format!("byte {} is not UTF-8", error.utf8_error().valid_up_to() + 1),
                action: "save the file as UTF-8".into(),
            }),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Line and column, both from 1, columns in characters.
    pub fn line_column(&self, offset: usize) -> Place {
        let before = self.text.get(..offset.min(self.text.len())).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// The syntax tree, or where the syntax breaks.
    pub fn parse(&self) -> Result<Spanned<DeValue<'_>>, Vec<Problem>> {
        let (table, errors) = DeTable::parse_recoverable(&self.text);
        if errors.is_empty() {
            let span = table.span();
            return Ok(Spanned::new(span, DeValue::Table(table.into_inner())));
        }
        // A slip makes the parser stumble again over the rest of its line; one line, one problem.
        let mut problems: Vec<Problem> = Vec::new();
        for error in errors {
            let place = error.span().map(|span| self.line_column(span.start));
            let seen = problems
                .iter()
                .any(|problem| problem.place.map(|(line, _)| line) == place.map(|(line, _)| line));
            if !seen {
                problems.push(Problem {
                    file: self.path.clone(),
                    place,
                    key: String::new(),
                    what: error.message().replace('\n', " "),
                    action: "mend the TOML syntax here".into(),
                });
            }
        }
        Err(problems)
    }

    /// Where the values below `value` stand; `prefix` is its own key, empty for the whole file.
    pub fn places(value: &Spanned<DeValue<'_>>, prefix: &str) -> Places {
        let mut places = Places::default();
        collect(value, prefix, &mut places);
        places
    }

    /// Makes a `T` of `value`, which stands at `prefix`. Each key that does not fit is reported and
    /// left out, and the rest is tried again, so that the next mistake is found too. `None` when
    /// what is left makes no `T`.
    pub fn decode<T: DeserializeOwned>(
        &self,
        prefix: &str,
        value: &Spanned<DeValue<'_>>,
        problems: &mut Vec<Problem>,
    ) -> Option<T> {
        let mut tree = value.clone();
        let mut left_out: Vec<String> = Vec::new();
        // Each round takes a key away, so this ends; the bound is for a reader's peace.
        for _ in 0..1000 {
            let error = match T::deserialize(ValueDeserializer::from(tree.clone())) {
                Ok(value) => return Some(value),
                Err(error) => error,
            };
            let message = error.message().trim().replace('\n', " ");
            if let Some(field) = quoted_after(&message, "missing field `")
                && left_out.iter().any(|key| last_part(key) == field)
            {
                return None;
            }
            let span = error.span().filter(|span| *span != value.span());
            let span = span.or_else(|| named(value, &message)).unwrap_or_else(|| value.span());
            let found = key_at(value, &span, prefix);
            let (key, what, action) = explain(found.as_deref().unwrap_or(prefix), unnamed(&message));
            problems.push(Problem {
                file: self.path.clone(),
                place: Some(self.line_column(span.start)),
                key,
                what,
                action,
            });
            if !remove(&mut tree, &span) {
                return None;
            }
            left_out.extend(found);
        }
        None
    }

    /// The file as a JSON list, each item with its line and column.
    pub fn json_list(&self) -> Result<Vec<(Place, serde_json::Value)>, Problem> {
        let items: Vec<serde_json::Value> = serde_json::from_str(&self.text).map_err(|error| {
            let text = error.to_string();
            let what = text.split(" at line ").next().unwrap_or(&text).to_owned();
            Problem {
                file: self.path.clone(),
                place: Some((error.line(), error.column())),
                key: String::new(),
                what,
                action: "write a JSON list of objects: [ { \"id\": ... } ]".into(),
            }
        })?;
        let places = item_offsets(&self.text).into_iter().map(|offset| self.line_column(offset));
        Ok(places.zip(items).collect())
    }

    /// A problem with the value at `key`, wherever it or the table around it stands.
    pub fn problem(
        &self,
        places: &Places,
        key: &str,
        what: impl Into<String>,
        action: impl Into<String>,
    ) -> Problem {
        let mut around = key;
        let span = loop {
            if let Some(span) = places.of(around) {
                break Some(span);
            }
            match around.rfind(['.', '[']) {
                Some(cut) => around = &around[..cut],
                None => break None,
            }
        };
        Problem {
            file: self.path.clone(),
            place: span.map(|span| self.line_column(span.start)),
            key: key.to_owned(),
            what: what.into(),
            action: action.into(),
        }
    }
}

/// Where the items of a valid JSON list begin.
fn item_offsets(text: &str) -> Vec<usize> {
    let mut offsets = Vec::new();
    let (mut depth, mut in_text, mut escaped, mut expecting) = (0_usize, false, false, false);
    for (offset, byte) in text.bytes().enumerate() {
        if in_text {
            in_text = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        if expecting && depth == 1 && !byte.is_ascii_whitespace() && byte != b']' {
            offsets.push(offset);
            expecting = false;
        }
        match byte {
            b'"' => in_text = true,
            b'[' | b'{' => {
                expecting |= depth == 0;
                depth += 1;
            }
            b']' | b'}' => depth -= 1,
            b',' => expecting |= depth == 1,
            _ => {}
        }
    }
    offsets
}

fn collect(value: &Spanned<DeValue<'_>>, prefix: &str, places: &mut Places) {
    if !prefix.is_empty() {
        places.0.push((prefix.to_owned(), value.span()));
    }
    match value.get_ref() {
        DeValue::Table(table) => {
            for (key, value) in table.iter() {
                collect(value, &join(prefix, key.get_ref()), places);
            }
        }
        DeValue::Array(array) => {
            for (index, value) in array.iter().enumerate() {
                collect(value, &format!("{prefix}[{index}]"), places);
            }
        }
        _ => {}
    }
}

/// Where the entry stands that a message names which has no place: its key, where nobody knows it, or its
/// value.
fn named(value: &Spanned<DeValue<'_>>, message: &str) -> Option<Range<usize>> {
    let unknown = quoted_after(message, "unknown field `");
    let named = unknown.or_else(|| quoted_after(message, "`"))?;
    let (key, value) = value.get_ref().as_table()?.iter().find(|(key, _)| key.get_ref() == named)?;
    Some(if unknown.is_some() { key.span() } else { value.span() })
}

/// The dotted key of the entry whose key or value has this span.
fn key_at(value: &Spanned<DeValue<'_>>, span: &Range<usize>, prefix: &str) -> Option<String> {
    match value.get_ref() {
        DeValue::Table(table) => table.iter().find_map(|(key, value)| {
            let here = join(prefix, key.get_ref());
            if key.span() == *span || value.span() == *span {
                return Some(here);
            }
            key_at(value, span, &here)
        }),
        DeValue::Array(array) => array.iter().enumerate().find_map(|(index, value)| {
            let here = format!("{prefix}[{index}]");
            if value.span() == *span { Some(here) } else { key_at(value, span, &here) }
        }),
        _ => None,
    }
}

/// Takes the entry whose key or value has this span out of the tree. Was there one?
fn remove(value: &mut Spanned<DeValue<'_>>, span: &Range<usize>) -> bool {
    match value.get_mut() {
        DeValue::Table(table) => {
            let keys: Vec<(String, bool)> = table
                .iter()
                .map(|(key, value)| (key.get_ref().to_string(), key.span() == *span || value.span() == *span))
                .collect();
            if let Some((key, _)) = keys.iter().find(|(_, here)| *here) {
                return table.remove(key.as_str()).is_some();
            }
            keys.iter().any(|(key, _)| table.get_mut(key.as_str()).is_some_and(|value| remove(value, span)))
        }
        DeValue::Array(array) => {
            let before = array.len();
            let mut kept: DeArray<'_> = std::mem::replace(array, DeArray::new())
                .into_iter()
                .filter(|value| value.span() != *span)
                .collect();
            let removed = kept.len() < before || kept.iter_mut().any(|value| remove(value, span));
            *array = kept;
            removed
        }
        _ => false,
    }
}

fn last_part(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the shape is looked at")]
    struct Shop {
        name: String,
        port: u16,
        tags: Vec<String>,
    }

    fn problems(text: &str) -> String {
        let document = Document::new("shop.toml", text);
        let tree = match document.parse() {
            Ok(tree) => tree,
            Err(problems) => return lines(&problems),
        };
        let mut problems = Vec::new();
        let shop: Option<Shop> = document.decode("", &tree, &mut problems);
        assert!(shop.is_some() || !problems.is_empty());
        lines(&problems)
    }

    fn lines(problems: &[Problem]) -> String {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn every_mistake_of_a_file_is_found_with_its_place() {
        let cases = [
            ("name = \"a\"\nport = 1\ntags = []\n", ""),
            (
                "nam = \"a\"\nport = \"x\"\ntags = [\"a\", 3]\n",
                "shop.toml:1:1: nam: there is no such key; did you mean `name`?\n\
                 shop.toml:2:8: port: is string \"x\"; write a whole number, 0 or more\n\
                 shop.toml:3:14: tags[1]: is integer `3`; write a text in quotes\n\
                 shop.toml:1:1: name: is missing; add `name = ...`",
            ),
            (
                "name = \"ü\"  \nport = 70000\ntags = 1",
                "shop.toml:2:8: port: is integer `70000`; write a whole number, 0 or more\n\
                 shop.toml:3:8: tags: is integer `1`; write a list: [ ... ]",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(problems(text), expected, "{text}");
        }
    }

    #[test]
    fn broken_syntax_is_placed() {
        let said = problems("name = \"a\"\nport == 1\n");
        assert!(said.starts_with("shop.toml:2:7: "), "{said}");
        assert!(said.ends_with("; mend the TOML syntax here"), "{said}");
    }

    #[test]
    fn items_of_a_json_list_have_places() {
        let document = Document::new("a.json", "[\n {\"a\": \"x,[\\\"]\"}, 2,\n  [3, {}],\"é\", null\n]");
        let places: Vec<_> = document.json_list().unwrap().into_iter().map(|(place, _)| place).collect();
        assert_eq!(places, [(2, 2), (2, 19), (3, 3), (3, 11), (3, 16)]);
        assert!(Document::new("a.json", "[]").json_list().unwrap().is_empty());
    }

    #[test]
    fn a_problem_without_its_key_points_at_the_table_around() {
        let document = Document::new("a.toml", "[one]\nx = 1\n");
        let tree = document.parse().unwrap();
        let places = Document::places(&tree, "");
        let problem = document.problem(&places, "one.y", "is missing", "add it");
        assert_eq!(problem.to_string(), "a.toml:1:1: one.y: is missing; add it");
    }
}
