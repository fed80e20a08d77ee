//! The personality: a setting by its path, and a text found in the contact's language and filled in.

use std::fmt;

use serde::de::DeserializeOwned;

use crate::fault::Fault;
use crate::host;
use crate::level::Level;

/// A value of the personality at a dotted path; `None` where there is none.
pub fn setting<T: DeserializeOwned>(path: &str) -> Result<Option<T>, Fault> {
    let Some(json) = host::personality(path) else { return Ok(None) };
    serde_json::from_str(&json).map_err(|error| {
        Fault::new("personality", format!("the personality's `{path}` does not read: {error}"))
    })
}

/// Read when it is used; `{name}` stands for a value given with [`Phrase::with`].
#[derive(Clone, Debug)]
pub struct Phrase {
    path: String,
    language: String,
    tenant_language: String,
    values: Vec<(String, String)>,
}

impl Phrase {
    pub fn new(path: impl Into<String>, language: &str, tenant_language: &str) -> Self {
        Phrase {
            path: path.into(),
            language: language.to_owned(),
            tenant_language: tenant_language.to_owned(),
            values: Vec::new(),
        }
    }

    /// In this language instead of the turn's.
    pub fn language(mut self, language: impl Into<String>) -> Self {
        self.language = language.into();
        self
    }

    /// `{name}` becomes this value. A value that holds braces is not filled in again.
    pub fn with(mut self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        self.values.push((name.into(), value.to_string()));
        self
    }

    /// `None` where the personality has no such text in any language.
    pub fn find(&self) -> Option<String> {
        let mut asked: Vec<&str> = Vec::with_capacity(4);
        for language in [
            self.language.as_str(),
            base(&self.language),
            self.tenant_language.as_str(),
            base(&self.tenant_language),
            "en",
        ] {
            if language.is_empty() || asked.contains(&language) {
                continue;
            }
            asked.push(language);
            if let Some(text) = text(&format!("{}.{language}", self.path)) {
                return Some(fill(&text, &self.values));
            }
        }
        text(&self.path).map(|text| fill(&text, &self.values))
    }
}

/// A text that is missing shows its path: the conversation goes on, and the tenant sees what to add.
impl fmt::Display for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.find() {
            Some(text) => f.write_str(&text),
            None => {
                host::log(
                    Level::Warn,
                    &format!("the personality has no text `{}` in `{}`", self.path, self.language),
                );
                f.write_str(&self.path)
            }
        }
    }
}

impl From<Phrase> for String {
    fn from(phrase: Phrase) -> String {
        phrase.to_string()
    }
}

/// What stands at this path, where it is text.
fn text(path: &str) -> Option<String> {
    serde_json::from_str(&host::personality(path)?).ok()
}

/// `pt` of `pt-BR`.
fn base(language: &str) -> &str {
    language.split(['-', '_']).next().unwrap_or(language)
}

/// One pass over the template, so that a value is never taken for a placeholder.
fn fill(template: &str, values: &[(String, String)]) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        text.push_str(&rest[..open]);
        rest = &rest[open..];
        let value = rest.find('}').and_then(|close| {
            let name = &rest[1..close];
            values.iter().find(|(known, _)| known == name).map(|(_, value)| (close, value))
        });
        match value {
            Some((close, value)) => {
                text.push_str(value);
                rest = &rest[close + 1..];
            }
            None => {
                text.push('{');
                rest = &rest[1..];
            }
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{Sources, with_sources};

    fn find(path: &str, language: &str) -> Option<String> {
        let personality = serde_json::json!({
            "hello": { "en": "Hello {name}", "fa": "سلام {name}", "pt": "Olá {name}" },
            "plain": "one for all, {name}",
            "count": 3,
        });
        let sources = Sources { personality: personality.into(), ..Sources::default() };
        let phrase = Phrase::new(path, language, "en").with("name", "{count}");
        with_sources(sources, || phrase.find()).0
    }

    #[test]
    fn languages_fall_back() {
        assert_eq!(find("hello", "fa").as_deref(), Some("سلام {count}"));
        assert_eq!(find("hello", "pt-BR").as_deref(), Some("Olá {count}"));
        assert_eq!(find("hello", "de").as_deref(), Some("Hello {count}"));
        assert_eq!(find("plain", "de").as_deref(), Some("one for all, {count}"));
        assert_eq!(find("count", "en"), None);
        assert_eq!(find("nothing.here", "en"), None);
    }

    #[test]
    fn braces_that_name_nothing_stay() {
        let values = vec![("a".to_owned(), "1".to_owned())];
        assert_eq!(fill("{a}{b} {a {a}} {", &values), "1{b} {a 1} {");
    }
}
