//! A brain run as plain Rust: no WebAssembly, a debugger works.

use std::marker::PhantomData;

use crate::brain::Brain;
use crate::conversation::{Answer, Ask, Subject};
use crate::fault::Fault;
use crate::logging;
use crate::refused::refused;
use crate::reply::Reply;
use crate::sources::{LogLine, Sources, with_sources};
use crate::turn::Turn;

/// The brain `B` as a [`Subject`].
#[derive(Debug)]
pub struct Native<B> {
    brain: PhantomData<B>,
    /// What the last turn wrote to the log.
    pub log: Vec<LogLine>,
    /// Are cuts left to the log, as in the gateway?
    pub(crate) lenient: bool,
}

impl<B> Default for Native<B> {
    fn default() -> Self {
        Native { brain: PhantomData, log: Vec::new(), lenient: false }
    }
}

impl<B> Clone for Native<B> {
    fn clone(&self) -> Self {
        Native { brain: PhantomData, log: self.log.clone(), lenient: self.lenient }
    }
}

impl<B: Brain> Subject for Native<B> {
    /// What WhatsApp would cut off is the fault `whatsapp-limits` here; what the gateway would not
    /// take at all is the fault `refused`.
    fn turn(&mut self, ask: &Ask) -> Result<Answer, Fault> {
        logging::install();
        let sources = Sources {
            personality: ask.personality.clone(),
            history: ask.history.clone(),
            collections: ask.collections.clone(),
            labels: ask.labels.clone(),
            referrals: ask.referrals.clone(),
            files: ask.files.clone(),
        };
        let turn = Turn::new(ask.trigger.clone(), ask.context.clone(), ask.memory.clone());
        let mut reply = Reply::new();
        let (result, log) = with_sources(sources, || B::handle(&turn, &mut reply));
        self.log = log;
        result?;
        let (actions, memory, cuts) = reply.finish();
        if let Some(why) = refused(&actions) {
            return Err(Fault::new("refused", why));
        }
        match cuts.first() {
            Some(cut) if !self.lenient => Err(Fault::new("whatsapp-limits", cut)),
            _ => Ok(Answer { actions, memory }),
        }
    }
}
