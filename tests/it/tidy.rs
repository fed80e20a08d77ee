//! The house rule, checked: imports point down and in no circle, files and functions stay short, each outside world
//! has one door, pure files are pure, nothing is left unfinished, and the papers speak of what is there.
//! Every rule is also shown a file that breaks it, because a check that never fails checks nothing.

use std::path::{Path, PathBuf};

use self::papers::{Paper, links};
use self::rules::Floors;
use self::source::Source;

mod circles;
mod papers;
mod parts;
mod providers;
mod rules;
mod source;

/// Where Rust files of ours lie.
const CRATES: &[&str] = &["host", "plugin-sdk", "plugins", "tests", "xtask", "bench"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_path_buf()
}

fn read(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

fn floors() -> Floors {
    Floors::parse(&read("host/src/lib.rs")).expect("the crate doc has a table of floors")
}

#[track_caller]
fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} against the house rule:\n{}", wrong.len(), wrong.join("\n"));
}

fn sources() -> Vec<Source> {
    let root = root();
    CRATES.iter().flat_map(|dir| Source::all_below(&root, dir)).collect()
}

#[test]
fn every_file_keeps_the_house_rule() {
    let sources = sources();
    assert!(sources.len() > 40, "only {} files found; is this the workspace?", sources.len());
    let wrong: Vec<String> = sources.iter().flat_map(rules::everywhere).collect();
    assert_none(&wrong);
}

#[test]
fn the_gateway_keeps_its_floors_doors_and_purity() {
    let floors = floors();
    let sources = Source::all_below(&root(), "host/src");
    let wrong: Vec<String> = sources.iter().flat_map(|source| rules::gateway(source, &floors)).collect();
    assert_none(&wrong);
}

/// A file that no longer names the engine's tables may not begin to again.
#[test]
fn nobody_is_let_at_the_tables_without_need() {
    let of_engine = Source::all_below(&root(), "host/src/store/embedded");
    let need = |file: &str| {
        let its = of_engine.iter().filter(|source| source.module().get(2) == Some(&file));
        its.map(|source| rules::names_tables(source).len()).sum::<usize>() > 0
    };
    let files = rules::AT_THE_TABLES.iter().filter(|file| !need(file));
    let wrong: Vec<String> =
        files.map(|file| format!("{file} no longer names `tables`: take it out of AT_THE_TABLES")).collect();
    assert_none(&wrong);
}

/// A file that no longer names the whole store may not begin to again.
#[test]
fn nobody_has_the_whole_store_without_need() {
    let sources = Source::all_below(&root(), "host/src");
    let needs = |file: &str| {
        let its = sources.iter().filter(|source| source.module().join("::") == file);
        its.map(|source| rules::names_the_whole_store(source).len()).sum::<usize>() > 0
    };
    let files = rules::WITH_THE_WHOLE_STORE.iter().filter(|file| !needs(file));
    let wrong: Vec<String> = files
        .map(|file| format!("{file} no longer names the whole store: take it out of WITH_THE_WHOLE_STORE"))
        .collect();
    assert_none(&wrong);
}

#[test]
fn who_asks_for_a_part_of_the_store_uses_it() {
    assert_none(&parts::unused(&Source::all_below(&root(), "host/src")));
}

#[test]
fn every_verb_of_the_store_says_what_it_does() {
    assert_none(&parts::untold(&Source::all_below(&root(), "host/src")));
}

/// Of whole crates, inside their families too.
#[test]
fn nothing_imports_in_a_circle() {
    let root = root();
    let sources: Vec<Source> =
        ["host", "plugin-sdk", "plugins"].iter().flat_map(|dir| Source::all_below(&root, dir)).collect();
    assert_none(&circles::check(&sources, circles::EXCEPTIONS));
}

/// A module that is planned but not there would make the diagram a promise.
#[test]
fn every_floor_is_built() {
    let missing: Vec<String> = floors()
        .modules()
        .filter(|module| !root().join(format!("host/src/{module}.rs")).is_file())
        .map(|module| format!("host/src/lib.rs: the floors name {module}, which is not there"))
        .collect();
    assert_none(&missing);
}

#[test]
fn the_readme_is_short_and_names_what_is_there() {
    let readme = read("README.md");
    let lines = readme.lines().count();
    assert!(lines < 150, "README.md has {lines} lines; under 150");
    let mut missing = Vec::new();
    for (_, target) in links(&readme) {
        if !target.starts_with("http") && !root().join(target.split('#').next().unwrap_or("")).exists() {
            missing.push(format!("README.md: links to {target}, which is not there"));
        }
    }
    assert_none(&missing);
}

