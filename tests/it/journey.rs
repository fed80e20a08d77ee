//! What the whole thing is for: a contact opens an agent's link and ends with a viewing booked,
//! through the webhook and in the terminal, in three languages; and what a tenant changes is there in
//! the very next message.

use std::time::Duration;

use serde_json::Value;
use switchboard::conversation::Lead;
use switchboard::message::{ContactKey, OrganizationId};
use switchboard_tests::gateway::{Gateway, Setup};
use switchboard_tests::hook::{Hook, text};
use switchboard_tests::package::{built, relabelled};
use switchboard_tests::waha::{FakeWaha, Sent};

const ANSWER: Duration = Duration::from_secs(20);

/// The committed demo: its tenants and homes, with a number at this WAHA.
async fn demo(waha: &FakeWaha) -> Gateway {
    Setup::demo()
        .package("echo")
        .package("real-estate")
        .sender(&format!(
            "name = 'main'\nprovider = 'waha'\naccount = 'default'\nbase_url = '{}'\napi_key = '{}'\nauth = 'none'",
            waha.url(),
            waha.api_key()
        ))
        .sender("name = 'simulator'\nprovider = 'simulator'\naccount = 'simulator'")
        .start()
        .await
}

/// A person who answers what they read.
struct Contact<'w> {
    hook: Hook,
    waha: &'w FakeWaha,
    phone: &'static str,
    said: i64,
    /// Messages read so far.
    read: usize,
}

impl<'w> Contact<'w> {
    fn new(gateway: &Gateway, waha: &'w FakeWaha, phone: &'static str) -> Self {
        Contact { hook: Hook::to(gateway), waha, phone, said: 0, read: 0 }
    }

    /// Says it and reads on until a message has this in it.
    async fn says(&mut self, words: &str, expected: &str) -> String {
        self.said += 1;
        let message = text(self.phone, &format!("3EB0{}{:04}", self.phone, self.said), words);
        let answer = self.hook.say(&message).await;
        assert_eq!(answer["status"], "routed", "{words}: {answer}");
        self.reads(expected).await
    }

    async fn reads(&mut self, expected: &str) -> String {
        let chat = format!("{}@c.us", self.phone);
        let from = self.read;
        let find = |sent: &[Sent]| {
            let own = sent.iter().filter(|sent| sent.chat == chat).map(|sent| words_of(&sent.body));
            own.enumerate().skip(from).find(|(_, words)| words.contains(expected))
        };
        let what = format!("a message with {expected:?} after the first {from}");
        let sent = self.waha.wait_until(&what, ANSWER, |sent| find(sent).is_some()).await;
        let (place, words) = find(&sent).expect("it was waited for");
        self.read = place + 1;
        words
    }
}

/// The text, or a picture's caption.
fn words_of(body: &Value) -> String {
    body["text"].as_str().or(body["caption"].as_str()).unwrap_or_default().to_owned()
}

