//! The cases of `tests/hostile/`. A guest or an upload is a `.wat` whose first lines, `;;! `, are TOML;
//! a caller is a `.toml`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::hostile::{guest, recipe};
use crate::package::workspace;

/// The text after the head.
const HEAD: &str = ";;! ";

/// A component that a tenant pushes with its key, and what becomes of the first turn on it.
#[derive(Clone, Debug)]
pub struct Guest {
    /// `poll-list`, the file's name.
    pub name: String,
    pub head: Head,
    text: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// What it does.
    pub does: String,
    /// What stops it.
    pub bound: String,
    pub verdict: Verdict,
    #[serde(default)]
    pub form: Form,
    /// Pieces of the prelude that the case writes itself.
    #[serde(default)]
    pub own: Vec<String>,
    /// Text that must begin no line of the gateway's log, and be seen there without control characters.
    pub forges: Option<String>,
    /// The answer to the push is no longer.
    #[serde(default = "a_page")]
    pub answer_bytes: usize,
    /// Records of the tenant's collection `things`, as JSON, with recipes.
    pub things: Option<String>,
}

fn a_page() -> usize {
    8 << 10
}

/// How the text is to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// The fields of a core module, which the contract is put around.
    #[default]
    Fields,
    /// Whole: a component, or something that is none.
    Wat,
    /// Bytes, as hexadecimal digits.
    Hex,
}

/// What must come of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The push is refused, with these words.
    Refused(String),
    /// Taken or refused; only what runs beside it counts.
    Either(String),
    /// The turn fails: the failure's code, one of these or `any`, and words of its message.
    Fails { code: Vec<String>, says: String },
    /// The turn goes well, and the contact reads this; nothing if it is empty.
    Answers(String),
}

impl Verdict {
    /// Does a turn run on it?
    pub fn runs(&self) -> bool {
        matches!(self, Verdict::Fails { .. } | Verdict::Answers(_))
    }
}

impl Guest {
    /// All of a folder below `tests/hostile`, by name.
    pub fn all(folder: &str) -> Result<Vec<Guest>> {
        files(folder, "wat")?.iter().map(|file| Guest::read(file)).collect()
    }

    fn read(file: &Path) -> Result<Guest> {
        let place = || file.display().to_string();
        let text = std::fs::read_to_string(file).with_context(place)?;
        let (mut head, mut rest) = (String::new(), String::new());
        for line in text.lines() {
            let to = if line.starts_with(HEAD) { &mut head } else { &mut rest };
            to.push_str(line.strip_prefix(HEAD).unwrap_or(line));
            to.push('\n');
        }
        let head = toml::from_str(&head).with_context(place)?;
        Ok(Guest { name: name_of(file), head, text: rest })
    }

    pub fn component(&self) -> Result<Vec<u8>> {
        let text = recipe::expand(&self.text).with_context(|| self.name.clone())?;
        guest::build(self.head.form, &self.head.own, &text).with_context(|| self.name.clone())
    }

    pub fn things(&self) -> Result<Option<serde_json::Value>> {
        let Some(things) = &self.head.things else { return Ok(None) };
        let text = recipe::expand(things)?;
        Ok(Some(serde_json::from_str(&text).with_context(|| format!("{}: things", self.name))?))
    }
}

/// The folder's files with this ending, by name.
pub fn files(folder: &str, ending: &str) -> Result<Vec<PathBuf>> {
    let folder = workspace().join("tests/hostile").join(folder);
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|found| found == ending));
    files.sort();
    if files.is_empty() {
        bail!("{} holds no .{ending}", folder.display());
    }
    Ok(files)
}

pub fn name_of(file: &Path) -> String {
    file.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned()
}
