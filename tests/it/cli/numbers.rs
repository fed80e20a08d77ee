//! Our own numbers: bringing them in from an older set-up, and asking where a message to one would go.

use serde_json::{Value, json};

use super::Place;

const OLD: &str = "# the old gateway\n\
    ENABLE_MULTI_TENANT=true\nROUTE_BY_DESTINATION=true\n\
    INFOBIP_BASE_URL=abc123.api.infobip.example\nINFOBIP_API_KEY='old-key-of-the-account'\n\
    WHATSAPP_SENDER=96179374241\nMARINA_WHATSAPP_SENDER=\"+961 3 451 652\"\n";

fn sender(place: &Place, name: &str) -> Value {
    let senders = place.json(&["sender", "list"]);
    let found = senders["senders"].as_array().unwrap().iter().find(|sender| sender["name"] == name);
    found.cloned().unwrap_or(Value::Null)
}

#[test]
fn an_env_file_is_shown_first_and_then_brought_in() {
    let place = Place::new();
    place.ok(&["organization", "add", "2", "--name", "Second"]);
    place.write("old.env", OLD);
    let (code, error) = place.fails(&["import", "env", "old.env"]);
    assert_eq!(code, 2, "{error}");
    assert!(error.contains("WHATSAPP_SENDER: whose is it? Say --main ID, or --main shared"), "{error}");
    assert!(error.contains("no tenant's name begins with MARINA; say --tenant MARINA=ID"), "{error}");

    let owners = ["import", "env", "old.env", "--main", "1", "--tenant", "MARINA=2"];
    let shown = place.ok(&owners);
    assert!(shown.contains("Nothing was changed. Add --apply to do this."), "{shown}");
    assert_eq!(sender(&place, "marina"), Value::Null);

    let done = place.ok(&[&owners[..], &["--apply"]].concat());
    assert!(done.contains("Point the account's webhook at /api/gateway/infobip/"), "{done}");
    let marina = sender(&place, "marina");
    assert_eq!((&marina["account"], &marina["tenant"]), (&json!("9613451652"), &json!(2)), "{marina}");
    assert_eq!(marina["base_url"], "https://abc123.api.infobip.example");
    assert_eq!((&marina["api_key"], &marina["webhook_path"]), (&json!("(set)"), &json!("(set)")));
    assert_eq!(sender(&place, "main")["provider"], "waha", "the sender called main was there before");
    assert_eq!(sender(&place, "infobip-main")["tenant"], 1);

    let again = place.json(&[&owners[..], &["--apply"]].concat());
    let states: Vec<&Value> = again["senders"].as_array().unwrap().iter().map(|it| &it["state"]).collect();
    assert_eq!(states, ["is there already", "is there already"], "{again}");
    assert_eq!(again["webhook"], Value::Null);
}

/// Two variables may want one name, and a later import gives the account another webhook: nobody is
/// overwritten, and nobody is left at the old address.
#[test]
fn a_second_import_takes_all_numbers_along() {
    let place = Place::new();
    const BASE: &str = "INFOBIP_BASE_URL=abc123.api.infobip.example\nINFOBIP_API_KEY=key\n";
    place.write("old.env", &format!("{BASE}X_WHATSAPP_SENDER=9613451652\nx_WHATSAPP_SENDER=9613451653\n"));
    let owners = ["import", "env", "old.env", "--tenant", "X=2", "--tenant", "Y=2", "--apply"];
    let first = place.json(&owners);
    let names: Vec<&Value> = first["senders"].as_array().unwrap().iter().map(|it| &it["sender"]).collect();
    assert_eq!(names, ["x", "infobip-x"], "{first}");
    assert_eq!(sender(&place, "x")["account"], "9613451652");

    // The first two are not in this file.
    place.write("old.env", &format!("{BASE}Y_WHATSAPP_SENDER=9613451654\n"));
    let shown = place.ok(&owners);
    assert!(shown.contains("the numbers that were there get the new address as well"), "{shown}");
    assert_eq!(shown.matches("changes its webhook").count(), 2, "{shown}");
    let address = shown.split_whitespace().find(|word| word.starts_with("/api/gateway/infobip/")).unwrap();
    let end = address.trim_end_matches(';').rsplit('/').next().unwrap();
    assert!(!first["webhook"].as_str().unwrap().ends_with(end));
    for name in ["x", "infobip-x", "y"] {
        assert_eq!(sender(&place, name)["webhook_path"], "(set)");
    }
    let again = place.json(&owners);
    assert_eq!(
        (&again["senders"][0]["state"], &again["webhook"]),
        (&json!("is there already"), &Value::Null)
    );
}

#[test]
fn a_number_tells_whose_messages_it_takes() {
    let place = Place::new();
    place.write("old.env", OLD);
    place.ok(&["import", "env", "old.env", "--main", "1", "--tenant", "MARINA=2", "--apply"]);
    for written in ["9613451652", "+9613451652", "+961 3 451-652", "009613451652"] {
        let answer = place.json(&["sender", "test", written]);
        let found = &answer["senders"][0];
        assert_eq!(
            (&found["sender"], &found["tenant_id"]),
            (&json!("marina"), &json!(2)),
            "{written}: {answer}"
        );
        assert_eq!(found["because"], "the number is this tenant's own");
    }
    let (code, error) = place.fails(&["sender", "test", "96170000000"]);
    assert_eq!(code, 1);
    assert!(error.contains("counted, logged and left to nobody"), "{error}");
    let shared = place.json(&["sender", "test", "default", "--from", "971501234567"]);
    assert_eq!(shared["senders"][0]["decision"], "ignored: user not associated with any tenant", "{shared}");
    let linked = place.json(&["sender", "test", "default", "--text", "start_realty_2"]);
    assert_eq!(linked["senders"][0]["tenant_id"], 2, "{linked}");
}

#[test]
fn a_number_is_given_away_by_its_own_command() {
    let place = Place::new();
    let (code, error) = place.fails(&[
        "sender",
        "add",
        "main",
        "--replace",
        "--provider",
        "waha",
        "--account",
        "default",
        "--base-url",
        "http://127.0.0.1:3000",
        "--no-auth",
        "--tenant",
        "2",
    ]);
    assert!(code == 1 && error.contains("switchboard sender give main --tenant 2"), "{error}");
    let (code, error) = place.fails(&["sender", "give", "main"]);
    assert!(code == 2 && error.contains("--tenant"), "{error}");
    let shown = place.ok(&["sender", "give", "main", "--tenant", "2"]);
    assert!(shown.contains("is shared and becomes tenant 2's") && shown.contains("Add --apply"), "{shown}");
    assert_eq!(sender(&place, "main")["tenant"], Value::Null);
    let done = place.json(&["sender", "give", "main", "--tenant", "2", "--apply"]);
    assert_eq!((&done["applied"], &done["waiting"]), (&json!(true), &json!(0)));
    assert_eq!(sender(&place, "main")["tenant"], 2);
    let again = place.ok(&["sender", "give", "main", "--tenant", "2", "--apply"]);
    assert!(again.contains("is tenant 2's already"), "{again}");

    // An import names another owner: it says so first, and gives the number when it is told to.
    place.write("old.env", OLD);
    let import = ["import", "env", "old.env", "--main", "1", "--apply", "--tenant"];
    place.ok(&[&import[..], &["MARINA=2"]].concat());
    let moved = place.ok(&[&import[..], &["MARINA=1"]].concat());
    assert!(
        moved.contains("changes its tenant") && moved.contains("gives up what the old one has"),
        "{moved}"
    );
    assert_eq!(sender(&place, "marina")["tenant"], 1);
}
