//! The house rules as functions: a source in, what is wrong with it out. The floors are read from
//! the crate doc, so that the doc and the check cannot disagree.

use std::collections::BTreeMap;

use super::source::{CodePath, Source};

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;

/// Names that say nothing of what a file holds.
const EMPTY_NAMES: &[&str] =
    &["mod", "util", "utils", "common", "helper", "helpers", "misc", "manager", "service", "types"];

/// Written in two parts, so that this file does not break its own rule.
const UNFINISHED: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME")];

/// Each outside world has one door: a crate and the modules that may name it.
const DOORS: &[(&[&str], &[&str])] = &[
    // The command line calls the very same router where no gateway runs.
    (&["axum", "hyper", "hyper_util", "tower", "tower_http"], SERVING),
    (&["redb"], &["store"]),
    (&["sqlx"], &["store"]),
    (&["wasmtime", "wasmtime_wasi", "wasmparser"], &["brain"]),
    // What asks a provider without it would be held up by no circuit.
    (&["reqwest"], &["egress", "cli"]),
];

const SERVING: &[&str] = &["webhook", "api", "dashboard", "http", "body", "gateway", "cli"];

/// Where the environment may be read: where the program begins, and where its parts are given what
/// they need.
const ENVIRONMENT: &[&str] = &["main", "cli", "gateway"];

/// Time and randomness arrive as arguments here.
const PURE: &[&str] = &[
    "channel",
    "route",
    "retry",
    "policy",
    "identity",
    "message",
    "schedule",
    "conversation",
    "deep_link",
    "glyph",
    "opt_out",
    "tenant",
    "offer",
    "template",
    "seal",
    "whatsapp_limits",
];
const IMPURE_WORDS: &[&str] = &["async", "await", "Instant", "SystemTime"];
const IMPURE_PATHS: &[&[&str]] = &[
    &["tokio"],
    &["crate", "clock"],
    &["rand"],
    &["getrandom"],
    &["std", "fs"],
    &["std", "net"],
    &["std", "env"],
    &["std", "thread"],
    &["jiff", "Timestamp", "now"],
    &["jiff", "Zoned", "now"],
];

/// What happens in a store, and what every engine shares: it knows no engine, waits for nothing and asks no clock.
const ENGINELESS: &[&str] = &["rules", "rows", "claims"];
const OF_ENGINES: &[&[&str]] = &[&["redb"], &["crate", "store", "embedded"], &["crate", "clock"], &["tokio"]];

/// Who in the engine may name its tables: what makes families and transactions of them, and what looks at the file as a
/// whole. Everybody else reads and writes rows by a rule, which is there for every engine.
pub const AT_THE_TABLES: &[&str] =
    &["backup", "batch", "families", "flaw", "open", "snapshot", "tables", "verify"];

/// Files that may name the whole store, under whatever name: where it is opened and handed out, and where most of it is
/// asked for. Everybody else says which parts they ask, so that who reads them knows what they can change.
pub const WITH_THE_WHOLE_STORE: &[&str] = &["api", "gateway"];
const WHOLE_STORES: &[&[&str]] = &[
    &["crate", "store", "Store"],
    &["crate", "store", "prelude"],
    &["crate", "api", "ApiStore"],
    &["crate", "gateway", "GatewayStore"],
];

/// Everything wrong with one file, whichever crate it is of.
pub fn everywhere(source: &Source) -> Vec<String> {
    let mut wrong = Vec::new();
    let at = |line: usize, what: String| format!("{}:{line}: {what}", source.path);
    if !source.text.starts_with("//!") {
        wrong.push(at(1, "the file does not say what it is; begin it with `//!`".into()));
    }
    let lines = source.text.lines().count();
    if lines > FILE_LINES {
        wrong.push(at(lines, format!("{lines} lines; {FILE_LINES} at most, so find a seam")));
    }
    let stem = source.file_name().trim_end_matches(".rs");
    if EMPTY_NAMES.contains(&stem) {
        wrong.push(at(1, format!("`{stem}` says nothing of what the file holds")));
    }
    for function in source.functions() {
        if function.lines > FUNCTION_LINES {
            let (name, long) = (&function.name, function.lines);
            wrong.push(at(function.line, format!("fn {name} has {long} lines; {FUNCTION_LINES} at most")));
        }
    }
    for (number, line) in source.text.lines().enumerate() {
        for word in UNFINISHED {
            if line.contains(word) {
                wrong.push(at(number + 1, format!("{word}: finish it or leave it out")));
            }
        }
    }
    for (line, name) in source.macros(&["todo", "unimplemented", "dbg"]) {
        wrong.push(at(line, format!("{name}! has no place here")));
    }
    for line in source.attributes("ignore") {
        wrong.push(at(line, "an ignored test proves nothing".into()));
    }
    wrong
}

