//! Circles of imports: files of one crate of which each needs the next and the last the first. None of them can be
//! read, tested or moved without the others. What two files share belongs into a third one below them.
//!
//! A file and those in its folder are no circle: a parent names its children, and they use what it declares for all
//! of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::source::Source;

/// Files that may import each other, and why. Those whose paths begin with one of these.
pub struct Exception {
    pub files: &'static [&'static str],
    pub why: &'static str,
}

pub const EXCEPTIONS: &[Exception] = &[Exception {
    files: &[
        "plugins/real-estate/src/ask.rs",
        "plugins/real-estate/src/search.rs",
        "plugins/real-estate/src/viewing.rs",
    ],
    why: "a dialogue goes on where it was: a question shows the homes, and they lead to the next question",
}];

/// A file by its modules from the crate's root.
type Module = Vec<String>;

/// Every circle that no exception allows, and every exception that allows none.
pub fn check(sources: &[Source], exceptions: &[Exception]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut needed = vec![false; exceptions.len()];
    for (root, files) in crates(sources) {
        for circle in circles(&imports(&files)) {
            let paths: Vec<String> =
                circle.iter().map(|module| format!("{root}/src/{}.rs", module.join("/"))).collect();
            let allows = |exception: &Exception| {
                paths.iter().all(|path| exception.files.iter().any(|file| path.starts_with(file)))
            };
            match exceptions.iter().position(allows) {
                Some(at) => needed[at] = true,
                None => wrong.push(format!("{} imports in a circle: {}", paths[0], told(&paths))),
            }
        }
    }
    for (exception, _) in exceptions.iter().zip(needed).filter(|(_, needed)| !needed) {
        let (files, why) = (exception.files.join(", "), exception.why);
        wrong.push(format!(
            "{files}: nothing there imports in a circle any more; take the exception away ({why})"
        ));
    }
    wrong
}

fn told(paths: &[String]) -> String {
    let ring = paths.iter().chain(paths.first()).map(String::as_str).collect::<Vec<_>>();
    ring.join(" > ")
}

/// The files of each crate, by the folder that its `src` lies in. Tests belong to what they test.
fn crates(sources: &[Source]) -> BTreeMap<&str, Vec<&Source>> {
    let mut crates: BTreeMap<&str, Vec<&Source>> = BTreeMap::new();
    for source in sources {
        let Some((root, _)) = source.path.split_once("/src/") else { continue };
        if !source.module().contains(&"tests") {
            crates.entry(root).or_default().push(source);
        }
    }
    crates
}

/// Which file imports which.
fn imports(files: &[&Source]) -> BTreeMap<Module, BTreeSet<Module>> {
    let module = |source: &Source| -> Module { source.module().into_iter().map(str::to_owned).collect() };
    let there: BTreeSet<Module> = files.iter().map(|source| module(source)).collect();
    let of = |source: &Source| {
        let own = module(source);
        let used = source.reached().into_iter().filter_map(|path| {
            let [root, rest @ ..] = path.segments.as_slice() else { return None };
            // The deepest file that the path leads into.
            let file =
                (1..=rest.len()).rev().map(|length| &rest[..length]).find(|file| there.contains(*file))?;
            let kin = file.starts_with(&own) || own.starts_with(file);
            (root == "crate" && !kin).then(|| file.to_vec())
        });
        let used: BTreeSet<Module> = used.collect();
        (own, used)
    };
    files.iter().map(|source| of(source)).collect()
}

