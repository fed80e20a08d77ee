//! Connecting from the terminal: the QR code is drawn, the phone is waited for.

use switchboard_tests::gateway::Gateway;
use switchboard_tests::waha::FakeWaha;
use switchboard_tests::wait::until;

use super::{SOON, setup, webhook};

/// Runs a command that waits for the phone, and scans when there is something to scan.
async fn connect(gateway: &Gateway, waha: &FakeWaha, arguments: &[&str], session: &str) -> String {
    let scan = async {
        until("a code is asked for", SOON, async || {
            let asked = |path: &str| path.starts_with(&format!("/api/{session}/auth/"));
            waha.calls().iter().any(|call| asked(&call.path)).then_some(())
        })
        .await;
        waha.scan(session, "971500000009").await
    };
    let (told, _) = tokio::join!(gateway.cli(arguments), scan);
    told.ok().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shared_number_is_connected_from_the_terminal() {
    let waha = FakeWaha::start().await;
    waha.remove_session("default");
    let gateway = setup(&waha).start().await;
    let told = connect(&gateway, &waha, &["sender", "connect", "main"], "default").await;
    assert!(
        told.contains('▄') && told.contains("WORKING: the session default is logged in as 971500000009"),
        "{told}"
    );
    let session = waha.session("default").unwrap();
    assert_eq!(webhook(&session)["url"], gateway.url("/api/gateway/waha"));
    // Done already, it is done at once.
    assert!(gateway.cli(&["sender", "connect", "main"]).await.ok().contains("WORKING"));
    assert!(gateway.cli(&["sender", "status", "main"]).await.ok().contains("971500000009"));
    assert!(gateway.cli(&["sender", "disconnect", "main"]).await.ok().contains("logged out"));
    assert_eq!(waha.session("default").unwrap().status, "STOPPED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_is_connected_by_a_code_to_type() {
    let waha = FakeWaha::start().await;
    let gateway = setup(&waha).start().await;
    let command = ["tenant", "connect", "2", "--phone", "+971 50 000 0009"];
    let told = connect(&gateway, &waha, &command, "tenant_2").await;
    assert!(told.contains("Type ABCD-ABCD on the phone") && told.contains("WORKING"), "{told}");
    let told = gateway.cli(&["tenant", "connect", "1", "--no-wait"]).await;
    assert!(told.ok().contains("SCAN_QR_CODE"), "{}", told.stdout);
    let nobody = gateway.cli(&["tenant", "connect", "9"]).await;
    assert!(!nobody.status.success() && nobody.stderr.contains("there is no tenant 9"), "{}", nobody.stderr);
}
