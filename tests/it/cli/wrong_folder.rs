//! A command in the wrong folder makes nothing there. Every command stands in one table: one that is new
//! must be put into it.

use std::collections::BTreeSet;

use switchboard::store::embedded::Embedded;

use super::*;

/// What a command does in a folder where no gateway is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    /// It says so, and leaves nothing behind.
    Refuses,
    /// It needs none, and leaves nothing behind.
    Without,
    /// It is there to make one.
    Makes,
}

use Does::{Makes, Refuses, Without};

/// Every command with arguments that are good. `FILE` is one that is there, `OLD` an older set-up's .env, `TEXTS` a TOML.
const COMMANDS: &[(&str, Does)] = &[
    ("audit", Refuses),
    ("backup FILE.tar", Refuses),
    ("brain forget --tenant 2", Refuses),
    ("brain list", Refuses),
    ("brain push --tenant 2 FILE", Refuses),
    ("brain rollback --tenant 2", Refuses),
    ("brain test FILE", Without),
    ("chat --tenant 2", Refuses),
    ("check", Without),
    ("contact handback --tenant 2 971501234567", Refuses),
    ("contact merge 971501234567 971501234568", Refuses),
    ("contact show 971501234567", Refuses),
    ("contact takeover --tenant 2 971501234567", Refuses),
    ("contact unlock 971501234567", Refuses),
    ("contact unmerge 971501234567", Refuses),
    ("doctor", Refuses),
    ("export mapping", Refuses),
    ("export mapping out.json", Refuses),
    ("import collection --tenant 2 --name homes FILE", Refuses),
    ("import env OLD --apply", Refuses),
    ("import mapping FILE", Refuses),
    ("key add --operator --name mine", Refuses),
    ("key list", Refuses),
    ("key remove 0123456789ab", Refuses),
    ("keys list", Refuses),
    ("keys retire 0123456789ab", Refuses),
    ("keys rotate", Refuses),
    ("message show 1", Refuses),
    ("opt-out add --tenant 2 971501234567", Refuses),
    ("opt-out list --tenant 2", Refuses),
    ("opt-out remove --tenant 2 971501234567", Refuses),
    ("organization add 1 --name One", Refuses),
    ("organization list", Refuses),
    ("outbox drop 2-971501234567-1", Refuses),
    ("outbox list", Refuses),
    ("outbox retry 2-971501234567-1", Refuses),
    ("outbox show 2-971501234567-1", Refuses),
    ("personality push --tenant 2 FILE", Refuses),
    ("reload", Refuses),
    ("restore FILE", Makes),
    ("sender add main --provider simulator --account simulator", Refuses),
    ("sender connect main --no-wait", Refuses),
    ("sender disconnect main", Refuses),
    ("sender give main --tenant 2 --apply", Refuses),
    ("sender list", Refuses),
    ("sender remove main", Refuses),
    ("sender status main", Refuses),
    ("sender test +9613451652", Refuses),
    ("serve", Makes),
    ("stats", Refuses),
    ("store compact", Refuses),
    ("store show", Refuses),
    ("store verify", Refuses),
    ("template delete hello en --tenant 2", Refuses),
    ("template list --tenant 2", Refuses),
    ("template log --tenant 2", Refuses),
    ("template put TEXTS --tenant 2", Refuses),
    ("template show hello en --tenant 2", Refuses),
    ("template submit hello en --tenant 2", Refuses),
    ("template sync --tenant 2", Refuses),
    ("tenant add 2 --name Two --organization 1 --brain echo", Refuses),
    ("tenant connect 2 --no-wait", Refuses),
    ("tenant disconnect 2", Refuses),
    ("tenant list", Refuses),
    ("tenant quotas 2", Refuses),
    ("tenant show 2", Refuses),
    ("tenant status 2", Refuses),
    ("turns list", Refuses),
    ("turns retry 2-971501234567-1", Refuses),
    ("turns show 2-971501234567-1", Refuses),
    ("webhook explain --provider simulator FILE", Without),
    ("webhook replay", Refuses),
    ("webhook unread", Refuses),
];

/// The commands below `path` that have none below themselves, as the program's own help lists them.
fn leaves(place: &Place, path: &[&str], found: &mut BTreeSet<String>) {
    let help = place.ok(&[&["help"], path].concat());
    let Some((_, list)) = help.split_once("\nCommands:\n") else {
        found.insert(path.join(" "));
        return;
    };
    let names = list.lines().take_while(|line| !line.is_empty()).filter(|line| line.starts_with("  "));
    for line in names.filter(|line| !line.starts_with("   ")) {
        let name = line.split_whitespace().next().expect("a name");
        if name != "help" {
            leaves(place, &[path, &[name]].concat(), found);
        }
    }
}

