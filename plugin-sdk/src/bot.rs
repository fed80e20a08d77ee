//! The native test harness: talk to a brain, say what you expect.
//!
//! ```no_run
//! # use switchboard_sdk::{Bot, hours, Brain, Packaged};
//! # fn test<MyBrain: Brain + Packaged>() {
//! let mut bot = Bot::<MyBrain>::new();
//! bot.starts().expect("Welcome").expect_choices(["Buy", "Rent"]);
//! bot.chooses("rent").expect("Where?");
//! bot.after(hours(25)).expect("Still looking?");
//! # }
//! ```

use serde_json::Value;

use crate::action::Action;
use crate::brain::{Brain, Packaged};
use crate::conversation::{Conversation, Subject};
use crate::fault::Fault;
use crate::message::{Content, Location, Media, MediaKind, Referral, Trigger};
use crate::native::Native;
use crate::package::Package;
use crate::replies::Replies;
use crate::sources::{File, LogLine};
use crate::time::Span;

/// A brain in a conversation. Cloning it forks the conversation.
#[derive(Debug)]
pub struct Bot<B> {
    subject: Native<B>,
    conversation: Conversation,
}

impl<B> Clone for Bot<B> {
    fn clone(&self) -> Self {
        Bot { subject: self.subject.clone(), conversation: self.conversation.clone() }
    }
}

impl<B: Packaged> Bot<B> {
    /// With the personality and the test collections of the brain's package.
    ///
    /// # Panics
    /// When a file of the package does not read.
    #[track_caller]
    #[expect(clippy::new_without_default, reason = "it reads files and panics; a default must not")]
    pub fn new() -> Self {
        match Package::open(B::DIRECTORY) {
            Ok(package) => Bot::in_conversation(package.conversation()),
            Err(error) => panic!("{error}"),
        }
    }
}

impl<B: Brain> Bot<B> {
    pub fn in_conversation(conversation: Conversation) -> Self {
        Bot { subject: Native::default(), conversation }
    }

    /// The tenant's language, and the contact's.
    pub fn language(mut self, language: &str) -> Self {
        self.conversation.speak(language);
        self
    }

    /// The contact's name for themselves.
    pub fn named(mut self, name: &str) -> Self {
        self.conversation.contact.display_name = Some(name.into());
        self
    }

    /// Lays a value over the personality at a dotted path.
    pub fn personality(mut self, path: &str, value: impl Into<Value>) -> Self {
        self.conversation.set_personality(path, value.into());
        self
    }

    /// Records of one of the tenant's collections, instead of the package's.
    pub fn collection(mut self, name: &str, records: Vec<Value>) -> Self {
        std::sync::Arc::make_mut(&mut self.conversation.collections).insert(name.into(), records);
        self
    }

    /// What the operator's other systems call the tenant.
    pub fn label(mut self, name: &str, value: &str) -> Self {
        std::sync::Arc::make_mut(&mut self.conversation.labels).insert(name.into(), value.into());
        self
    }

    /// A file that the gateway has, by its handle.
    pub fn file(mut self, handle: &str, mime_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let file = File { mime_type: mime_type.into(), bytes: bytes.into() };
        std::sync::Arc::make_mut(&mut self.conversation.files).insert(handle.into(), file);
        self
    }

    /// The contact's next message comes from this advertisement or post.
    pub fn led_by(&mut self, referral: Referral) -> &mut Self {
        self.conversation.led_by = Some(referral);
        self
    }

    pub fn seed(mut self, seed: u64) -> Self {
        self.conversation.seed = seed;
        self
    }

    /// The memory as another version, or an accident, may have left it.
    pub fn memory(mut self, memory: &str) -> Self {
        self.conversation.memory = Some(memory.into());
        self
    }

    pub fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    pub fn conversation_mut(&mut self) -> &mut Conversation {
        &mut self.conversation
    }

    /// What the last turn wrote to the log.
    pub fn log(&self) -> &[LogLine] {
        &self.subject.log
    }

