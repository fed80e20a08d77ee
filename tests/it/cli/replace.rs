//! `--replace` changes what is given and nothing else; what is to go is named.

use super::*;

#[test]
fn what_is_not_given_stays_as_it_is() {
    let place = Place::new();
    place.ok(&[
        "tenant",
        "add",
        "7",
        "--name",
        "Seven",
        "--organization",
        "1",
        "--brain",
        "echo",
        "--language",
        "ar",
        "--time-zone",
        "Asia/Dubai",
        "--fallback-text",
        "Sorry.",
        "--label",
        "chatbot_id=b",
        "--inactive",
    ]);
    let before = place.json(&["tenant", "show", "7"]);
    assert_eq!((&before["time_zone"], &before["active"]), (&json!("Asia/Dubai"), &json!(false)));
    place.ok(&["tenant", "add", "7", "--replace", "--language", "ar"]);
    assert_eq!(place.json(&["tenant", "show", "7"]), before);
    place.ok(&["tenant", "add", "7", "--replace", "--name", "Other", "--label", "user_id=u", "--active"]);
    let mut expected = before.clone();
    expected["name"] = json!("Other");
    expected["active"] = json!(true);
    expected["labels"] = json!({"chatbot_id": "b", "user_id": "u"});
    assert_eq!(place.json(&["tenant", "show", "7"]), expected);
    place.ok(&["tenant", "add", "7", "--replace", "--clear", "time_zone", "--clear", "labels.user_id"]);
    let cleared = place.json(&["tenant", "show", "7"]);
    assert_eq!((&cleared["time_zone"], &cleared["labels"]), (&json!("UTC"), &json!({"chatbot_id": "b"})));
    for slip in [&["--clear", "timezone"][..], &["--clear", "limits.fule"], &["--clear", "name"]] {
        let (code, said) = place.fails(&[&["tenant", "add", "7", "--replace"], slip].concat());
        assert!(code == 1 && said.contains("cannot be read"), "{slip:?}: {said}");
    }
    let (code, said) = place.fails(&["tenant", "add", "8", "--name", "x"]);
    assert!(code == 2 && said.contains("--organization"), "{said}");
    assert_eq!(place.fails(&["tenant", "add", "7", "--replace", "--active", "--inactive"]).0, 2);

    // An organization's name is not all that it has.
    let personality = "[[organization]]\nid = 1\nname = \"Demo\"\npersonality = { agent = \"Sara\" }\n";
    let fresh = Place::new();
    fresh.write("organizations.toml", personality);
    fresh.ok(&["organization", "add", "1", "--name", "Renamed"]);
    let organizations = fresh.json(&["organization", "list"]);
    assert_eq!(
        organizations["organizations"][0],
        json!({"id": 1, "name": "Renamed", "personality": {"agent": "Sara"}})
    );
}

#[test]
fn a_sender_and_a_template_keep_what_is_not_given() {
    let place = Place::new();
    place.ok(&[
        "sender",
        "add",
        "office",
        "--provider",
        "meta",
        "--account",
        "100200",
        "--business-account",
        "9",
        "--api-key",
        "a",
        "--hmac-key",
        "b",
        "--verify-token",
        "c",
        "--number",
        "971500000001",
        "--groups",
        "--rate-per-second",
        "7",
        "--tenant",
        "2",
        "--media-host",
        "files.example.com",
    ]);
    let before = place.json(&["sender", "list"])["senders"].clone();
    place.ok(&["sender", "add", "office", "--replace", "--account", "100200"]);
    assert_eq!(place.json(&["sender", "list"])["senders"], before);
    place.ok(&[
        "sender",
        "add",
        "office",
        "--replace",
        "--rate-per-second",
        "9",
        "--clear",
        "number",
        "--clear",
        "groups",
    ]);
    let after = place.json(&["sender", "list"])["senders"].clone();
    let of = |senders: &Value| {
        senders.as_array().unwrap().iter().find(|it| it["name"] == "office").unwrap().clone()
    };
    let mut expected = of(&before);
    expected["rate_per_second"] = json!(9);
    expected["groups"] = json!(false);
    expected.as_object_mut().unwrap().shift_remove("number");
    assert_eq!(of(&after), expected);

    place.write(
        "hello.toml",
        "name = \"hello\"\nlanguage = \"en\"\ncategory = \"utility\"\nbody = \"Hi\"\nfooter = \"F\"\n",
    );
    place.ok(&["template", "put", "--tenant", "2", "hello.toml"]);
    place.write("hello.toml", "name = \"hello\"\nlanguage = \"en\"\nbody = \"Hello\"\n");
    let output = place.run(&["template", "put", "--tenant", "2", "hello.toml"]);
    assert!(output.status.success() && text(&output.stderr).contains("leaves out footer"), "{output:?}");
    let shown = place.json(&["template", "show", "--tenant", "2", "hello", "en"]);
    assert_eq!((&shown["template"]["body"], &shown["template"]["footer"]), (&json!("Hello"), &json!("F")));
    place.ok(&["template", "put", "--tenant", "2", "hello.toml", "--clear", "footer"]);
    let shown = place.json(&["template", "show", "--tenant", "2", "hello", "en"]);
    assert_eq!(shown["template"]["footer"], Value::Null);
}