/// Circles, each the shortest through its first file, until every file that is in one has been named.
fn circles(imports: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<Vec<&Module>> {
    let mut found: Vec<Vec<&Module>> = Vec::new();
    for module in imports.keys() {
        if found.iter().all(|circle| !circle.contains(&module)) {
            found.extend(circle(module, imports));
        }
    }
    found
}

/// The shortest way from a file back to itself.
fn circle<'a>(from: &'a Module, imports: &'a BTreeMap<Module, BTreeSet<Module>>) -> Option<Vec<&'a Module>> {
    let mut came_from: BTreeMap<&Module, &Module> = BTreeMap::new();
    let mut next = VecDeque::from([from]);
    while let Some(module) = next.pop_front() {
        for used in imports.get(module)? {
            if used == from {
                let back = std::iter::successors(Some(module), |at| came_from.get(at).copied());
                let mut circle: Vec<&Module> = back.collect();
                circle.reverse();
                return Some(circle);
            }
            if !came_from.contains_key(used) {
                came_from.insert(used, module);
                next.push_back(used);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files with their texts, and the circle that is found.
    #[track_caller]
    fn check(files: &[(&str, &str)], expected: &str) {
        let sources: Vec<Source> = files
            .iter()
            .map(|(path, text)| Source::new(&format!("host/src/{path}"), text).expect("it is Rust"))
            .collect();
        let wrong = super::check(&sources, &[]);
        match expected {
            "" => assert_eq!(wrong, [""; 0], "{files:?}"),
            expected => assert!(wrong.len() == 1 && wrong[0].ends_with(expected), "{files:?}: {wrong:?}"),
        }
    }

    #[test]
    fn every_circle_is_found() {
        const TWO: &str = "host/src/a/x.rs > host/src/a/y.rs > host/src/a/x.rs";
        check(&[("a/x.rs", "use super::y::f;"), ("a/y.rs", "use crate::a::x::g;")], TWO);
        check(&[("a/x.rs", "fn f() { super::y::f() }"), ("a/y.rs", "use crate::a::{x as other};")], TWO);
        // By a name that was imported, and by one that it was given here.
        check(
            &[("a.rs", ""), ("a/x.rs", "use crate::a; fn f() { a::y::f() }"), ("a/y.rs", "use super::x;")],
            TWO,
        );
        check(
            &[
                ("a.rs", ""),
                ("a/x.rs", "use crate::a as it; fn f() { it::y::f() }"),
                ("a/y.rs", "use super::x;"),
            ],
            TWO,
        );
        check(
            &[("x.rs", "use crate::y::F;"), ("y.rs", "use crate::z::F;"), ("z.rs", "use crate::x::F;")],
            "host/src/x.rs > host/src/y.rs > host/src/z.rs > host/src/x.rs",
        );
        // What lies deeper in another family counts for itself.
        check(
            &[("a/x.rs", "use crate::b::deep::F;"), ("b.rs", ""), ("b/deep.rs", "use crate::a::x::G;")],
            "host/src/a/x.rs > host/src/b/deep.rs > host/src/a/x.rs",
        );
    }

    #[test]
    fn what_is_none_is_let_through() {
        check(&[("a/x.rs", "use super::y::f;"), ("a/y.rs", "use crate::a::z::g;"), ("a/z.rs", "")], "");
        // A parent and its child, and what the parent declares for its children.
        check(&[("a.rs", "mod x; use x::F;"), ("a/x.rs", "use super::G; use crate::a::H;")], "");
        check(
            &[("a/x.rs", "use super::y::f;"), ("a/y.rs", "#[cfg(test)]\nmod tests { use super::super::x; }")],
            "",
        );
        check(&[("a/x.rs", "use super::y::f;"), ("a/y.rs", ""), ("a/y/tests.rs", "use crate::a::x::f;")], "");
        // What a macro writes stands where it is used.
        check(&[("x.rs", "use crate::y::F;"), ("y.rs", "macro_rules! m { () => { $crate::x::g() } }")], "");
    }

    #[test]
    fn an_exception_is_for_what_it_names_and_goes_when_it_is_needed_no_more() {
        let source = |path: &str, text: &str| Source::new(path, text).expect("it is Rust");
        let ring = [
            source("host/src/a/x.rs", "use crate::a::y::F;"),
            source("host/src/a/y.rs", "use crate::a::x::F;"),
        ];
        let named = [Exception { files: &["host/src/a/"], why: "old" }];
        let other = [Exception { files: &["host/src/a/x"], why: "old" }];
        assert_eq!(super::check(&ring, &named), [""; 0]);
        assert_eq!(super::check(&ring, &other).len(), 2, "half a circle is none, and stands for nothing");
        assert_eq!(super::check(&ring[..1], &named).len(), 1);
    }
}