/// Everything wrong with one file of the gateway.
pub fn gateway(source: &Source, floors: &Floors) -> Vec<String> {
    let mut wrong = floors.check(source);
    wrong.extend(doors(source));
    wrong.extend(pure(source));
    wrong.extend(super::providers::check(source));
    wrong.extend(engineless(source));
    wrong.extend(past_the_rules(source));
    wrong.extend(verbs(source));
    wrong.extend(with_the_whole_store(source));
    let at = |line: usize, what: &str| format!("{}:{line}: {what}", source.path);
    for line in source.calls("unwrap") {
        wrong.push(at(line, "unwrap() is for tests; say with expect() why it cannot fail"));
    }
    let own_cache = source.path.starts_with("host/src/brain/cache");
    for (line, _) in source.words(&["unsafe"]) {
        if !own_cache {
            wrong.push(at(line, "unsafe is for reading our own compiled brains back, in brain/cache"));
        }
    }
    for (line, text) in source.texts_in(&["error", "warn", "info", "debug", "trace"]) {
        if text.contains(['{', '}']) {
            wrong.push(at(line, "a message of the log is fixed; what it is about stands in fields"));
        }
    }
    let module = source.module();
    if !ENVIRONMENT.contains(&module[0]) {
        for path in source.paths().iter().filter(|path| path.segments.starts_with_words(&["std", "env"])) {
            wrong.push(at(path.line, "the environment is read in main, cli and gateway only"));
        }
    }
    if source.path == "host/src/lib.rs" && source.text.contains("pub use ") {
        wrong.push(at(1, "lib.rs re-exports nothing"));
    }
    wrong
}

fn doors(source: &Source) -> Vec<String> {
    let module = source.module()[0];
    let mut wrong = Vec::new();
    for path in source.paths() {
        for (crates, doors) in DOORS {
            if crates.contains(&path.segments[0].as_str()) && !doors.contains(&module) {
                let (name, line) = (&path.segments[0], path.line);
                wrong.push(format!("{}:{line}: {name} belongs to {}", source.path, doors.join(", ")));
            }
        }
    }
    wrong
}

fn engineless(source: &Source) -> Vec<String> {
    let ["store", room, ..] = source.module()[..] else { return Vec::new() };
    if !ENGINELESS.contains(&room) {
        return Vec::new();
    }
    let mut wrong: Vec<String> = source
        .words(&["async", "await"])
        .into_iter()
        .map(|(line, word)| {
            format!("{}:{line}: store::{room} waits for nothing and knows no `{word}`", source.path)
        })
        .collect();
    for path in source.paths() {
        if OF_ENGINES.iter().any(|engine| path.segments.starts_with_words(engine)) {
            let (line, used) = (path.line, path.segments.join("::"));
            wrong.push(format!("{}:{line}: store::{room} knows no engine, and no `{used}`", source.path));
        }
    }
    wrong
}

fn past_the_rules(source: &Source) -> Vec<String> {
    let ["store", "embedded", file @ ..] = &source.module()[..] else { return Vec::new() };
    if file.first().is_some_and(|file| AT_THE_TABLES.contains(file)) {
        return Vec::new();
    }
    let wrong = |line| format!("{}:{line}: rows are read and written by rules, not in `tables`", source.path);
    names_tables(source).into_iter().map(wrong).collect()
}

/// Not a family: what a verb may name of the rows.
const OF_NO_FAMILY: &[&str] = &["Fault", "Rows", "Step"];

/// A verb prepares, and says what came of it. What is read and written for it stands in a rule.
fn verbs(source: &Source) -> Vec<String> {
    let ["store", "verbs", ..] = source.module()[..] else { return Vec::new() };
    let family = |path: &&CodePath| match path.segments.as_slice() {
        [root, store, rows, name, ..] if [root, store, rows] == ["crate", "store", "rows"] => {
            name.starts_with(|first: char| first.is_ascii_uppercase())
                && !OF_NO_FAMILY.contains(&name.as_str())
        }
        _ => false,
    };
    let paths = source.paths();
    let wrong = |path: &CodePath| {
        let (line, name) = (path.line, path.segments.join("::"));
        format!("{}:{line}: a verb has its rule read and write rows, and knows no `{name}`", source.path)
    };
    paths.iter().filter(family).map(wrong).collect()
}

