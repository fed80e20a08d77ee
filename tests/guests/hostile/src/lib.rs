//! A brain that does, on command, everything a brain must not do. The command is the text of the
//! message; anything else is answered normally.

mod attack;
mod peek;

use serde::{Deserialize, Serialize};
use switchboard_sdk::{Brain, Content, Fault, Reply, Template, TemplateParameter, Trigger, Turn};

struct Hostile;

#[derive(Default, Serialize, Deserialize)]
struct Memory {
    word: Option<String>,
}

impl Brain for Hostile {
    fn handle(turn: &Turn, reply: &mut Reply) -> Result<(), Fault> {
        match turn.trigger() {
            Trigger::Started { .. } => reply.text(turn.phrase("welcome")),
            Trigger::Timer { key, .. } => reply.text(format!("timer: {key}")),
            Trigger::Handback { said } => reply.text(format!("handback: {} said", said.len())),
            Trigger::Receipt { message_id, .. } => reply.text(format!("receipt: {message_id}")),
            Trigger::Messages { .. } => return answer(turn, reply),
        };
        Ok(())
    }

    /// Says where the memory came from; refuses one that asks for it.
    fn migrate(from_version: &str, memory: String) -> Result<String, Fault> {
        let old: Memory = serde_json::from_str(&memory)?;
        match old.word.as_deref() {
            Some("unmovable") => Err(Fault::new("by-command", "this memory does not migrate")),
            word => {
                let word = Some(format!("{} from {from_version}", word.unwrap_or("nothing")));
                Ok(serde_json::to_string(&Memory { word })?)
            }
        }
    }

    /// Fails while the personality's `selftest_fails` is true.
    fn selftest() -> Result<(), Fault> {
        if switchboard_sdk::setting::<bool>("selftest_fails")?.unwrap_or_default() {
            return Err(Fault::new("by-command", "the personality's `selftest_fails` is true"));
        }
        Ok(())
    }
}

fn answer(turn: &Turn, reply: &mut Reply) -> Result<(), Fault> {
    // A card comes back as it is.
    if let Some(Content::Contacts { contacts }) = turn.messages().first().map(|message| &message.content) {
        reply.contacts(contacts.iter().cloned());
        return Ok(());
    }
    let said = turn.said().unwrap_or_default();
    let (command, rest) = said.split_once(' ').unwrap_or((&said, ""));
    match command {
        "trap" => attack::trap(),
        "panic" => panic!("the hostile brain panics on command"),
        "panic-with" => panic!("{rest}"),
        "print" => {
            println!("{rest}");
            eprintln!("{rest}");
            log::info!("{rest}");
            reply.text("printed");
        }
        "spin" => attack::spin(),
        "sleep" => attack::spin_on_the_clock(),
        "nap" => std::thread::sleep(std::time::Duration::from_secs(3_600)),
        "bomb" => attack::bomb(),
        "deep" => drop(reply.text(format!("came back from {}", attack::deep(1)))),
        "flood" => attack::flood(reply),
        "long" => drop(reply.uncut().text("long ".repeat(200 << 10))),
        "memory" => drop(reply.text("memory").remember(&"m".repeat(1 << 20))?),
        "huge" => drop(reply.text("huge").remember(&"m".repeat(10 << 20))?),
        "badjson" => drop(reply.text("badjson").remember_raw("{\"not\": json")),
        "calls" => attack::calls(turn),
        "log" => attack::fill_the_log(),
        "fault" => return Err(Fault::new("by-command", "a fault on command")),
        "retryable" => return Err(Fault::retryable("by-command", "a retryable fault on command")),
        "retryable-once" => {
            if turn.setting::<bool>("fail")?.unwrap_or_default() {
                return Err(Fault::retryable("by-command", "the personality's `fail` is true"));
            }
            reply.text("went well");
        }
        "static" => drop(reply.text(attack::count().to_string())),
        "describe" => drop(reply.text(peek::described(&peek::handle(turn, rest)))),
        "read" => drop(reply.text(peek::bytes(&peek::handle(turn, rest)))),
        "read-much" => drop(reply.text(peek::piece(&peek::handle(turn, rest)))),
        "handle" => drop(reply.text(peek::handle(turn, rest))),
        "forward" => drop(reply.image(peek::handle(turn, rest), "forwarded")),
        "template" => {
            let (name, language) = ("villa".to_owned(), "en".to_owned());
            let header = TemplateParameter { name: "header".to_owned(), value: peek::handle(turn, rest) };
            reply.template(Template { name, language, parameters: vec![header] });
        }
        "labels" => drop(reply.text(peek::labels(turn))),
        "referral" => drop(reply.text(peek::referral(turn))),
        "peek" => drop(reply.text(peek::report())),
        "remember" => drop(reply.text("remembered").remember(&Memory { word: Some(rest.to_owned()) })?),
        "recall" => {
            let memory: Memory = turn.memory()?;
            reply.text(memory.word.unwrap_or_else(|| "nothing".to_owned()));
        }
        _ => drop(reply.text(format!("heard: {said}"))),
    }
    Ok(())
}

