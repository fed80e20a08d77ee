//! A Rust file as the tidy checks see it: its words, its paths and its functions, read from the
//! token stream, so that comments and strings are never mistaken for code. It knows no rule.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// One file of the workspace.
pub struct Source {
    /// From the workspace's root, with `/`: `host/src/store.rs`.
    pub path: String,
    pub text: String,
    tokens: TokenStream,
}

/// A path as written, `use` trees flattened: `crate::store::Store`.
#[derive(Debug, PartialEq)]
pub struct CodePath {
    pub line: usize,
    pub segments: Vec<String>,
    /// Of a `use`: the name that it has from here on.
    name: Option<String>,
}

/// A function with a body.
#[derive(Debug, PartialEq)]
pub struct Function {
    pub name: String,
    pub line: usize,
    /// From the line of its name to the line of its closing brace, without the rows of tables: what
    /// stands between square brackets is data.
    pub lines: usize,
}

/// A trait.
#[derive(Debug, PartialEq)]
pub struct Trait {
    pub name: String,
    pub line: usize,
    /// Has it a comment that says what it is?
    pub told: bool,
    /// The words of what it is more than.
    pub bounds: Vec<String>,
    pub verbs: Vec<Verb>,
}

/// A function of a trait.
#[derive(Debug, PartialEq)]
pub struct Verb {
    pub name: String,
    pub told: bool,
}

impl Source {
    /// Fails on text that is not Rust.
    pub fn new(path: &str, text: &str) -> Result<Self, String> {
        let tokens = text.parse().map_err(|error| format!("{path}: not Rust: {error}"))?;
        Ok(Source { path: path.to_owned(), text: text.to_owned(), tokens })
    }

    /// Every Rust file below `dir`, in the order of their paths.
    pub fn all_below(root: &Path, dir: &str) -> Vec<Source> {
        let mut files = Vec::new();
        collect(&root.join(dir), &mut files);
        files.sort();
        files
            .iter()
            .map(|file| {
                let text = std::fs::read_to_string(file)
                    .unwrap_or_else(|error| panic!("cannot read {}: {error}", file.display()));
                let path = file.strip_prefix(root).expect("it lies below the root").to_string_lossy();
                Source::new(&path.replace('\\', "/"), &text).unwrap_or_else(|error| panic!("{error}"))
            })
            .collect()
    }

    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The modules from the crate's root down to this file: `["channel", "waha"]`.
    pub fn module(&self) -> Vec<&str> {
        let inside = self.path.split_once("/src/").map_or(self.path.as_str(), |(_, inside)| inside);
        inside.trim_end_matches(".rs").split('/').collect()
    }

    /// Paths in code that is not for tests, `super` and `self` resolved to `crate`.
    pub fn paths(&self) -> Vec<CodePath> {
        let mut paths = Vec::new();
        walk_paths(&without_tests(&self.tokens), &mut paths);
        let module = self.module();
        for path in &mut paths {
            resolve(&module, &mut path.segments);
        }
        paths
    }

    /// The same, and what is reached by the name of something imported: `use crate::store;` and `store::ways::X`.
    pub fn reached(&self) -> Vec<CodePath> {
        let mut paths = self.paths();
        let names: BTreeMap<String, Vec<String>> = paths
            .iter()
            .filter_map(|path| {
                let whole = path.segments.iter().filter(|segment| *segment != "self");
                Some((path.name.clone()?, whole.cloned().collect()))
            })
            .collect();
        for path in &mut paths {
            if let Some(imported) = names.get(&path.segments[0]) {
                path.segments.splice(..1, imported.iter().cloned());
            }
        }
        paths
    }

