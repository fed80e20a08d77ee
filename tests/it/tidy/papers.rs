//! The papers as data: what they link to, which files and which names of the code they mention. A name that
//! is there no more makes a paper a promise, so whoever renames something is told here which papers speak of it.

use std::path::{Path, PathBuf};

use super::source::Source;

/// Folders whose files are named from the workspace's root on.
const FOLDERS: &[&str] =
    &["host/", "tests/", "plugin-sdk/", "xtask/", "bench/", "fuzz/", "wit/", "docs/", "data/demo/"];

/// Where `a::b` is looked for.
const CODE: &[&str] = &["tests/it", "host/src"];

pub struct Paper {
    /// From the workspace's root on.
    pub path: String,
    pub text: String,
}

impl Paper {
    pub fn new(path: &str, text: &str) -> Self {
        Paper { path: path.into(), text: text.into() }
    }

    /// Everything that is written for people: at the root, in `docs`, and beside the hostile cases.
    pub fn all(root: &Path) -> Vec<Paper> {
        let mut papers = Vec::new();
        for folder in ["", "docs", "tests/hostile"] {
            let entries = std::fs::read_dir(root.join(folder)).expect("the folder is there");
            for entry in entries.map(|entry| entry.expect("an entry").path()) {
                if entry.extension().is_some_and(|extension| extension == "md") {
                    let path = entry.strip_prefix(root).expect("it lies below").display().to_string();
                    papers.push(Paper::new(&path, &std::fs::read_to_string(&entry).expect("a text")));
                }
            }
        }
        papers.sort_by(|one, other| one.path.cmp(&other.path));
        papers
    }

    /// What it mentions and what is not there.
    pub fn wrong(&self, root: &Path, sources: &[Source]) -> Vec<String> {
        let mut wrong = Vec::new();
        wrong.extend(self.dead_links(root));
        wrong.extend(self.missing_files(root, sources));
        wrong.extend(self.missing_names(root));
        wrong.into_iter().map(|what| format!("{}: {what}", self.path)).collect()
    }

    fn dead_links(&self, root: &Path) -> Vec<String> {
        let prose = self.prose();
        let targets = links(&prose).into_iter().map(|(_, target)| target);
        let dead = targets.filter(|target| !target.starts_with("http") && !self.leads(root, target));
        dead.map(|target| format!("links to {target}, which is not there")).collect()
    }

    fn leads(&self, root: &Path, target: &str) -> bool {
        let (file, heading) = target.split_once('#').unwrap_or((target, ""));
        if file.is_empty() {
            return self.has_heading(heading);
        }
        let path = root.join(&self.path).parent().expect("it lies in a folder").join(file);
        if heading.is_empty() || path.extension().is_none_or(|extension| extension != "md") {
            return path.exists();
        }
        std::fs::read_to_string(path).is_ok_and(|text| Paper::new(file, &text).has_heading(heading))
    }

    /// By the name that links have for it.
    fn has_heading(&self, name: &str) -> bool {
        self.prose().lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == name)
    }

    /// In drawings and examples too.
    fn missing_files(&self, root: &Path, sources: &[Source]) -> Vec<String> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
        let words = self.text.split(|c| !is_part(c)).map(|word| word.trim_end_matches('.'));
        let spans = self.spans();
        let paths = spans.iter().map(String::as_str).filter(|span| span.chars().all(is_part));
        let is_there = |name: &str| match FOLDERS.iter().any(|folder| name.starts_with(folder)) {
            // In capitals it stands for any name.
            true => name.bytes().any(|byte| byte.is_ascii_uppercase()) || root.join(name).exists(),
            // By its last name, or the end of its path. A package may be the reader's own.
            false => {
                let ours = name.ends_with(".rs") && !name.starts_with("plugins/");
                !ours || sources.iter().any(|it| it.path.ends_with(&format!("/{name}")))
            }
        };
        let named = words.filter(|word| word.ends_with(".rs")).chain(paths);
        let mut missing: Vec<String> = named
            .filter(|name| !is_there(name))
            .map(|name| format!("names {name}, which is not there"))
            .collect();
        missing.dedup();
        missing
    }

    fn missing_names(&self, root: &Path) -> Vec<String> {
        let spans = self.spans();
        let names = spans.iter().filter(|span| {
            let is_name = |part: &str| {
                !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            };
            span.contains("::") && span.split("::").all(is_name)
        });
        let missing = names.filter(|name| !name_is_there(root, name));
        missing.map(|name| format!("names {name}, which is in no file of the code")).collect()
    }

    /// Without its examples and drawings.
    fn prose(&self) -> String {
        let mut fenced = false;
        let lines = self.text.lines().filter(|line| {
            let fence = line.trim_start().starts_with("```");
            fenced ^= fence;
            !fence && !fenced
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// What stands between backticks.
    fn spans(&self) -> Vec<String> {
        let prose = self.prose();
        prose.split('`').skip(1).step_by(2).map(|span| span.trim_end_matches('/').to_owned()).collect()
    }
}

/// A module of the gateway or of its tests, or something in one. What begins with another name is not ours.
fn name_is_there(root: &Path, name: &str) -> bool {
    let parts: Vec<&str> = name.split("::").collect();
    let found: Vec<bool> = CODE.iter().filter_map(|code| is_in(root.join(code), &parts)).collect();
    found.is_empty() || found.contains(&true)
}

/// `None`: no module there has the first name.
fn is_in(mut folder: PathBuf, parts: &[&str]) -> Option<bool> {
    let mut file = None;
    let mut rest = parts;
    while let [first, others @ ..] = rest {
        let next = folder.join(format!("{first}.rs"));
        if !next.is_file() {
            break;
        }
        (file, rest) = (Some(next), others);
        folder.push(first);
    }
    let text = std::fs::read_to_string(file?).expect("a text");
    let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    Some(rest.iter().all(|part| words.contains(part)))
}

/// `[text](target)` pairs.
pub fn links(markdown: &str) -> Vec<(&str, &str)> {
    markdown
        .split('[')
        .skip(1)
        .filter_map(|rest| {
            let (text, rest) = rest.split_once("](")?;
            let (target, _) = rest.split_once(')')?;
            Some((text, target))
        })
        .collect()
}

/// What a heading is called in a link.
fn anchor(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