switchboard_sdk::export!(Hostile with migrate, selftest);

#[cfg(test)]
mod tests {
    use switchboard_sdk::{Bot, Brain, ContactCard, Content, Referral};

    use super::Hostile;

    #[test]
    fn what_is_not_a_command_is_answered() {
        let mut bot = Bot::<Hostile>::new();
        bot.starts().expect_exactly("hostile is ready");
        bot.says("good morning").expect_exactly("heard: good morning");
        bot.says("recall").expect_exactly("nothing");
        bot.says("remember a red door").expect_exactly("remembered");
        bot.says("recall").expect_exactly("a red door");
    }

    #[test]
    fn faults_are_as_commanded() {
        let mut bot = Bot::<Hostile>::new();
        assert!(!bot.says("fault").expect_fault("by-command").retryable);
        assert!(bot.says("retryable").expect_fault("by-command").retryable);
        assert!(bot.says("retryable-once").expect_fault("by-command").retryable);
        Bot::<Hostile>::new().personality("fail", false).says("retryable-once").expect_exactly("went well");
    }

    #[test]
    fn cards_come_back() {
        let mut bot = Bot::<Hostile>::new();
        let card = ContactCard::new("Jane Doe").phone("+971 50 123 4567").organization("Homes");
        bot.sends(Content::Contacts { contacts: vec![card] }).expect_contact("Jane Doe");
    }

    #[test]
    fn files_labels_and_referrals() {
        let mut bot = Bot::<Hostile>::new().label("user_id", "7").file("file-1", "text/plain", "hello");
        bot.says("describe file-1").expect_exactly("text/plain of 5 bytes");
        bot.says("read file-1").expect_exactly("hello");
        bot.says("read file-2").expect_exactly("unknown-file");
        bot.says("labels").expect_exactly("user_id=7");
        bot.says("referral").expect_exactly("none");
        let click_id = Some("click-1".to_owned());
        bot.led_by(Referral { kind: "ad".into(), click_id, ..Referral::default() });
        bot.says("referral").expect_exactly("click-1");
        bot.says("referral").expect_exactly("none");
    }

    #[test]
    fn memories_migrate_unless_they_say_no() {
        let moved = Hostile::migrate("0.0.9", r#"{"word":"door"}"#.into()).expect("moves");
        assert_eq!(moved, r#"{"word":"door from 0.0.9"}"#);
        let stays = Hostile::migrate("0.0.9", r#"{"word":"unmovable"}"#.into());
        assert_eq!(stays.expect_err("stays").code, "by-command");
    }

    #[test]
    fn floods_are_floods() {
        let mut bot = Bot::<Hostile>::new();
        assert_eq!(bot.says("flood").actions().len(), 10_000);
        assert!(bot.says("long").actions().len() == 1);
        bot.says("badjson").expect("badjson");
        assert!(
            serde_json::from_str::<serde_json::Value>(bot.conversation().memory.as_deref().unwrap_or("1"))
                .is_err()
        );
    }
}