    /// Lines on which one of these words stands as code, tests left out.
    pub fn words(&self, words: &[&str]) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        each(&without_tests(&self.tokens), &mut |tokens, at| {
            if let TokenTree::Ident(ident) = &tokens[at]
                && words.contains(&ident.to_string().as_str())
            {
                found.push((line(&tokens[at]), ident.to_string()));
            }
        });
        found
    }

    /// Lines on which a method of this name is called without arguments, tests left out.
    pub fn calls(&self, method: &str) -> Vec<usize> {
        let mut found = Vec::new();
        each(&without_tests(&self.tokens), &mut |tokens, at| {
            if at > 0
                && is_punct(&tokens[at - 1], '.')
                && is_ident(&tokens[at], method)
                && matches!(tokens.get(at + 1), Some(TokenTree::Group(group))
                    if group.delimiter() == Delimiter::Parenthesis && group.stream().is_empty())
            {
                found.push(line(&tokens[at]));
            }
        });
        found
    }

    /// Methods that are called, by name, tests left out.
    pub fn called(&self) -> Vec<String> {
        let mut found = Vec::new();
        each(&without_tests(&self.tokens), &mut |tokens, at| {
            if let [dot, TokenTree::Ident(method), TokenTree::Group(group), ..] = &tokens[at..]
                && is_punct(dot, '.')
                && group.delimiter() == Delimiter::Parenthesis
            {
                found.push(method.to_string());
            }
        });
        found
    }

    /// Every trait, tests left out.
    pub fn traits(&self) -> Vec<Trait> {
        let mut found = Vec::new();
        each(&without_tests(&self.tokens), &mut |tokens, at| {
            if let [word, TokenTree::Ident(name), rest @ ..] = &tokens[at..]
                && is_ident(word, "trait")
            {
                let (head, body) = head_and_body(rest);
                let bounds = head.iter().filter(|token| matches!(token, TokenTree::Ident(_)));
                found.push(Trait {
                    name: name.to_string(),
                    line: line(word),
                    told: is_told(&tokens[..at]),
                    bounds: bounds.map(ToString::to_string).collect(),
                    verbs: body.map(verbs).unwrap_or_default(),
                });
            }
        });
        found
    }

    /// Lines on which one of these macros is used, in tests too.
    pub fn macros(&self, names: &[&str]) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        each(&flat(&self.tokens), &mut |tokens, at| {
            if let TokenTree::Ident(ident) = &tokens[at]
                && names.contains(&ident.to_string().as_str())
                && tokens.get(at + 1).is_some_and(|next| is_punct(next, '!'))
            {
                found.push((line(&tokens[at]), ident.to_string()));
            }
        });
        found
    }

    /// Text literals that stand by themselves between the parentheses of one of these macros, tests left
    /// out.
    pub fn texts_in(&self, macros: &[&str]) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        each(&without_tests(&self.tokens), &mut |tokens, at| {
            if let TokenTree::Ident(ident) = &tokens[at]
                && macros.contains(&ident.to_string().as_str())
                && tokens.get(at + 1).is_some_and(|next| is_punct(next, '!'))
                && let Some(TokenTree::Group(group)) = tokens.get(at + 2)
            {
                let texts = group.stream().into_iter().filter(|token| matches!(token, TokenTree::Literal(_)));
                found.extend(texts.map(|text| (line(&text), text.to_string())));
            }
        });
        found
    }

    /// Text literals wherever they stand, tests and comments left out.
    pub fn texts(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        each(&without_tests(&self.tokens), &mut |tokens, at| {
            let is_comment = at > 1 && is_punct(&tokens[at - 1], '=') && is_ident(&tokens[at - 2], "doc");
            if let TokenTree::Literal(literal) = &tokens[at]
                && !is_comment
            {
                found.push((line(&tokens[at]), literal.to_string()));
            }
        });
        found
    }

    /// Lines with this attribute, in tests too.
    pub fn attributes(&self, name: &str) -> Vec<usize> {
        let mut found = Vec::new();
        each(&flat(&self.tokens), &mut |tokens, at| {
            if let Some(inside) = attribute(tokens, at)
                && inside.stream().into_iter().next().is_some_and(|first| is_ident(&first, name))
            {
                found.push(line(&tokens[at]));
            }
        });
        found
    }

    /// Every function with a body, in tests too.
    pub fn functions(&self) -> Vec<Function> {
        let mut found = Vec::new();
        each(&flat(&self.tokens), &mut |tokens, at| {
            if !is_ident(&tokens[at], "fn") {
                return;
            }
            // `fn(u8) -> u8` is a type.
            let Some(TokenTree::Ident(name)) = tokens.get(at + 1) else { return };
            for token in &tokens[at + 2..] {
                match token {
                    TokenTree::Punct(punct) if punct.as_char() == ';' => return,
                    TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => {
                        let (first, last) = (line(&tokens[at]), body.span_close().end().line);
                        let lines = last - first + 1 - rows(&body.stream());
                        found.push(Function { name: name.to_string(), line: first, lines });
                        return;
                    }
                    _ => {}
                }
            }
        });
        found
    }
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn line(token: &TokenTree) -> usize {
    token.span().start().line
}

