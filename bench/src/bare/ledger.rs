//! The bare limit's store: one thread that writes, groups what has queued up into one durable
//! two-phase commit, and answers each. The same durability as the gateway's, none of its meaning.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use anyhow::{Context as _, Result};
use redb::{Database, Durability, ReadableDatabase as _, TableDefinition};
use tokio::sync::oneshot;

const DEDUP: TableDefinition<'_, &str, u64> = TableDefinition::new("dedup");
const INBOX: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("inbox");
const MEMORY: TableDefinition<'_, &str, &str> = TableDefinition::new("memory");
const OUTBOX: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("outbox");

/// As the gateway's own defaults.
const QUEUE: usize = 16_384;
const GROUP: usize = 1024;
const CACHE_BYTES: usize = 256 << 20;

enum Op {
    Accept {
        message_id: String,
        entry: Vec<u8>,
        done: oneshot::Sender<Option<u64>>,
    },
    Turn {
        inbox: u64,
        contact: String,
        memory: Option<String>,
        replies: Vec<Vec<u8>>,
        done: oneshot::Sender<Vec<u64>>,
    },
    Settle {
        outbox: u64,
        done: oneshot::Sender<()>,
    },
}

#[derive(Clone)]
pub struct Ledger {
    database: Arc<Database>,
    writer: SyncSender<Op>,
}

impl Ledger {
    pub fn open(file: &Path) -> Result<Self> {
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create(file)
            .with_context(|| format!("cannot create {}", file.display()))?;
        let database = Arc::new(database);
        let mut sequence = 0;
        apply(&database, &mut Vec::new(), &mut sequence)?;
        let (writer, queue) = sync_channel(QUEUE);
        let writing = database.clone();
        std::thread::Builder::new().name("writer".into()).spawn(move || write(&writing, &queue, sequence))?;
        Ok(Ledger { database, writer })
    }

    /// The entry's number; `None` for a message that is there already.
    pub async fn accept(&self, message_id: String, entry: Vec<u8>) -> Result<Option<u64>> {
        let (done, answer) = oneshot::channel();
        self.queue(Op::Accept { message_id, entry, done })?;
        Ok(answer.await?)
    }

    /// The numbers of the replies.
    pub async fn turn(
        &self,
        inbox: u64,
        contact: String,
        memory: Option<String>,
        replies: Vec<Vec<u8>>,
    ) -> Result<Vec<u64>> {
        let (done, answer) = oneshot::channel();
        self.queue(Op::Turn { inbox, contact, memory, replies, done })?;
        Ok(answer.await?)
    }

    pub async fn settle(&self, outbox: u64) -> Result<()> {
        let (done, answer) = oneshot::channel();
        self.queue(Op::Settle { outbox, done })?;
        Ok(answer.await?)
    }

    pub fn memory(&self, contact: &str) -> Result<Option<String>> {
        let table = self.database.begin_read()?.open_table(MEMORY)?;
        Ok(table.get(contact)?.map(|memory| memory.value().to_owned()))
    }

    fn queue(&self, op: Op) -> Result<()> {
        self.writer.try_send(op).map_err(|_| anyhow::anyhow!("the writer's queue is full"))
    }
}

fn write(database: &Database, queue: &Receiver<Op>, mut sequence: u64) {
    let mut group = Vec::with_capacity(GROUP);
    while let Ok(first) = queue.recv() {
        group.push(first);
        group.extend(queue.try_iter().take(GROUP - 1));
        if let Err(error) = apply(database, &mut group, &mut sequence) {
            // The senders are dropped unanswered: every waiting request fails, and so does the run.
            eprintln!("bare: the store failed: {error:#}");
            group.clear();
        }
    }
}

type Answering = Box<dyn FnOnce()>;

fn answering<T: 'static>(done: oneshot::Sender<T>, answer: T) -> Answering {
    Box::new(move || {
        // Whoever asked may be gone; the commit stands.
        let _ = done.send(answer);
    })
}

/// Commits the group as a whole, then answers each of it.
fn apply(database: &Database, group: &mut Vec<Op>, sequence: &mut u64) -> Result<()> {
    let mut answers: Vec<Answering> = Vec::with_capacity(group.len());
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    transaction.set_two_phase_commit(true);
    {
        let mut dedup = transaction.open_table(DEDUP)?;
        let mut inbox = transaction.open_table(INBOX)?;
        let mut memories = transaction.open_table(MEMORY)?;
        let mut outbox = transaction.open_table(OUTBOX)?;
        let mut next = || {
            *sequence += 1;
            *sequence
        };
        for op in group.drain(..) {
            match op {
                Op::Accept { message_id, entry, done } => {
                    let number = next();
                    let known = dedup.insert(message_id.as_str(), number)?.map(|first| first.value());
                    let answer = match known {
                        Some(first) => {
                            dedup.insert(message_id.as_str(), first)?;
                            None
                        }
                        None => {
                            inbox.insert(number, entry.as_slice())?;
                            Some(number)
                        }
                    };
                    answers.push(answering(done, answer));
                }
                Op::Turn { inbox: entry, contact, memory, replies, done } => {
                    inbox.remove(entry)?;
                    if let Some(memory) = memory {
                        memories.insert(contact.as_str(), memory.as_str())?;
                    }
                    let mut numbers = Vec::with_capacity(replies.len());
                    for reply in replies {
                        let number = next();
                        outbox.insert(number, reply.as_slice())?;
                        numbers.push(number);
                    }
                    answers.push(answering(done, numbers));
                }
                Op::Settle { outbox: entry, done } => {
                    outbox.remove(entry)?;
                    answers.push(answering(done, ()));
                }
            }
        }
    }
    transaction.commit()?;
    for answer in answers {
        answer();
    }
    Ok(())
}