/// Links, files, and names of modules, functions and tests: whoever renames one is told who speaks of it.
#[test]
fn the_papers_name_what_is_there() {
    let root = root();
    let papers = Paper::all(&root);
    assert!(papers.len() > 10, "only {} papers found", papers.len());
    let sources = sources();
    let wrong: Vec<String> = papers.iter().flat_map(|paper| paper.wrong(&root, &sources)).collect();
    assert_none(&wrong);
}

/// `(what a paper says, what is said of it)`; an empty last part: nothing is wrong.
const PAPERS: &[(&str, &str)] = &[
    ("See [x](security.md) and [y](security.md#a-tenant) and [z](https://example.com/).", ""),
    ("See [x](nowhere.md).", "docs/case.md: links to nowhere.md, which is not there"),
    ("See [x](security.md#a-pirate).", "links to security.md#a-pirate"),
    ("# Here\nSee [x](#here).", ""),
    ("```\n# Here\n```\nSee [x](#here).", "links to #here"),
    ("In `host/src/turn.rs`, `host/src/turn/` and turn.rs.", ""),
    ("In `host/src/cellar.rs`.", "names host/src/cellar.rs"),
    ("In `host/src/cellar/`.", "names host/src/cellar,"),
    ("```\n turn.rs ─▶ cellar.rs\n```", "names cellar.rs"),
    ("In `plugins/PACKAGE/FILE` and `main.rs --help`.", ""),
    ("As `route::carries`, `kill::backup` and `tidy::the_papers_name_what_is_there` say.", ""),
    ("As `std::env::var` and `switchboard_sdk::export!` say.", ""),
    ("As `route::cellars` says.", "names route::cellars"),
];

#[test]
fn what_a_paper_names_and_nobody_has_is_found() {
    let (root, sources) = (root(), sources());
    for (text, expected) in PAPERS {
        let said = Paper::new("docs/case.md", text).wrong(&root, &sources).join("\n");
        if expected.is_empty() {
            assert_eq!(said, "", "{text}");
        } else {
            assert!(said.contains(expected), "{text}\nexpected: {expected}\nsaid: {said}");
        }
    }
}

/// Each promise of the crate doc stands in the architecture with tests that hold it.
#[test]
fn every_guarantee_has_a_test_that_is_named() {
    let (crate_doc, architecture) = (read("host/src/lib.rs"), read("docs/architecture.md"));
    let promises = crate_doc.lines().filter_map(|line| line.strip_prefix("//! ")?.split_once(". **"));
    let promises: Vec<&str> = promises.filter_map(|(_, promise)| promise.split("**").next()).collect();
    assert_eq!(promises.len(), 10, "{promises:?}");
    for promise in promises {
        let row = architecture.lines().find(|line| line.contains(&format!("**{promise}**")));
        let row = row.unwrap_or_else(|| panic!("docs/architecture.md does not speak of \"{promise}\""));
        let held_by = row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap_or_default();
        assert!(held_by.contains("::"), "docs/architecture.md: no test holds \"{promise}\"");
    }
}