fn is_ident(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

/// The brackets of the attribute that begins here: `#[..]` or `#![..]`.
fn attribute(tokens: &[TokenTree], at: usize) -> Option<&Group> {
    if !is_punct(tokens.get(at)?, '#') {
        return None;
    }
    let mut next = tokens.get(at + 1)?;
    if is_punct(next, '!') {
        next = tokens.get(at + 2)?;
    }
    match next {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => Some(group),
        _ => None,
    }
}

/// What stands before an item's braces, and these.
fn head_and_body(tokens: &[TokenTree]) -> (&[TokenTree], Option<&Group>) {
    let is_body =
        |token: &TokenTree| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
    let end = tokens.iter().position(is_body).unwrap_or(tokens.len());
    let body = tokens.get(end).and_then(|token| match token {
        TokenTree::Group(group) => Some(group),
        _ => None,
    });
    (&tokens[..end], body)
}

fn verbs(body: &Group) -> Vec<Verb> {
    let tokens = flat(&body.stream());
    let named = |at: usize| match &tokens[at..] {
        [word, TokenTree::Ident(name), ..] if is_ident(word, "fn") => {
            Some(Verb { name: name.to_string(), told: is_told(&tokens[..at]) })
        }
        _ => None,
    };
    (0..tokens.len()).filter_map(named).collect()
}

/// Is there a comment for readers among the attributes before an item?
fn is_told(mut before: &[TokenTree]) -> bool {
    while let [rest @ .., TokenTree::Ident(_)] = before {
        before = rest;
    }
    while let [rest @ .., sign, TokenTree::Group(group)] = before
        && is_punct(sign, '#')
    {
        if group.stream().into_iter().next().is_some_and(|first| is_ident(&first, "doc")) {
            return true;
        }
        before = rest;
    }
    false
}

/// Lines between the brackets of tables.
fn rows(stream: &TokenStream) -> usize {
    let inside = |token: TokenTree| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
            let (open, close) = (group.span_open().start().line, group.span_close().end().line);
            (close - open).saturating_sub(1)
        }
        TokenTree::Group(group) => rows(&group.stream()),
        _ => 0,
    };
    stream.clone().into_iter().map(inside).sum()
}

fn flat(stream: &TokenStream) -> Vec<TokenTree> {
    stream.clone().into_iter().collect()
}

/// Shows every token with its siblings, groups' insides included.
fn each(tokens: &[TokenTree], see: &mut impl FnMut(&[TokenTree], usize)) {
    for at in 0..tokens.len() {
        see(tokens, at);
        if let TokenTree::Group(group) = &tokens[at] {
            each(&flat(&group.stream()), see);
        }
    }
}

/// The tokens without items marked `#[cfg(test)]` or `#[test]`, on every level.
fn without_tests(stream: &TokenStream) -> Vec<TokenTree> {
    let tokens = flat(stream);
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if attribute(&tokens, at).is_some_and(is_for_tests) {
            at = end_of_item(&tokens, at);
            continue;
        }
        kept.push(match &tokens[at] {
            TokenTree::Group(group) => {
                let mut inside =
                    Group::new(group.delimiter(), without_tests(&group.stream()).into_iter().collect());
                inside.set_span(group.span());
                TokenTree::Group(inside)
            }
            other => other.clone(),
        });
        at += 1;
    }
    kept
}

fn is_for_tests(attribute: &Group) -> bool {
    let words: String = attribute.stream().to_string().split_whitespace().collect();
    words == "cfg(test)" || words == "test" || words.starts_with("tokio::test")
}

/// The place after the item whose attributes begin at `at`.
fn end_of_item(tokens: &[TokenTree], mut at: usize) -> usize {
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Punct(punct) if punct.as_char() == ';' => return at + 1,
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return at + 1,
            _ => at += 1,
        }
    }
    at
}

