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
