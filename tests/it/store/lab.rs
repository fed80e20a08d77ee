//! Hands for the cases: contacts that say things, brains that answer, a clock that is set by hand.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use switchboard::schedule::Limits;
use switchboard::store::embedded::space::Reserve;
use switchboard::store::upkeep::StoreFile;
use switchboard::store::{Accepted, Arrival, SendClaim, Settlement, Store, TurnClaim, TurnFate};
use switchboard::tenant::quotas::Quotas;
pub use switchboard_tests::cast::*;

#[derive(Clone, Debug)]
pub struct Options {
    pub notice: bool,
    pub coalesce_ms: u64,
    pub quotas: Quotas,
    pub reserve: Reserve,
    pub turns_per_tenant: usize,
    pub sends: Limits,
    pub fetches: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            notice: false,
            coalesce_ms: 0,
            quotas: Quotas::default(),
            reserve: Reserve::none(),
            turns_per_tenant: 100,
            sends: Limits { in_all: 300, per_group: 200, per_tenant: 100 },
            fetches: Limits { in_all: 300, per_group: 200, per_tenant: 100 },
        }
    }
}

/// The store alone, as a backup holds it, in a file of its own.
pub async fn copied(store: &dyn StoreFile, to: &Path) -> PathBuf {
    std::fs::create_dir_all(to.parent().expect("a directory")).expect("made");
    let file = std::fs::File::options().read(true).write(true).create_new(true).open(to).expect("a new file");
    store.backup(file, 0).await.expect("a copy");
    to.to_owned()
}

/// Opens the same store, again and again.
pub trait Factory: Send + Sync {
    fn open(&self) -> Opened;
}

/// A store, and the file that it lies in, if it lies in one.
pub struct Opened {
    pub store: Arc<dyn Store>,
    pub file: Option<Arc<dyn StoreFile>>,
}

/// A store in which organization 1 has tenants 1 and 2, organization 2 has tenant 3 and the inactive
/// tenant 4; `main` is shared, `own` is tenant 2's.
pub struct Lab<'f> {
    factory: &'f dyn Factory,
    opened: Option<Opened>,
}

impl<'f> Lab<'f> {
    pub async fn new(factory: &'f dyn Factory) -> Self {
        let opened = factory.open();
        furnish(opened.store.as_ref()).await;
        Lab { factory, opened: Some(opened) }
    }

    /// As it was left.
    pub fn open(factory: &'f dyn Factory) -> Self {
        Lab { factory, opened: Some(factory.open()) }
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.opened.as_ref().expect("open").store
    }

    pub fn file(&self) -> &Arc<dyn StoreFile> {
        self.opened.as_ref().and_then(|opened| opened.file.as_ref()).expect("it lies in a file")
    }

    /// The process ends and another begins.
    pub fn restart(&mut self) {
        // Closed before it is opened again: two processes never have it at the same time.
        self.opened = None;
        self.opened = Some(self.factory.open());
    }

    pub async fn accept(&self, arrival: Arrival) -> Accepted {
        self.store().accept(arrival).await.expect("accepted")
    }

    /// A contact says something; its id is made of what and when.
    pub async fn hears(&self, who: &str, text: &str, ms: i64) -> Accepted {
        self.accept(arrival(who, &format!("{who}/{text}/{ms}"), text, at(ms))).await
    }

    /// A contact opens a tenant's link, and the turn of it is over.
    pub async fn meets(&self, who: &str, tenant: u32, ms: i64) {
        self.hears(who, &format!("start_realty_{tenant}"), ms).await;
        let claims = self.claim(100, ms).await;
        let claim = claims.iter().find(|claim| claim.key == key(tenant, who)).expect("the link makes a turn");
        self.commit(claim, Answer::default(), ms).await;
        for other in claims.iter().filter(|other| other.key != claim.key) {
            self.store().release_turn(&other.key);
        }
    }

    pub async fn claim(&self, n: usize, ms: i64) -> Vec<TurnClaim> {
        self.store().claim_turns(n, at(ms)).await.expect("claimed")
    }

    pub async fn claim_one(&self, ms: i64) -> TurnClaim {
        let mut claims = self.claim(2, ms).await;
        assert_eq!(claims.len(), 1, "exactly one turn is due");
        claims.remove(0)
    }

    pub async fn commit(&self, claim: &TurnClaim, answer: Answer, ms: i64) {
        self.store().commit_turn(turn(claim, answer, at(ms))).await.expect("committed");
    }

    pub async fn fail(&self, claim: &TurnClaim, fate: TurnFate, ms: i64) {
        self.store().fail_turn(failure(claim, fate, at(ms))).await.expect("failed as told");
    }

    /// A contact of a tenant has these replies waiting.
    pub async fn owes(&self, who: &str, tenant: u32, texts: &[&'static str], ms: i64) {
        self.meets(who, tenant, ms).await;
        self.hears(who, "hello", ms + 1).await;
        let claim = self.claim_one(ms + 1).await;
        self.commit(&claim, says(texts), ms + 1).await;
    }

    /// Claims and begins.
    pub async fn sends(&self, n: usize, ms: i64) -> Vec<SendClaim> {
        begin(self.store().as_ref(), n, ms).await
    }

    pub async fn settle(&self, claim: &SendClaim, settlement: Settlement, ms: i64) {
        self.store().settle_send(&claim.id, settlement, at(ms)).await.expect("settled");
    }

    /// Sends the next reply and returns its text.
    pub async fn sends_one(&self, ms: i64) -> String {
        let claims = self.sends(1, ms).await;
        let claim = claims.first().expect("a reply is due");
        self.settle(claim, Settlement::Sent { provider_id: None }, ms).await;
        text_of(&claim.entry.outbound).to_owned()
    }

    /// The history as `who: text (state)`.
    pub async fn lines(&self, tenant: u32, who: &str) -> Vec<String> {
        use switchboard::conversation::Line;
        let history = self.store().history(&key(tenant, who), None, 1000).await.expect("history");
        let line = |line: &Line| match line {
            Line::Heard(heard) => heard.content.text().unwrap_or("").to_owned(),
            Line::Said(outbound) => text_of(outbound).to_owned(),
        };
        history
            .iter()
            .map(|(_, entry)| match entry.state {
                None => format!("{:?}: {}", entry.author, line(&entry.line)),
                Some(state) => format!("{:?}: {} ({state:?})", entry.author, line(&entry.line)),
            })
            .collect()
    }

    pub async fn assert_counters_true(&self) {
        assert_eq!(self.store().counters(), self.store().recount().await.expect("recounted"));
        assert_eq!(self.store().usage(), self.store().recount_usage().await.expect("recounted"));
        assert_eq!(self.store().late_refusals(), 0, "what is refused has written nothing");
    }
}
