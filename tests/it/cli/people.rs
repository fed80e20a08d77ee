//! `contact merge` and `unmerge`, and `opt-out`.

use super::*;

#[test]
fn contacts_are_merged_and_opt_outs_kept_from_the_command_line() {
    let place = Place::new();
    place.write("old.json", "{\"971501234567\": 2, \"971507654321\": 1}");
    place.ok(&["import", "mapping", "old.json"]);
    let merged = place.json(&["contact", "merge", "971507654321", "+971 50 123 4567"]);
    assert_eq!((&merged["contact"], &merged["aliases"]), (&json!("971501234567"), &json!(["971507654321"])));
    assert!(place.ok(&["contact", "show", "971507654321"]).contains("971501234567"));
    let (code, said) = place.fails(&["contact", "merge", "971507654321", "971501234567"]);
    assert_eq!(code, 1);
    assert!(said.contains("one person already"), "{said}");
    let left = place.json(&["contact", "unmerge", "971507654321"]);
    assert_eq!((&left["tenant_id"], &left["was_alias_of"]), (&json!(1), &json!("971501234567")));
    let (code, said) = place.fails(&["contact", "unmerge", "971507654321"]);
    assert!(code == 1 && said.contains("nobody's alias"), "{said}");

    assert_eq!(place.ok(&["opt-out", "list", "--tenant", "2"]), "Nobody has opted out.\n");
    let add = ["opt-out", "add", "--tenant", "2", "971501234567", "--reason", "asked on the phone"];
    assert_eq!(place.ok(&add), "971501234567 gets no more messages.\n");
    let listed = place.ok(&["opt-out", "list", "--tenant", "2"]);
    assert!(listed.contains("971501234567") && listed.contains("asked on the phone"), "{listed}");
    let remove = ["opt-out", "remove", "--tenant", "2", "971501234567"];
    assert_eq!(place.ok(&remove), "971501234567 gets messages again.\n");
    assert_eq!(place.fails(&remove).0, 1);
    assert_eq!(place.json(&["opt-out", "list", "--tenant", "2"]), json!({"opt_outs": []}));
}
