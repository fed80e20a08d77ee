//! The conversations written down beside the bundled brains, on their built components.

use switchboard::brain::script::test_package;

use super::*;

async fn check(package: &str, built: &str) {
    let workshop = Workshop::new();
    let source = workspace().join("plugins").join(package);
    let directory = workshop.plugins().join(package);
    copy(&source, &directory);
    std::fs::write(directory.join("brain.wasm"), component(built)).expect("written");
    let settings = Settings { limits: ResolvedLimits::default(), ..workshop.settings() };
    let report = test_package(&directory, settings).await.expect("the package is sound");
    assert!(report.is_success(), "{report}");
    assert!(!report.passed.is_empty(), "{package} has no conversation written down");
}

/// A package without its sources.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("the package is there") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if !entry.file_type().expect("a type").is_dir() {
            std::fs::copy(entry.path(), target).expect("copied");
        } else if ["tests", "collections"].iter().any(|name| entry.file_name() == *name) {
            copy(&entry.path(), &target);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn echo_goes_as_written() {
    check("echo", "echo").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_estate_goes_as_written() {
    check("real-estate", "real_estate").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_that_does_not_hold_is_told_by_its_line() {
    let workshop = Workshop::hostile();
    workshop.write(
        "hostile/tests",
        "wrong.chat",
        b"== Wrong\nstart\nbot: hostile is ready\ncontact: hi\nbot: bye\n",
    );
    let report = test_package(&workshop.plugins().join("hostile"), workshop.settings()).await.expect("sound");
    assert_eq!(report.failures.len(), 1, "{report}");
    assert_eq!(report.failures[0].line, 5, "{report}");
    assert!(report.to_string().contains("heard: hi"), "{report}");
}
