//! `switchboard doctor` on a gateway that is well, and on one that is not.

use super::Place;

#[test]
fn it_says_what_is_wrong_and_what_to_do() {
    let place = Place::new();
    place.ok(&["organization", "add", "2", "--name", "Second"]);
    // The only real sender's WAHA is not there.
    let (code, error) = place.fails(&["doctor"]);
    assert_eq!((code, error.trim()), (1, "error: 1 thing to mend"));
    let answer = place.run(&["doctor", "--json"]);
    let answer: serde_json::Value = serde_json::from_slice(&answer.stdout).unwrap();
    let findings = answer["findings"].as_array().unwrap();
    let first = &findings[0];
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
