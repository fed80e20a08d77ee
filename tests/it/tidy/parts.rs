//! Who asks the store for what: the parts that it is made of, and the traits in which their callers say which of them
//! they need.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Source, Trait};

/// Parts that are not asked by who needs them, but handed on to a module below that asks them.
const HANDED_ON: &[(&str, &str)] = &[
    // A file of records is read over what the store has of it.
    ("DoctorStore", "Collections"),
    // A report is traced to its sender where webhooks are proved.
    ("HearingStore", "Receipts"),
];

/// The parts of the whole store, by name.
fn parts(sources: &[Source]) -> BTreeMap<String, Trait> {
    let traits = |depth: usize| {
        let files = sources
            .iter()
            .filter(move |source| source.module()[0] == "store" && source.module().len() == depth);
        files.flat_map(Source::traits)
    };
    let whole: Vec<String> =
        traits(1).filter(|of| of.name == "Store").flat_map(|whole| whole.bounds).collect();
    let parts = traits(2).filter(|part| whole.contains(&part.name));
    parts.map(|part| (part.name.clone(), part)).collect()
}

/// A part that somebody may ask for and does not is one more that they can change without anybody's notice.
pub fn unused(sources: &[Source]) -> Vec<String> {
    let parts = parts(sources);
    let (mut wrong, mut handed_on) = (Vec::new(), BTreeSet::new());
    for source in sources.iter().filter(|source| source.module()[0] != "store") {
        let below = sources.iter().filter(|other| other.module().starts_with(&source.module()));
        let called: BTreeSet<String> = below.flat_map(Source::called).collect();
        for of in source.traits() {
            for part in of.bounds.iter().filter_map(|bound| parts.get(bound)) {
                let asks = part.verbs.iter().any(|verb| called.contains(&verb.name));
                let exception = HANDED_ON.iter().find(|(who, what)| *who == of.name && *what == part.name);
                match (asks, exception) {
                    (true, None) => {}
                    (false, Some(exception)) => drop(handed_on.insert(exception)),
                    (false, None) => wrong.push(format!(
                        "{}:{}: {} names {} and calls no verb of it: leave it out",
                        source.path, of.line, of.name, part.name
                    )),
                    (true, Some(_)) => {}
                }
            }
        }
    }
    let stale = HANDED_ON.iter().filter(|exception| !handed_on.contains(exception));
    wrong.extend(stale.map(|(who, what)| format!("{who} does not hand {what} on: take it out of HANDED_ON")));
    wrong
}

/// Parts and verbs that do not say what they are: a second engine is written by what stands there.
pub fn untold(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for part in parts(sources).values() {
        if !part.told {
            wrong.push(format!("store::{} does not say what it is", part.name));
        }
        let verbs = part.verbs.iter().filter(|verb| !verb.told);
        wrong.extend(
            verbs.map(|verb| format!("store::{}::{} does not say what it does", part.name, verb.name)),
        );
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: &str = "//! A.\npub trait Store: sends::Sends + locks::Locks + 'static {}";
    const SENDS: &str =
        "//! A.\n/// B.\n#[c]\npub trait Sends: Send { /// C.\nasync fn begin(&self); fn end(&self); }";
    const LOCKS: &str = "//! A.\npub trait Locks { /// C.\nfn lock(&self) -> u8 { 1 } }";

    fn sources(caller: &str, below: &str) -> Vec<Source> {
        let files = [
            ("host/src/store.rs", STORE),
            ("host/src/store/sends.rs", SENDS),
            ("host/src/store/locks.rs", LOCKS),
            ("host/src/turn.rs", caller),
            ("host/src/turn/loops.rs", below),
        ];
        files.map(|(path, text)| Source::new(path, text).expect("it is Rust")).into()
    }

    fn wrong(caller: &str, below: &str) -> String {
        let mut wrong = unused(&sources(caller, below));
        wrong.retain(|wrong| !wrong.contains("HANDED_ON"));
        wrong.join("\n")
    }

    #[test]
    fn who_asks_for_a_part_calls_it() {
        let caller = "//! A.\npub trait TurnStore: Sends + Locks {}\nfn f() { store.begin(1) }";
        assert!(wrong(caller, "//! A.").contains("turn.rs:2: TurnStore names Locks"));
        assert_eq!(wrong(caller, "//! A.\nfn f() { store\n.lock() }"), "", "a file below it calls it");
        assert!(wrong(caller, "//! A.\nfn f() { lock(); store.locks() }").contains("names Locks"));
        assert!(
            wrong("//! A.", "//! A.\ntrait Mine: locks::Locks {}").contains("loops.rs:2: Mine names Locks")
        );
    }

    #[test]
    fn a_part_and_its_verbs_are_told() {
        let said = untold(&sources("//! A.", "//! A.")).join("\n");
        assert_eq!(said, "store::Locks does not say what it is\nstore::Sends::end does not say what it does");
    }
}
