//! Files that were damaged while the gateway was stopped: what ran before runs, and it is said.

use super::*;

/// A gateway that has run once, with a tenant's own texts and a collection.
fn that_ran() -> Place {
    let place = Place::new();
    place.write("collections/2/homes.json", r#"[{"id": 1}, {"id": 2}]"#);
    let gateway = place.serve();
    place.write("mine.toml", "[welcome]\nen = \"Ahoy!\"\n");
    place.ok(&["personality", "push", "--tenant", "2", "mine.toml"]);
    gateway.stop();
    place
}

fn first_words(place: &Place, tenant: &str, contact: &str) -> String {
    place.ok(&["chat", "--tenant", tenant, "--as", contact])
}

#[test]
fn damaged_files_of_a_package_are_stood_in_for() {
    let place = that_ran();
    let gateway = place.serve_again();
    let sound = first_words(&place, "1", "971500000100");
    gateway.stop();
    let path = |file: &str| place.path(&format!("plugins/echo/{file}"));
    let damage: [(&str, Option<&[u8]>); 6] = [
        ("brain.wasm", Some(b"\0asm, and no more")),
        ("brain.wasm", None),
        ("personality.toml", Some(b"[welcome\n")),
        ("personality.toml", Some(b"\xff\xfe")),
        ("personality.schema.json", Some(b"{")),
        ("plugin.toml", None),
    ];
    for (n, (file, bytes)) in damage.into_iter().enumerate() {
        let before = std::fs::read(path(file)).ok();
        match bytes {
            Some(bytes) => std::fs::write(path(file), bytes).expect("damaged"),
            None => std::fs::remove_file(path(file)).expect("gone"),
        }
        let gateway = place.serve_again();
        assert_eq!(first_words(&place, "1", &format!("97150000020{n}")), sound, "{file}");
        let log = std::fs::read_to_string(place.path("log")).expect("a log");
        assert!(log.contains("its last good version stands in"), "{file}: {log}");
        let said = text(&place.run(&["doctor"]).stdout);
        assert!(
            said.contains("brain echo: its newest files were refused, and what ran before still runs"),
            "{said}"
        );
        // Mended, it runs by itself again.
        match before {
            Some(bytes) => std::fs::write(path(file), bytes).expect("mended"),
            None => std::fs::remove_file(path(file)).expect("mended"),
        }
        let refused =
            || place.json(&["brain", "list"])["brains"].as_array().expect("a list")[0]["refused"].clone();
        place.until(|| refused().is_null());
        gateway.stop();
    }
}

#[test]
fn damaged_texts_of_a_tenants_own_are_stood_in_for() {
    let place = that_ran();
    place.write("plugins/tenant-2/personality.toml", "[welcome\n");
    let gateway = place.serve_again();
    assert_eq!(first_words(&place, "2", "971500000100"), "> start_realty_2\nTenant 2: Ahoy!\n");
    gateway.stop();
}

#[test]
fn a_damaged_collection_keeps_its_records_and_nothing_else_waits() {
    let place = that_ran();
    place.write("collections/2/homes.json", "[{\"id\": 1}, {\"id\"");
    let gateway = place.serve_again();
    let log = std::fs::read_to_string(place.path("log")).expect("a log");
    assert!(log.contains("the file of a collection is damaged, its records stay as they were"), "{log}");
    let said = text(&place.run(&["doctor"]).stdout);
    assert!(said.contains("homes.json:1:") && said.contains("its records stay as they were"), "{said}");
    gateway.stop();
    // One that the store does not have yet is a mistake like any other.
    place.write("collections/2/flats.json", "[{");
    assert!(place.fails(&["serve", "--listen", "127.0.0.1:0"]).1.contains("flats.json:1:"));
    assert!(place.fails(&["check"]).1.contains("homes.json:1:"));
}
