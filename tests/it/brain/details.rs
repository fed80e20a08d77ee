//! What the contract's records have no field for, and the bytes of files, as a brain is shown them.

use async_trait::async_trait;
use switchboard::brain::{FileInfo, FileRefused};
use switchboard::message::Referral;

use super::*;

const HANDLE: &str = "file-0123456789abcdef0123456789abcdef";

/// One file of two megabytes.
struct OneFile;

#[async_trait]
impl Sources for OneFile {
    async fn history(&self, _limit: usize) -> Result<Vec<HistoryEntry>, String> {
        Ok(Vec::new())
    }

    async fn collection(&self, _name: &str) -> Result<Option<Arc<Vec<Value>>>, String> {
        Ok(None)
    }

    async fn has_file(&self, handle: &str) -> bool {
        handle == HANDLE
    }

    async fn describe_file(&self, handle: &str) -> Result<FileInfo, FileRefused> {
        if handle != HANDLE {
            return Err(FileRefused::unknown(handle));
        }
        Ok(FileInfo { mime_type: "image/jpeg".into(), size: 2 << 20 })
    }

    async fn read_file(&self, handle: &str, _offset: u64, length: u32) -> Result<Vec<u8>, FileRefused> {
        self.describe_file(handle).await?;
        Ok(vec![b'x'; length as usize])
    }
}

fn told(answer: &Answer) -> Vec<(String, String)> {
    let calls = answer.host_calls.iter().filter(|call| !call.function.starts_with("log."));
    calls.map(|call| (call.function.clone(), call.answer.clone())).collect()
}

#[tokio::test]
async fn labels_and_what_led_to_a_message() {
    let workshop = Workshop::hostile();
    let brains = workshop.open().await;
    let mut labelled = tenant(2, "hostile");
    labelled.labels = [("chatbot_id", "12"), ("user_id", "7")]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let answer = brains.handle(ask_of(labelled, "labels")).await.expect("answers");
    assert_eq!(texts(&answer), ["chatbot_id=12 user_id=7"]);
    let recorded = ("details.labels".to_owned(), r#"{"chatbot_id":"12","user_id":"7"}"#.to_owned());
    assert_eq!(told(&answer), [recorded]);
    assert_eq!(says(&brains, "hostile", "referral").await, "none");
    let mut led = ask("hostile", "referral");
    if let Trigger::Messages { messages } = &mut led.trigger {
        let click_id = Some("click-1".to_owned());
        messages[0].referral = Some(Referral { kind: "ad".into(), click_id, ..Referral::default() });
    }
    let answer = brains.handle(led).await.expect("answers");
    assert_eq!(texts(&answer), ["click-1"]);
    let recorded = ("details.referral".to_owned(), r#"{"kind":"ad","click_id":"click-1"}"#.to_owned());
    assert_eq!(told(&answer), [recorded]);
}

#[tokio::test]
async fn files_come_in_pieces_of_a_megabyte() {
    let workshop = Workshop::hostile();
    let brains = workshop.open().await;
    let with_file = |text: String| Ask { sources: Arc::new(OneFile), ..ask("hostile", &text) };
    let answer = brains.handle(with_file(format!("read-much {HANDLE}"))).await.expect("answers");
    assert_eq!(texts(&answer), ["1048576"]);
    let recorded = &answer.host_calls.last().expect("a call").answer;
    assert!(recorded.starts_with(r#"{"bytes":1048576,"sha256":""#), "by length and digest: {recorded}");
    let answer = brains.handle(with_file(format!("describe {HANDLE}"))).await.expect("answers");
    assert_eq!(texts(&answer), ["image/jpeg of 2097152 bytes"]);
    // A handle of the tenant's may be sent on; one that it does not have may not.
    let answer = brains.handle(with_file(format!("forward {HANDLE}"))).await.expect("answers");
    assert!(matches!(&answer.sends[0].content, OutboundContent::Media(media) if media.source == HANDLE));
    let other = HANDLE.replace('0', "1");
    let failure = brains.handle(with_file(format!("forward {other}"))).await.expect_err("refused");
    assert!(failure.message.ends_with("nor the handle of a file that this tenant has"), "{failure}");
    assert_eq!(says(&brains, "hostile", &format!("read {HANDLE}")).await, "unknown-file");
}
