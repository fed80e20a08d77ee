//! The runner against a small brain: what holds passes, what does not says where and why.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use super::{Problem, parse, run};
use crate::action::ListMenu;
use crate::brain::Brain;
use crate::fault::Fault;
use crate::message::Trigger;
use crate::native::Native;
use crate::package::Package;
use crate::reply::Reply;
use crate::time::hours;
use crate::turn::Turn;

struct Clerk;

impl Brain for Clerk {
    fn handle(turn: &Turn, reply: &mut Reply) -> Result<(), Fault> {
        match (turn.trigger(), turn.said().as_deref()) {
            (Trigger::Started { attribution, .. }, _) => {
                reply.text(turn.phrase("welcome").with("from", attribution.as_deref().unwrap_or("nowhere")));
                reply.list(ListMenu::new("Choose", "Open").row("a", "Apples").row("b", "Bananas"));
                reply.lead_stage("new").lead_field("rooms", 2);
                reply.schedule("remind", turn.now() + hours(24), &"later")?;
            }
            (Trigger::Timer { key, payload }, _) => drop(reply.text(format!("{key} {payload}"))),
            (Trigger::Handback { said }, _) => drop(reply.text(format!("{} lines meanwhile", said.len()))),
            (_, Some("human")) => drop(reply.hand_off("asked for one")),
            (_, Some("bye")) => drop(reply.cancel("remind").end()),
            (_, Some("break")) => return Err(Fault::new("broken", "as asked")),
            (_, Some("photo")) => drop(reply.image("https://images.example.com/1.jpg", "A photo")),
            (_, said) => drop(reply.text(format!("heard {said:?}"))),
        }
        Ok(())
    }
}

fn play(text: &str) -> Result<(), Problem> {
    let package = Package {
        directory: PathBuf::new(),
        personality: Arc::new(json!({"welcome": {"en": "Hello from {from}", "fa": "سلام"}})),
        collections: Arc::default(),
        scripts: Vec::new(),
    };
    let scripts = parse::parse(text)?;
    scripts.iter().try_for_each(|script| run::run(script, &package, &mut Native::<Clerk>::default()))
}

#[test]
fn what_is_written_is_what_happens() {
    play(
        "zone: Europe/Berlin\ntime: 2026-03-02 09:00\n\
         start: instagram\nbot: hello FROM instagram\nbot: choose\nbot offers: bananas\n\
         bot offers exactly: Apples | Bananas\nbot never: cherries\nbot sends: list\n\
         lead stage: new\nlead rooms: 2\ntimer: remind\n\
         choose: 2\nbot exactly: heard Some(\"Bananas\")\n\
         contact: photo\nbot sends: image | photo\n\
         after: 1 day\nbot: remind \"later\"\nno timer: remind\n\
         contact: human\nhand off: asked\ncontact: are you there?\nbot is silent\nhuman: I am\n\
         hand back\nbot: 2 lines meanwhile\n\
         contact: break\nfault: broken\n\
         contact: bye\nended\n\
         == Another\nlanguage: fa\npersonality: welcome.fa = درود\nstart\nbot: درود\n",
    )
    .unwrap_or_else(|problem| panic!("{}: {}", problem.line, problem.message));
}

#[test]
fn what_does_not_hold_says_where_and_why() {
    for (text, line, part) in [
        (
            "start\nbot: Goodbye",
            2,
            "expected the bot to say \"Goodbye\"; this was said and done:\n    text: Hello",
        ),
        ("start\nbot: Choose\nbot: Hello", 3, "expected the bot to say \"Hello\""),
        ("start\nbot exactly: hello from nowhere", 2, "exactly"),
        ("start\nbot never: hello", 2, "not to say"),
        ("start\nbot offers: Cherries", 2, "the choices Cherries"),
        ("start\nbot offers exactly: Apples", 2, "exactly the choices Apples"),
        ("start\nbot sends: image", 2, "kind image"),
        ("start\nbot is silent", 2, "say nothing"),
        ("start\nlead stage: old", 2, "the lead's stage is \"new\", not \"old\""),
        ("start\nlead rooms: 3", 2, "the lead's rooms is 2, not 3"),
        ("start\ntimer: other", 2, "no timer `other`"),
        ("start\nno timer: remind", 2, "is set for 2026-03-03T05:00:00Z"),
        ("start\nhand off", 2, "not handed to a human"),
        ("start\nended", 2, "not ended"),
        ("start\nfault: broken", 2, "expected the fault `broken`"),
        ("start\nchoose: Cherries\nbot: x", 2, "not offered; offered is Apples | Bananas"),
        ("start\ncontact: break", 2, "the turn failed: broken: as asked"),
        ("start\ncontact: break\nbot: hi", 3, "the turn failed: broken: as asked"),
        ("contact: break\nfault: other", 2, "expected the fault `other`, it was broken"),
    ] {
        let problem = play(text).expect_err(text);
        assert_eq!(problem.line, line, "{text}");
        assert!(problem.message.contains(part), "{text}: {}", problem.message);
    }
}