/// The page about the store's file has every table that there is, and no other.
#[test]
fn every_table_of_the_store_is_written_down() {
    let sources = Source::all_below(&root(), "host/src/store");
    let declared = sources.iter().find_map(|source| source.text.split_once("\ntables! {\n"));
    let (before, block) = declared.expect("the tables are declared in one place");
    let block = block.split("\n}\n").next().unwrap_or_default();
    let lines = block.lines().map(str::trim).filter(|line| !line.starts_with("///"));
    let mut tables: Vec<&str> = lines.filter_map(|line| line.split([':', ' ']).next()).collect();
    let page = read("docs/file-format.md");
    let rows = page.split("| table | key | value |").nth(1).expect("the page lists the tables");
    let rows = rows.lines().take_while(|line| line.is_empty() || line.starts_with('|'));
    let mut listed: Vec<&str> = rows
        .filter_map(|row| row.split('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    tables.sort_unstable();
    listed.sort_unstable();
    assert!(tables.len() > 30, "{tables:?}");
    assert_eq!(listed, tables, "docs/file-format.md against the declaration");
    let format = before.split("pub const FORMAT: u32 = ").nth(1).and_then(|rest| rest.split(';').next());
    let format = format.expect("the format stands beside the tables");
    assert!(page.contains(&format!("The format is **{format}**")), "docs/file-format.md: not of {format}");
    let changes = read("CHANGELOG.md");
    assert!(changes.contains(&format!("the store's format {format},")), "CHANGELOG.md: not of {format}");
}

/// Every `switchboard …` that the README shows is a command that there is.
#[test]
fn the_readme_names_commands_that_there_are() {
    let binary = switchboard_tests::gateway::binary().unwrap_or_else(|error| panic!("{error:#}"));
    let mut seen = 0;
    for command in commands(&read("README.md")) {
        let mut words: Vec<&str> = command.split_whitespace().collect();
        // What follows the command's own words are its arguments.
        words.truncate(
            words.iter().take_while(|word| word.bytes().all(|byte| byte.is_ascii_lowercase())).count(),
        );
        let output = std::process::Command::new(&binary).args(&words).arg("--help").output();
        let output = output.expect("the binary starts");
        assert!(
            output.status.success(),
            "switchboard {command}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let help = String::from_utf8_lossy(&output.stdout);
        for option in command.split_whitespace().filter(|word| word.starts_with("--")) {
            assert!(help.contains(option), "switchboard {command}: there is no {option}:\n{help}");
        }
        seen += 1;
    }
    assert!(seen >= 5, "only {seen} commands found");
}

/// The README's brain is the one in the SDK's documentation, which is compiled.
#[test]
fn the_readmes_brain_is_one_that_compiles() {
    let readme = read("README.md");
    let (_, shown) = readme.split_once("```rust\n").expect("the README shows a brain");
    let (shown, _) = shown.split_once("```").expect("the block ends");
    let sdk = read("plugin-sdk/src/lib.rs");
    let lines = sdk
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line));
    let documented: Vec<&str> =
        lines.skip_while(|line| *line != "```").skip(1).take_while(|line| *line != "```").collect();
    let rust = |lines: Vec<&str>| {
        lines
            .into_iter()
            .filter(|line| !line.is_empty() && !line.starts_with("# "))
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(rust(shown.lines().collect()), rust(documented));
}

/// What stands after `switchboard ` in code, up to the code's end.
fn commands(markdown: &str) -> Vec<&str> {
    let begins = ["`switchboard ", "\nswitchboard ", "/switchboard "];
    let rest = begins.iter().flat_map(|begin| markdown.split(begin).skip(1));
    rest.map(|rest| rest.split(['`', '\n', '#']).next().unwrap_or_default().trim()).collect()
}

/// What `deny.toml` bans is not in the lock file, and everything comes from the one registry.
#[test]
fn dependencies_are_the_allowed_ones() {
    let deny: toml::Table = read("deny.toml").parse().expect("deny.toml is TOML");
    let lock: toml::Table = read("Cargo.lock").parse().expect("Cargo.lock is TOML");
    let banned: Vec<&str> = deny["bans"]["deny"]
        .as_array()
        .expect("a list of bans")
        .iter()
        .filter_map(|ban| ban["crate"].as_str())
        .collect();
    assert!(!banned.is_empty(), "deny.toml bans nothing");
    let mut wrong = Vec::new();
    for package in lock["package"].as_array().expect("a list of packages") {
        let name = package["name"].as_str().expect("packages have names");
        if banned.contains(&name) {
            wrong.push(format!("Cargo.lock: {name} is banned in deny.toml"));
        }
        let source = package.get("source").and_then(toml::Value::as_str);
        if source.is_some_and(|source| source != "registry+https://github.com/rust-lang/crates.io-index") {
            wrong.push(format!("Cargo.lock: {name} comes from {}", source.unwrap_or_default()));
        }
    }
    assert_none(&wrong);
}

/// The floors that the cases below stand on.
const FLOORS: &str = "//! # Floors\n//!\n//! ```text\n//! main > cli > gateway > {webhook, delivery, api} > {store, brain}\n//!   > {channel, route} > message\n//! ```\n";

/// `(path, text, what is said of it)`; an empty last part: nothing is wrong.
const CASES: &[(&str, &str, &str)] = &[
    ("host/src/store.rs", "//! A.\nuse crate::route::Lock;\nuse crate::message::Id;", ""),
    ("host/src/store/embedded.rs", "//! A.\nuse super::Store;\nuse crate::store::Error;", ""),
    (
        "host/src/route.rs",
        "//! A.\nuse crate::store::Store;",
        "route.rs:2: route imports store, which is above",
    ),
    ("host/src/route.rs", "//! A.\nfn f() { crate::store::go() }", "route imports store"),
    (
        "host/src/channel/waha.rs",
        "//! A.\nuse crate::{message::Id, route::Lock};",
        "channel and route are neigh",
    ),
    ("host/src/store/embedded.rs", "//! A.\nuse crate::brain::Brains;", "store and brain are neighbours"),
    ("host/src/cli/serve.rs", "//! A.\nuse switchboard::store::Filter;", ""),
    ("host/src/gateway.rs", "//! A.\nuse crate::store::Store;", ""),
    ("host/src/delivery.rs", "//! A.\nuse crate::store::{self, Store};", "delivery.rs:2: the whole store"),
    (
        "host/src/delivery.rs",
        "//! A.\nuse crate::store;\nfn f(s: &dyn store::Store) {}",
        "rs:3: the whole store",
    ),
    ("host/src/delivery.rs", "//! A.\nuse crate::store::prelude::*;", "the whole store"),
    ("host/src/delivery.rs", "//! A.\nuse crate::store::sends::Sends;", ""),
    ("host/src/api/media.rs", "//! A.\nuse super::ApiStore;", "the whole store"),
    ("host/src/message.rs", "//! A.\nuse crate::cellar::Wine;", "cellar stands on no floor"),
    ("host/src/attic.rs", "//! A.\n", "attic stands on no floor"),
    ("host/src/route.rs", "//! A.\n#[cfg(test)]\nmod tests { use crate::store::Store; }", ""),
    ("host/src/webhook.rs", "//! A.\nuse axum::Router;", ""),
    ("host/src/delivery.rs", "//! A.\nuse axum::Router;", "axum belongs to"),
    ("host/src/store.rs", "//! A.\nfn f(c: reqwest::Client) {}", "reqwest belongs to"),
    ("host/src/brain.rs", "//! A.\nuse redb::Database;", "redb belongs to store"),
    ("host/src/store.rs", "//! A.\nuse wasmtime::Engine;", "wasmtime belongs to brain"),
    (
        "host/src/store/rules/accept.rs",
        "//! A.\nuse redb::Database;",
        "store::rules knows no engine, and no `redb",
    ),
    (
        "host/src/store/rows.rs",
        "//! A.\nuse crate::store::embedded::Embedded;",
        "store::rows knows no engine",
    ),
    (
        "host/src/store/rules/turns.rs",
        "//! A.\nfn f() { crate::clock::now(); }",
        "and no `crate::clock::now`",
    ),
    ("host/src/store/rules/turns.rs", "//! A.\nuse crate::store::rows::Rows;", ""),
    (
        "host/src/store/verbs/turns.rs",
        "//! A.\nuse crate::store::rows::{Inbox, Step};",
        "knows no `crate::store",
    ),
    ("host/src/store/verbs/turns.rs", "//! A.\nuse crate::store::rows::{Rows as _, Step};", ""),
    (
        "host/src/store/embedded/numbers.rs",
        "//! A.\nfn f(batch: &mut Batch) { batch.tables.senders.put(); }",
        "numbers.rs:2: rows are read and written by rules",
    ),
    (
        "host/src/store/embedded.rs",
        "//! A.\nmod tables;\nuse tables::define;",
        "embedded.rs:3: rows are read",
    ),
    ("host/src/store/embedded/batch.rs", "//! A.\nuse super::tables::Tables;", ""),
    ("host/src/route.rs", "//! A.\nasync fn f() {}", "route is pure and knows no `async`"),
    ("host/src/channel/waha.rs", "//! A.\nfn f() { std::time::Instant::now(); }", "knows no `Instant`"),
    ("host/src/route.rs", "//! A.\nuse tokio::sync::Mutex;", "knows no `tokio::sync::Mutex`"),
    ("host/src/route.rs", "//! A.\nfn f() { jiff::Timestamp::now(); }", "knows no `jiff::Timestamp::now`"),
    ("host/src/store.rs", "//! A.\nfn f() { g().unwrap(); }", "store.rs:2: unwrap() is for tests"),
    ("host/src/store.rs", "//! A.\n#[test]\nfn f() { g().unwrap(); }", ""),
    ("host/src/store.rs", "//! A.\nfn f() { unsafe { g() } }", "unsafe is for"),
    ("host/src/brain/cache.rs", "//! A.\nfn f() { unsafe { g() } }", ""),
    ("host/src/store.rs", "//! A.\nfn f() { std::env::var(\"A\"); }", "the environment is read in"),
    ("host/src/store.rs", "//! A.\nfn f() { tracing::warn!(%a, \"it {b}\"); }", "stands in fields"),
    ("host/src/store.rs", "//! A.\nfn f() { tracing::warn!(a = format!(\"{b}\"), \"it\"); }", ""),
    (
        "host/src/store.rs",
        "//! A.\nfn f(p: Provider) -> bool { p == Provider::Meta }",
        "a fact in message/provider",
    ),
    ("host/src/route.rs", "//! A.\nuse crate::message::Provider::Waha;", "route.rs:2: names Provider::Waha"),
    ("host/src/store.rs", "//! A.\nfn f() { for p in Provider::ALL { p.name(); } }", ""),
    ("host/src/store.rs", "//! A.\n#[test]\nfn f() { g(Provider::Meta); }", ""),
    ("host/src/channel/meta/encode.rs", "//! A.\nfn f() { g(Provider::Meta); }", ""),
    (
        "host/src/channel/meta/encode.rs",
        "//! A.\nfn f() { g(Provider::Gupshup); }",
        "names Provider::Gupshup",
    ),
    ("host/src/channel/cloud/value.rs", "//! A.\nfn f() { g(Provider::Meta); }", "names Provider::Meta"),
    (
        "host/src/store.rs",
        "//! A.\nfn f(s: &Sender) { if let Settings::Meta(_) = s.settings {} }",
        "names Settings::Meta",
    ),
    ("host/src/cli/a.rs", "//! A.\nfn f(v: &Value) { v == \"waha\"; }", "decides by a provider's name"),
    ("host/src/cli/a.rs", "//! A.\nconst A: &str = \"write waha or meta\";", "lists providers"),
    (
        "host/src/cli/a.rs",
        "//! A.\nconst A: &str = \"metadata of Meta and what is WAHA's\";",
        "lists providers",
    ),
    ("host/src/cli/a.rs", "//! A.\n/// Of waha or meta.\nconst A: &str = \"add --provider waha\";", ""),
    ("host/src/lib.rs", "//! A.\npub use crate::store::Store;", "re-exports nothing"),
    ("xtask/src/main.rs", "fn main() {}", "begin it with `//!`"),
    ("xtask/src/utils.rs", "//! A.", "`utils` says nothing"),
    ("xtask/src/store/mod.rs", "//! A.", "`mod` says nothing"),
    ("xtask/src/a.rs", concat!("//! A.\n// TO", "DO: later"), "a.rs:2: TO"),
    ("xtask/src/a.rs", "//! A.\nfn f() { todo!() }", "todo! has no place"),
    ("xtask/src/a.rs", "//! A.\nfn f() { g(|| { unimplemented!(\"x\") }) }", "unimplemented! has no place"),
    ("xtask/src/a.rs", "//! A.\n#[test]\n#[ignore = \"slow\"]\nfn f() {}", "a.rs:3: an ignored test"),
    ("xtask/src/a.rs", "//! A.\nconst A: &str = \"todo!() .unwrap() unsafe #[ignore]\";", ""),
];

#[test]
fn every_rule_catches_what_breaks_it() {
    let floors = Floors::parse(FLOORS).expect("the table reads");
    for (path, text, expected) in CASES {
        let source = Source::new(path, text).expect("it is Rust");
        let mut wrong = rules::everywhere(&source);
        if path.starts_with("host/src") {
            wrong.extend(rules::gateway(&source, &floors));
        }
        let said = wrong.join("\n");
        if expected.is_empty() {
            assert_eq!(said, "", "{path} is fine:\n{text}");
        } else {
            assert!(said.contains(expected), "{path}:\n{text}\nexpected: {expected}\nsaid: {said}");
        }
    }
}

#[test]
fn too_long_is_caught() {
    let function = format!("//! A.\nfn long() {{\n{}}}\n", "    step();\n".repeat(69));
    let file = format!("//! A.\n{}", "// One more line.\n".repeat(600));
    for (text, expected) in [(function, "fn long has 71 lines"), (file, "601 lines; 600 at most")] {
        let source = Source::new("host/src/store.rs", &text).expect("it is Rust");
        let said = rules::everywhere(&source).join("\n");
        assert!(said.contains(expected), "expected: {expected}\nsaid: {said}");
    }
}
