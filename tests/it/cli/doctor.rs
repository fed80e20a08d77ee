//! `switchboard doctor` on a gateway that is well, and on one that is not.

use super::Place;

#[test]
fn it_says_what_is_wrong_and_what_to_do() {
    let place = Place::new();
    place.ok(&["organization", "add", "2", "--name", "Second"]);
    // The only real sender's WAHA is not there.
    let (code, error) = place.fails(&["doctor"]);
    assert_eq!((code, error.trim()), (3, "error: no gateway runs here; 2 things to mend"));
    let answer = place.run(&["doctor", "--json"]);
    let answer: serde_json::Value = serde_json::from_slice(&answer.stdout).unwrap();
    let findings = answer["findings"].as_array().unwrap();
    let first = &findings[0];
    assert_eq!((&first["severity"], &first["subject"]), (&"error".into(), &"gateway".into()), "{answer}");
    assert!(first["what"].as_str().unwrap().starts_with("none runs on this data directory"), "{answer}");
    let first = &findings[1];
    assert_eq!((&first["severity"], &first["subject"]), (&"error".into(), &"sender main".into()), "{answer}");
    assert!(first["what"].as_str().unwrap().starts_with("waha cannot be asked: cannot connect"), "{answer}");
    let said = |subject: &str| {
        findings.iter().find(|it| it["subject"] == subject).unwrap_or_else(|| panic!("{subject}: {answer}"))
    };
    assert_eq!(said("store")["severity"], "good");
    assert_eq!(said("tenants")["what"], "2 active, each with a brain and a number");
    assert_eq!(said("backups")["severity"], "warning");
}

#[test]
fn a_tenant_without_a_brain_is_found() {
    let place = Place::new();
    place.ok(&["organization", "add", "2", "--name", "Second"]);
    place.ok(&["stats"]);
    std::fs::remove_file(place.path("plugins/echo/brain.wasm")).unwrap();
    let said = String::from_utf8(place.run(&["doctor"]).stdout).unwrap();
    assert!(
        said.contains("WRONG    tenant 1: no brain answers for it: the package echo does not run"),
        "{said}"
    );
    assert!(said.contains("`switchboard brain list` says why"), "{said}");
}

/// One dead server is one line, however many numbers it has; while a gateway runs the exit code is 1.
#[test]
fn a_dead_server_is_told_once() {
    let place = Place::new();
    let sender = |n: u32| {
        format!(
            "[[sender]]\nname = \"n{n}\"\nprovider = \"waha\"\naccount = \"s{n}\"\n\
             base_url = \"http://127.0.0.1:1\"\nhmac_key = \"k\"\n\n"
        )
    };
    place.write("senders.toml", &(0..300).map(sender).collect::<String>());
    let gateway = place.serve();
    let run = place.run(&["doctor"]);
    gateway.stop();
    let said = String::from_utf8(run.stdout).unwrap();
    assert_eq!(run.status.code(), Some(1), "{said}");
    let first = said.lines().next().unwrap();
    assert!(
        first.starts_with("WRONG    waha at http://127.0.0.1:1: 300 senders: waha cannot be asked"),
        "{said}"
    );
    assert!(first.ends_with("(n0, n1, n10, n100, n101 and 295 more)"), "{said}");
    assert!(said.lines().count() < 20, "{said}");
    let actions = said.lines().filter(|line| line.starts_with("         "));
    assert!(actions.count() >= 1, "{said}");
}