/// Lines of the engine that name its tables, and do more than declare their file.
pub fn names_tables(source: &Source) -> Vec<usize> {
    let named = source.words(&["tables"]).into_iter().map(|(line, _)| line);
    named.filter(|line| source.text.lines().nth(line - 1) != Some("mod tables;")).collect()
}

fn with_the_whole_store(source: &Source) -> Vec<String> {
    if source.module()[0] == "store" || WITH_THE_WHOLE_STORE.contains(&source.module().join("::").as_str()) {
        return Vec::new();
    }
    let wrong = |line| {
        format!("{}:{line}: the whole store is asked for; name the parts that are needed", source.path)
    };
    names_the_whole_store(source).into_iter().map(wrong).collect()
}

/// Lines that name the whole store.
pub fn names_the_whole_store(source: &Source) -> Vec<usize> {
    let paths = source.reached().into_iter();
    let whole = paths.filter(|path| WHOLE_STORES.iter().any(|whole| path.segments.starts_with_words(whole)));
    whole.map(|path| path.line).collect()
}

fn pure(source: &Source) -> Vec<String> {
    let module = source.module()[0];
    if !PURE.contains(&module) {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    for (line, word) in source.words(IMPURE_WORDS) {
        wrong.push(format!("{}:{line}: {module} is pure and knows no `{word}`", source.path));
    }
    for path in source.paths() {
        if IMPURE_PATHS.iter().any(|impure| path.segments.starts_with_words(impure)) {
            let (line, used) = (path.line, path.segments.join("::"));
            wrong.push(format!("{}:{line}: {module} is pure and knows no `{used}`", source.path));
        }
    }
    wrong
}

/// Which module stands on which floor, 0 the topmost.
pub struct Floors(BTreeMap<String, usize>);

impl Floors {
    /// Reads the block below `# Floors` in the crate doc:
    /// `main > gateway > {store, brain} > message`.
    pub fn parse(crate_doc: &str) -> Result<Self, String> {
        let (_, after) = crate_doc.split_once("# Floors").ok_or("the crate doc has no `# Floors`")?;
        let block = after.split("```").nth(1).ok_or("`# Floors` is followed by no block")?;
        let table: String = block
            .lines()
            .skip(1)
            .map(|line| line.trim().trim_start_matches("//!"))
            .filter(|line| !line.is_empty())
            .collect();
        let mut floors = BTreeMap::new();
        for (depth, floor) in table.split('>').enumerate() {
            for module in floor.split([',', '{', '}']).map(str::trim).filter(|name| !name.is_empty()) {
                if floors.insert(module.to_owned(), depth).is_some() {
                    return Err(format!("{module} stands on two floors"));
                }
            }
        }
        Ok(Floors(floors))
    }

    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    fn check(&self, source: &Source) -> Vec<String> {
        let module = source.module()[0];
        if module == "lib" {
            return Vec::new();
        }
        let Some(own) = self.0.get(module) else {
            return vec![format!("{}:1: {module} stands on no floor of the crate doc", source.path)];
        };
        let mut wrong = Vec::new();
        for path in source.paths() {
            let [root, used, ..] = path.segments.as_slice() else { continue };
            // Inside a family the floors say nothing; see `circles`.
            if root != "crate" || used == module {
                continue;
            }
            let (file, line) = (&source.path, path.line);
            match self.0.get(used) {
                Some(floor) if floor > own => {}
                Some(floor) if floor == own => {
                    wrong.push(format!("{file}:{line}: {module} and {used} are neighbours on one floor"));
                }
                Some(_) => wrong.push(format!("{file}:{line}: {module} imports {used}, which is above it")),
                None => wrong.push(format!("{file}:{line}: {used} stands on no floor of the crate doc")),
            }
        }
        wrong
    }
}

trait StartsWith {
    fn starts_with_words(&self, words: &[&str]) -> bool;
}

impl StartsWith for Vec<String> {
    fn starts_with_words(&self, words: &[&str]) -> bool {
        self.len() >= words.len() && self.iter().zip(words).all(|(own, word)| own == word)
    }
}