fn walk_paths(tokens: &[TokenTree], paths: &mut Vec<CodePath>) {
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            token if is_ident(token, "use") => {
                let end = tokens[at..].iter().position(|t| is_punct(t, ';')).map_or(tokens.len(), |n| at + n);
                flatten_use(&tokens[at + 1..end], &[], line(token), paths);
                at = end;
            }
            TokenTree::Ident(_) => {
                let (path, next) = path_at(tokens, at);
                // What a macro writes belongs to where it is used.
                let of_macro = at > 0 && is_punct(&tokens[at - 1], '$');
                if path.segments.len() > 1 && !of_macro {
                    paths.push(path);
                }
                at = next;
            }
            TokenTree::Group(group) => {
                walk_paths(&flat(&group.stream()), paths);
                at += 1;
            }
            _ => at += 1,
        }
    }
}

/// The path that begins with the identifier at `at`, and the place after it.
fn path_at(tokens: &[TokenTree], mut at: usize) -> (CodePath, usize) {
    let mut path = CodePath { line: line(&tokens[at]), segments: vec![tokens[at].to_string()], name: None };
    at += 1;
    while let [colon, second, TokenTree::Ident(name), ..] = &tokens[at..]
        && is_punct(colon, ':')
        && is_punct(second, ':')
    {
        path.segments.push(name.to_string());
        at += 3;
    }
    (path, at)
}

fn flatten_use(tokens: &[TokenTree], prefix: &[String], line: usize, paths: &mut Vec<CodePath>) {
    for branch in tokens.split(|token| is_punct(token, ',')) {
        let mut segments = prefix.to_vec();
        let mut grouped = false;
        let mut renamed = None;
        for (at, token) in branch.iter().enumerate() {
            match token {
                // What follows is no part of the path.
                token if is_ident(token, "as") => {
                    renamed = branch.get(at + 1).map(ToString::to_string);
                    break;
                }
                TokenTree::Ident(ident) => segments.push(ident.to_string()),
                TokenTree::Group(group) => {
                    grouped = true;
                    flatten_use(&flat(&group.stream()), &segments, line, paths);
                }
                _ => {}
            }
        }
        if !grouped && segments.len() > prefix.len() {
            // `a::{self}` is `a`.
            let own = segments.iter().rev().find(|segment| *segment != "self").cloned();
            let name = renamed.or(own);
            paths.push(CodePath { line, segments, name });
        }
    }
}

/// Writes `super::x` and `self::x` as seen from the crate's root; the binary's `switchboard` is the
/// library's `crate`.
fn resolve(module: &[&str], segments: &mut Vec<String>) {
    let supers = segments.iter().take_while(|segment| *segment == "super").count();
    let base = match segments.first().map(String::as_str) {
        Some("switchboard") => {
            segments[0] = "crate".into();
            return;
        }
        Some("self") => module,
        Some("super") => &module[..module.len().saturating_sub(supers)],
        _ => return,
    };
    let rest = segments.split_off(supers.max(1));
    *segments = std::iter::once("crate").chain(base.iter().copied()).map(String::from).collect();
    segments.extend(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        let source = Source::new("host/src/channel/waha.rs", text).expect("it is Rust");
        source.paths().iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn paths_are_found_wherever_they_stand() {
        assert_eq!(
            paths("use crate::store::{self, Error as E, embedded::{a, b}};"),
            [
                "crate::store::self",
                "crate::store::Error",
                "crate::store::embedded::a",
                "crate::store::embedded::b",
            ]
        );
        assert_eq!(paths("fn f() { x(|| crate::turn::go()) }"), ["crate::turn::go"]);
        assert_eq!(
            paths("use super::signature; use self::ids::Id;"),
            ["crate::channel::signature", "crate::channel::waha::ids::Id"]
        );
        assert_eq!(paths("m! { axum::Router::new() }"), ["axum::Router::new"]);
        assert_eq!(
            paths("/// [`crate::store`]\n// crate::store\nconst A: &str = \"crate::store\";"),
            [""; 0]
        );
        assert_eq!(paths("#[cfg(test)]\n#[path = \"x\"]\nmod tests { use crate::store; }"), [""; 0]);
    }

    #[test]
    fn functions_are_measured_to_their_closing_brace() {
        let text = "trait T { fn a(&self); fn b(&self) {\n\n} }\ntype F = fn(u8) -> u8;\nconst fn c() {}";
        let source = Source::new("x.rs", text).expect("it is Rust");
        assert_eq!(
            source.functions(),
            [
                Function { name: "b".into(), line: 1, lines: 3 },
                Function { name: "c".into(), line: 5, lines: 1 },
            ]
        );
    }
}