/// What the organization knows of a contact; the gateway is stopped for it.
async fn lead_of(gateway: &mut Gateway, phone: &str) -> Lead {
    let status = gateway.stop().await;
    assert!(status.success(), "the gateway ended with {status}");
    let store = gateway.open_store().await;
    let lead =
        store.lead(OrganizationId(1), &ContactKey::from_stored(phone)).await.expect("the lead is read");
    lead.expect("there is a lead")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_link_to_a_booked_viewing_in_english() {
    let waha = FakeWaha::start().await;
    let mut gateway = demo(&waha).await;
    let mut contact = Contact::new(&gateway, &waha, "971501234567");
    let welcome = contact.says("start_realty_2-instagram", "Layla").await;
    assert!(welcome.contains("Marina Homes"), "{welcome}");
    contact.says("English", "Rent").await;
    contact.says("Buy", "What kind of home").await;
    contact.says("Apartment", "How many bedrooms").await;
    contact.says("2", "Which area").await;
    contact.says("Dubai Marina", "your budget").await;
    contact.says("any budget", "I found").await;
    assert!(waha.sent().iter().any(|sent| sent.path == "/api/sendImage"), "homes come with photos");
    contact.says("1", "Book a viewing").await;
    contact.says("Book a viewing", "On which day").await;
    contact.says("1", "At what time").await;
    contact.says("1", "Yes, book it").await;
    contact.says("yes", "Your viewing is booked").await;
    assert_eq!(waha.refused(), [], "WAHA took every reply");

    let lead = lead_of(&mut gateway, "971501234567").await;
    assert_eq!(lead.stage, "viewing", "{lead:?}");
    assert_eq!(lead.fields["area"], "Dubai Marina", "{lead:?}");
    assert!(lead.fields["viewing_at"].is_string(), "{lead:?}");
    assert_eq!(lead.threads[&2].source.as_deref(), Some("instagram"), "{lead:?}");
}

/// One sentence answers several questions at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn free_text_fills_several_answers() {
    let waha = FakeWaha::start().await;
    let gateway = demo(&waha).await;
    let mut contact = Contact::new(&gateway, &waha, "971501234568");
    contact.says("start_realty_2", "Layla").await;
    contact.says("I want to buy a 2-bedroom apartment in Dubai Marina under 2M", "I found").await;
    contact.says("start over", "buy or to rent").await;
    contact.says("agent", "agents").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_link_to_a_booked_viewing_in_arabic() {
    let waha = FakeWaha::start().await;
    let mut gateway = demo(&waha).await;
    let mut contact = Contact::new(&gateway, &waha, "971501234569");
    contact.says("start_realty_2", "Layla").await;
    contact.says("العربية", "الشراء أم الإيجار").await;
    contact.says("شراء", "ما نوع العقار").await;
    contact.says("شقة", "كم عدد غرف النوم").await;
    contact.says("غرفتين", "أي منطقة").await;
    contact.says("بالمارينا", "ما ميزانيتك").await;
    contact.says("٢ مليون", "وجدت").await;
    contact.says("١", "حجز معاينة").await;
    contact.says("حجز معاينة", "في أي يوم").await;
    contact.says("١", "1. ").await;
    contact.says("١", "نعم").await;
    contact.says("نعم", "تم حجز معاينتك").await;
    assert_eq!(lead_of(&mut gateway, "971501234569").await.stage, "viewing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_link_to_a_booked_viewing_in_persian() {
    let waha = FakeWaha::start().await;
    let mut gateway = demo(&waha).await;
    let mut contact = Contact::new(&gateway, &waha, "971501234572");
    contact.says("start_realty_55", "Nima").await;
    contact.says("فارسی", "خرید").await;
    contact.says("اجاره", "چه نوع ملکی").await;
    contact.says("آپارتمان", "چند اتاق خواب").await;
    contact.says("۱", "کدام محله").await;
    contact.says("بیزینس بی", "بودجه").await;
    contact.says("تا ۱۰۰ هزار", "ملک پیدا کردم").await;
    contact.says("۱", "گرفتن وقت بازدید").await;
    contact.says("گرفتن وقت بازدید", "چه روزی").await;
    contact.says("۱", "1. ").await;
    contact.says("۱", "بله").await;
    contact.says("بله", "بازدید شما ثبت شد").await;
    assert_eq!(lead_of(&mut gateway, "971501234572").await.stage, "viewing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_link_to_a_booked_viewing_in_the_terminal() {
    let waha = FakeWaha::start().await;
    let mut gateway = demo(&waha).await;
    let script = "English\nBuy\nApartment\n2\nDubai Marina\nany budget\n1\nBook a viewing\n1\n1\nyes\n";
    let told = gateway.cli_with_input(&["chat", "--tenant", "2", "--as", "971501234570"], script).await;
    let shown = told.ok();
    for expected in ["Layla", "How many bedrooms", "I found", "On which day", "Your viewing is booked"] {
        assert!(shown.contains(expected), "{expected:?} is missing in:\n{shown}");
    }
    assert_eq!(lead_of(&mut gateway, "971501234570").await.stage, "viewing");
    assert_eq!(waha.requests(), 0, "the terminal is no WhatsApp");
}

/// What a tenant uploads is used by the next message; going back works the same way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_shows_in_the_next_message() {
    let waha = FakeWaha::start().await;
    let gateway = demo(&waha).await;
    let mut contact = Contact::new(&gateway, &waha, "971501234571");
    contact.says("start_realty_1", "Hello!").await;
    contact.says("one", "You said: one (message 1)").await;

    let texts = gateway.package_dir("echo").join("personality.toml");
    let louder = std::fs::read_to_string(texts).expect("it is there").replace("You said:", "YOU SAID:");
    let file = gateway.dir().join("louder.toml");
    std::fs::write(&file, louder).expect("a file in a temporary directory");
    let file = file.to_str().expect("the path is text");
    gateway.cli(&["personality", "push", "--tenant", "1", file]).await.ok();
    contact.says("two", "YOU SAID: two (message 2)").await;

    // What is no brain changes nothing.
    let refused = gateway.cli(&["brain", "push", "--tenant", "1", file]).await;
    assert!(!refused.status.success(), "{refused:?}");
    contact.says("three", "YOU SAID: three (message 3)").await;

    let older = push(&gateway, "older").await;
    contact.says("four", "YOU SAID: four (message 4)").await;
    let newer = push(&gateway, "newer").await;
    assert_ne!(older, newer);
    contact.says("five", "YOU SAID: five (message 5)").await;
    gateway.cli(&["brain", "rollback", "--tenant", "1"]).await.ok();
    assert_eq!(live(&gateway, 1).await, older);
    contact.says("six", "YOU SAID: six (message 6)").await;
}

/// Uploads the echo under a digest of its own, which is live then.
async fn push(gateway: &Gateway, label: &str) -> String {
    let file = gateway.dir().join(format!("{label}.wasm"));
    std::fs::write(&file, relabelled(&built("echo"), label)).expect("a file in a temporary directory");
    gateway.cli(&["brain", "push", "--tenant", "1", file.to_str().expect("the path is text")]).await.ok();
    live(gateway, 1).await
}

/// The digest that answers for a tenant.
async fn live(gateway: &Gateway, tenant: u32) -> String {
    let told = gateway.get(&format!("/api/tenants/{tenant}/brain")).await.ok();
    told["digest"].as_str().unwrap_or_else(|| panic!("nothing is live: {told}")).to_owned()
}
