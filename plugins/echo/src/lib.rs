//! The tutorial brain: it greets, says back what it hears, and counts.

use switchboard_sdk::{Brain, Fault, Reply, Trigger, Turn};

struct Echo;

impl Brain for Echo {
    fn handle(turn: &Turn, reply: &mut Reply) -> Result<(), Fault> {
        let heard: u32 = turn.memory()?;
        match (turn.trigger(), turn.said()) {
            (Trigger::Started { .. }, _) => reply.text(turn.phrase("welcome")),
            (Trigger::Messages { .. }, Some(said)) => {
                reply.text(turn.phrase("echo").with("said", said).with("number", heard + 1));
                reply.remember(&(heard + 1))?
            }
            (Trigger::Messages { .. }, None) => reply.text(turn.phrase("not_text")),
            _ => reply,
        };
        Ok(())
    }
}

switchboard_sdk::export!(Echo);

#[cfg(test)]
mod tests {
    use switchboard_sdk::{Bot, script};

    use super::Echo;

    #[test]
    fn scripts() {
        script::assert_all::<Echo>();
    }

    #[test]
    fn it_says_back_what_it_hears() {
        let mut bot = Bot::<Echo>::new();
        bot.starts().expect("Hello!");
        bot.says("hi").expect_exactly("You said: hi (message 1)");
        bot.survives_anything();
    }
}