    /// The contact opens the tenant's deep link.
    pub fn starts(&mut self) -> Replies<'_> {
        self.starts_with(None, "")
    }

    pub fn starts_from(&mut self, attribution: &str) -> Replies<'_> {
        self.starts_with(Some(attribution), "")
    }

    /// With words after the link.
    pub fn starts_with(&mut self, attribution: Option<&str>, text: &str) -> Replies<'_> {
        self.run(|conversation, subject| conversation.start(subject, attribution, text))
    }

    pub fn says(&mut self, text: &str) -> Replies<'_> {
        self.sends(Content::from_text(text))
    }

    /// Several messages in one turn.
    pub fn says_together<'t>(&mut self, texts: impl IntoIterator<Item = &'t str>) -> Replies<'_> {
        let contents: Vec<Content> = texts.into_iter().map(Content::from_text).collect();
        self.run(|conversation, subject| conversation.receive(subject, contents))
    }

    pub fn sends(&mut self, content: Content) -> Replies<'_> {
        self.run(|conversation, subject| conversation.receive(subject, [content]))
    }

    /// Presses a button or a row by its id, title or number.
    ///
    /// # Panics
    /// When the last message that offered something did not offer this.
    #[track_caller]
    pub fn chooses(&mut self, which: &str) -> Replies<'_> {
        let Some(choice) = self.conversation.offer(which) else {
            panic!("`{which}` is not offered; offered is {:?}", self.conversation.offered());
        };
        self.sends(Content::Choice(choice))
    }

    /// Time passes; timers that become due run.
    pub fn after(&mut self, span: Span) -> Replies<'_> {
        self.run(|conversation, subject| conversation.pass(subject, span))
    }

    /// A human colleague, who has taken over, gives the conversation back.
    pub fn is_handed_back(&mut self) -> Replies<'_> {
        self.run(|conversation, subject| conversation.hand_back(subject))
    }

    pub fn triggers(&mut self, trigger: Trigger) -> Replies<'_> {
        self.run(|conversation, subject| conversation.turn(subject, trigger))
    }

    /// Sends, from where the conversation stands, what strangers send: nothing, far too much, marks,
    /// markup, files without a file, things without a name. Each must be answered, without a fault. The conversation stays as it is.
    ///
    /// # Panics
    /// When one is not.
    #[track_caller]
    pub fn survives_anything(&self) {
        for content in strange() {
            let shown: String = format!("{content:?}").chars().take(80).collect();
            let mut fork = self.clone();
            // Whoever sends a book may get a cut answer.
            fork.subject.lenient = true;
            let before = fork.conversation.mode;
            match fork.conversation.receive(&mut fork.subject, [content]) {
                Err(fault) => panic!("{shown}: fault {fault}"),
                Ok(actions) => {
                    let answered = actions.iter().any(|action| matches!(action, Action::Send(_)));
                    assert!(answered || before == crate::conversation::Mode::Human, "{shown}: no answer");
                }
            }
        }
    }

    fn run(
        &mut self,
        step: impl FnOnce(&mut Conversation, &mut dyn Subject) -> Result<Vec<Action>, Fault>,
    ) -> Replies<'_> {
        let result = step(&mut self.conversation, &mut self.subject);
        Replies::new(result, &self.conversation)
    }
}

fn strange() -> Vec<Content> {
    let media = |kind, handle: &str| {
        let handle = handle.to_owned();
        Content::Media(Media { kind, handle, mime_type: None, filename: None, caption: None, size: None })
    };
    let mut strange: Vec<Content> = [
        "",
        " \n\t ",
        "\u{202e}\u{200f}\u{feff}",
        "0",
        "-1",
        "99999999999999999999999999",
        "1e999",
        "{\"type\":\"choice\",\"id\":\"../../etc\"}",
        "{name} {0} %s ${HOME}",
        "<script>alert(1)</script>",
        "'; DROP TABLE leads; --",
        "👩‍👩‍👧‍👦👍🏽",
        "z̸̢̛̖a̷l̶g̵o̷",
        "\0\u{1}\u{7f}",
        "٩٩٩ ۹۹۹ ९९९",
    ]
    .into_iter()
    .map(Content::from_text)
    .collect();
    strange.push(Content::from_text("a very long story ".repeat(5_000)));
    strange.push(Content::from_text("9".repeat(10_000)));
    strange.push(Content::Choice(crate::message::Choice::new("no-such-id:☃", "")));
    strange.push(Content::Choice(crate::message::Choice::new("", "Something old")));
    for kind in
        [MediaKind::Image, MediaKind::Video, MediaKind::Voice, MediaKind::Document, MediaKind::Sticker]
    {
        strange.push(media(kind, ""));
    }
    strange.push(Content::Location(Location {
        latitude: f64::NAN,
        longitude: 1e300,
        name: None,
        address: None,
    }));
    strange.push(Content::Contacts { contacts: Vec::new() });
    strange.push(Content::Unknown { kind: "hologram".into(), data: "not json".into() });
    strange
}