#[test]
fn every_command_stands_in_the_table() {
    let mut there = BTreeSet::new();
    leaves(&Place::new(), &[], &mut there);
    assert!(there.len() > 60, "only {} commands found: {there:?}", there.len());
    let listed = |leaf: &&String| {
        COMMANDS.iter().any(|(command, _)| format!("{command} ").starts_with(&format!("{leaf} ")))
    };
    let missing: Vec<&String> = there.iter().filter(|leaf| !listed(leaf)).collect();
    assert!(missing.is_empty(), "put these into the table: {missing:?}");
    let known =
        |command: &str| there.iter().any(|leaf| format!("{command} ").starts_with(&format!("{leaf} ")));
    let gone: Vec<&str> =
        COMMANDS.iter().map(|(command, _)| *command).filter(|command| !known(command)).collect();
    assert!(gone.is_empty(), "take these out of the table: {gone:?}");
}

#[test]
fn a_command_in_the_wrong_folder_makes_nothing_and_says_what_to_do() {
    let place = Place::new();
    let apart = tempfile::tempdir().expect("a directory");
    let file = apart.path().join("file");
    std::fs::write(&file, br#"{"id":"1","from":"971501234567","text":"hi"}"#).expect("written");
    let old = apart.path().join("old.env");
    std::fs::write(&old, "WHATSAPP_SENDER=96179374241\n").expect("written");
    let texts = apart.path().join("texts.toml");
    std::fs::write(&texts, "name = \"hello\"\nlanguage = \"en\"\n").expect("written");
    let empty = tempfile::tempdir().expect("a directory");
    for (command, does) in COMMANDS {
        let args: Vec<String> = command
            .split(' ')
            .map(|arg| {
                arg.replace("FILE", file.to_str().expect("UTF-8"))
                    .replace("OLD", old.to_str().expect("UTF-8"))
                    .replace("TEXTS", texts.to_str().expect("UTF-8"))
            })
            .collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        if *does == Makes {
            continue;
        }
        let output = place.command(&args).current_dir(empty.path()).output().expect("it starts");
        let left: Vec<_> = std::fs::read_dir(empty.path()).expect("listed").flatten().collect();
        assert!(left.is_empty(), "{command} left {left:?}");
        let beside = std::fs::read_dir(apart.path()).expect("listed").count();
        assert_eq!(beside, 3, "{command} made a file beside its own");
        let said = text(&output.stderr);
        if *does == Refuses {
            assert_eq!(output.status.code(), Some(1), "{command}: {said}");
            assert!(
                said.contains("there is no gateway here")
                    && said.contains("start one with `switchboard serve"),
                "{command}: {said}"
            );
        }
    }
}

/// Where it was said which gateway is meant, what changes something may come before the first start, and
/// what only looks may not.
#[test]
fn a_look_makes_no_store_where_a_configuration_is() {
    let place = Place::new();
    for look in
        [&["stats"][..], &["tenant", "list"], &["doctor"], &["import", "mapping", "none.json", "--dry-run"]]
    {
        place.write("none.json", "{\"971501234567\": 2}");
        let (code, said) = place.fails(look);
        assert_eq!((code, said.contains("there is no gateway here")), (1, true), "{look:?}: {said}");
        assert!(!place.path("run").exists(), "{look:?} made a store");
    }
    let config = place.path("switchboard.toml");
    let said = place.fails(&["stats"]).1;
    assert!(said.contains(&format!("`switchboard serve --config {}`", config.display())), "{said}");
    assert!(place.ok(&["key", "add", "--operator", "--name", "mine"]).starts_with("sbo_"));
    assert!(place.ok(&["stats"]).starts_with("0 contacts, 2 tenants"));
}

/// A store that is opened for long, as one is after a crash, is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_starting_is_waited_for() {
    let place = Place::new();
    place.ok(&["organization", "add", "9", "--name", "Nine"]);
    let files = crate::store::Files::new(crate::store::lab::Options::default());
    let keys = switchboard::keyring::read(&switchboard::config::Config {
        data: place.path("run"),
        ..Default::default()
    });
    let settings = switchboard::store::embedded::Settings {
        path: place.path("run/switchboard.redb"),
        keys: keys.expect("the keys").ring,
        ..files.settings()
    };
    let held = Embedded::open(settings).expect("opened");
    let mut child =
        place.command(&["stats"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut errors = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut first = String::new();
    errors.read_line(&mut first).expect("a line");
    assert!(first.contains("by a gateway that is starting or by another command; waiting"), "{first}");
    drop(held);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success());
    assert!(text(&output.stdout).starts_with("0 contacts"), "{}", text(&output.stdout));
}
