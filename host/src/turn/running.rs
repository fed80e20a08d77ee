//! Which turns run at this moment, for whoever starts after this process has died. A turn that takes the
//! process with it (an abort in the engine, the kernel's out-of-memory killer) would be claimed by every
//! start anew and end each of them; here each such death is counted against it.
//!
//! The file is written without waiting for the disk: what a process wrote is there after its death, and
//! only a machine that loses its power forgets, which no turn can cause. After a death all that ran are
//! suspects; suspects run one at a time, so that the next death convicts the right one and clears
//! the others. Tenants take turns at that: one that has many suspects keeps nobody else's waiting for all
//! of them.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::message::TenantId;
use crate::store::TurnClaim;

/// Begins every record, so that nothing else is taken for one.
const MAGIC: [u8; 2] = *b"RT";
const RECORD: usize = 16;

/// More suspects than this are not remembered; so many turns never run at once.
const SUSPECTS: usize = 8_192;

/// A turn, by what stays the same when it is claimed again, with more messages perhaps: the earliest of
/// its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Id {
    tenant: TenantId,
    entry: u64,
}

pub struct Running {
    file: File,
    state: Mutex<State>,
    /// Suspects run one at a time.
    alone: Arc<Semaphore>,
    /// And one of each tenant's waits for that: who waits is let in in the order of coming.
    next: Mutex<HashMap<TenantId, Arc<Semaphore>>>,
}

struct State {
    /// Places in the file that nobody holds.
    free: Vec<usize>,
    places: usize,
    suspects: HashMap<Id, Suspect>,
    /// Said once.
    unwritable: bool,
}

#[derive(Clone, Copy)]
struct Suspect {
    deaths: u8,
    place: usize,
}

/// A turn that runs, until it is dropped.
pub struct Mark {
    running: Arc<Running>,
    id: Id,
    place: usize,
    deaths: u8,
    _alone: Option<[OwnedSemaphorePermit; 2]>,
}

impl Running {
    /// Reads what an earlier process left behind and writes it down anew, with one death more for each
    /// turn that ran.
    pub fn open(path: &Path) -> io::Result<Arc<Self>> {
        let left = match std::fs::read(path) {
            Ok(bytes) => suspects(&bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let beside = path.with_extension("new");
        let file = File::options().write(true).create(true).truncate(true).open(&beside)?;
        let mut suspects = HashMap::new();
        for (place, (id, deaths)) in left.into_iter().enumerate() {
            write(&file, place, Some((id, deaths, false)))?;
            suspects.insert(id, Suspect { deaths, place });
        }
        std::fs::rename(&beside, path)?;
        if !suspects.is_empty() {
            let turns = suspects.len();
            tracing::warn!(turns, "the gateway died while these turns ran; they run again, one at a time");
        }
        let state = State { free: Vec::new(), places: suspects.len(), suspects, unwritable: false };
        let alone = Arc::new(Semaphore::new(1));
        Ok(Arc::new(Running { file, state: Mutex::new(state), alone, next: Mutex::default() }))
    }

    /// A turn is about to run; a suspect waits until no other one does.
    pub async fn begin(self: &Arc<Self>, claim: &TurnClaim) -> Mark {
        let entry = claim.entries.iter().map(|entry| entry.seq).min().unwrap_or_default();
        self.enter(Id { tenant: claim.key.tenant, entry }).await
    }

    async fn enter(self: &Arc<Self>, id: Id) -> Mark {
        let deaths = self.state().suspects.get(&id).map_or(0, |suspect| suspect.deaths);
        let alone = match deaths {
            0 => None,
            _ => self.alone(id.tenant).await,
        };
        let place = self.state().place();
        self.put(place, Some((id, deaths, true)));
        Mark { running: self.clone(), id, place, deaths, _alone: alone }
    }

    async fn alone(&self, tenant: TenantId) -> Option<[OwnedSemaphorePermit; 2]> {
        let next = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            next.entry(tenant).or_insert_with(|| Arc::new(Semaphore::new(1))).clone()
        };
        // Nobody closes them.
        let of_tenant = next.acquire_owned().await.ok()?;
        Some([self.alone.clone().acquire_owned().await.ok()?, of_tenant])
    }

    /// The gateway stops in order: what has not ended did not end it.
    pub fn clear(&self) {
        let places = self.state().places;
        for place in 0..places {
            self.put(place, None);
        }
    }

    fn put(&self, place: usize, record: Option<(Id, u8, bool)>) {
        let Err(error) = write(&self.file, place, record) else { return };
        if !std::mem::replace(&mut self.state().unwritable, true) {
            tracing::warn!(%error, "which turns run cannot be written down; one that ends the gateway would be tried without end");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn place(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.places += 1;
            self.places - 1
        })
    }
}

impl Mark {
    /// So many processes died while this turn ran.
    pub fn deaths(&self) -> u8 {
        self.deaths
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.running.put(self.place, None);
        let suspect = {
            let mut state = self.running.state();
            state.free.push(self.place);
            state.suspects.remove(&self.id)
        };
        if let Some(suspect) = suspect {
            self.running.put(suspect.place, None);
        }
    }
}

/// What a process left behind: each turn that ran has seen one death more. Those that saw the most come
/// first, the latest of them before the others: where there are too many, some that never came again are
/// forgotten.
fn suspects(bytes: &[u8]) -> Vec<(Id, u8)> {
    let mut suspects: HashMap<Id, u8> = HashMap::new();
    for record in bytes.chunks_exact(RECORD) {
        let Some((id, deaths, ran)) = read(record) else { continue };
        let deaths = deaths.saturating_add(u8::from(ran));
        let seen = suspects.entry(id).or_default();
        *seen = deaths.max(*seen);
    }
    let mut suspects: Vec<_> = suspects.into_iter().collect();
    suspects.sort_unstable_by_key(|(id, deaths)| std::cmp::Reverse((*deaths, id.entry, id.tenant)));
    suspects.truncate(SUSPECTS);
    suspects
}

fn write(file: &File, place: usize, record: Option<(Id, u8, bool)>) -> io::Result<()> {
    let mut bytes = [0; RECORD];
    if let Some((id, deaths, runs)) = record {
        bytes[..8].copy_from_slice(&id.entry.to_le_bytes());
        bytes[8..12].copy_from_slice(&id.tenant.get().to_le_bytes());
        bytes[12..14].copy_from_slice(&[deaths, u8::from(runs)]);
        bytes[14..].copy_from_slice(&MAGIC);
    }
    file.write_all_at(&bytes, (place * RECORD) as u64)
}

fn read(record: &[u8]) -> Option<(Id, u8, bool)> {
    let (entry, rest) = record.split_first_chunk()?;
    let (tenant, rest) = rest.split_first_chunk()?;
    let (deaths, runs) = match rest {
        [deaths, runs, magic @ ..] if magic == MAGIC => (*deaths, *runs == 1),
        _ => return None,
    };
    let tenant = TenantId::from_stored(u32::from_le_bytes(*tenant));
    Some((Id { tenant, entry: u64::from_le_bytes(*entry) }, deaths, runs))
}

#[cfg(test)]
mod tests {
    use futures::stream::{FuturesUnordered, StreamExt as _};

    use super::*;

    const DEATHS: u8 = 3;

    fn id(entry: u64) -> Id {
        Id { tenant: TenantId::from_stored(2), entry }
    }

    /// The process dies: nothing is dropped in order.
    fn dies(marks: Vec<Mark>) {
        std::mem::forget(marks);
    }

    async fn begin(running: &Arc<Running>, entries: &[u64]) -> Vec<Mark> {
        let mut marks = Vec::new();
        for entry in entries {
            marks.push(running.enter(id(*entry)).await);
        }
        marks
    }

    #[tokio::test]
    async fn a_turn_that_ends_every_process_is_found_out_and_the_others_are_cleared() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("running");
        dies(begin(&Running::open(&path).expect("opens"), &[1, 2, 3]).await);
        for deaths in 1..DEATHS {
            let running = Running::open(&path).expect("opens");
            // One of the others comes first, alone, and ends.
            let innocent = running.enter(id(1 + u64::from(deaths))).await;
            assert_eq!(innocent.deaths(), 1, "it ran once, when it was not suspected yet");
            let waits = tokio::time::timeout(std::time::Duration::from_millis(20), running.enter(id(1)));
            assert!(waits.await.is_err(), "suspects run one at a time");
            drop(innocent);
            // Whom nobody suspects runs beside.
            let culprit = begin(&running, &[1, 10 + u64::from(deaths)]).await;
            assert_eq!((culprit[0].deaths(), culprit[1].deaths()), (deaths, 0));
            dies(culprit);
        }
        let running = Running::open(&path).expect("opens");
        assert_eq!(running.enter(id(2)).await.deaths(), 0);
        assert_eq!(running.enter(id(1)).await.deaths(), DEATHS);
        // It ended, with whatever failure: the next start knows nothing of it.
        let running = Running::open(&path).expect("opens");
        assert_eq!(running.enter(id(1)).await.deaths(), 0);
    }

    #[tokio::test]
    async fn suspects_outlive_a_start_that_did_not_come_to_them() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("running");
        dies(begin(&Running::open(&path).expect("opens"), &[1]).await);
        drop(Running::open(&path).expect("opens"));
        let running = Running::open(&path).expect("opens");
        assert_eq!(running.enter(id(1)).await.deaths(), 1);
    }

    #[tokio::test]
    async fn one_tenants_suspects_keep_anothers_waiting_for_one_of_them() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("running");
        let neighbours = Id { tenant: TenantId::from_stored(3), entry: 9 };
        let running = Running::open(&path).expect("opens");
        let mut marks = begin(&running, &[1, 2, 3, 4]).await;
        marks.push(running.enter(neighbours).await);
        dies(marks);
        let running = Running::open(&path).expect("opens");
        let first = running.enter(id(1)).await;
        let mut others: FuturesUnordered<_> =
            [id(2), id(3), id(4), neighbours].map(|id| running.enter(id)).into_iter().collect();
        let waits = tokio::time::timeout(std::time::Duration::from_millis(20), others.next());
        assert!(waits.await.is_err(), "the first one runs alone");
        drop(first);
        assert_eq!(others.next().await.expect("one of them").id, neighbours, "it is its tenant's turn");
        for _ in 0..3 {
            others.next().await.expect("the others come to it");
        }
    }

    #[tokio::test]
    async fn of_too_many_those_are_kept_that_saw_the_most_deaths() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("running");
        let file = File::create(&path).expect("a file");
        for place in 0..SUSPECTS + 100 {
            let entry = place as u64;
            write(&file, place, Some((id(entry), u8::from(entry == 7), true))).expect("written");
        }
        let running = Running::open(&path).expect("opens");
        let kept = &running.state().suspects;
        assert_eq!((kept.len(), kept[&id(7)].deaths), (SUSPECTS, 2));
        assert!(!kept.contains_key(&id(0)) && kept.contains_key(&id(SUSPECTS as u64 + 99)));
    }

    #[tokio::test]
    async fn an_orderly_stop_suspects_nobody() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("running");
        let running = Running::open(&path).expect("opens");
        let marks = begin(&running, &[1, 2]).await;
        running.clear();
        dies(marks);
        let running = Running::open(&path).expect("opens");
        assert_eq!(running.enter(id(1)).await.deaths(), 0);
    }

    #[test]
    fn damage_is_nobodys_death() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("running");
        std::fs::write(&path, [0xff; 3 * RECORD + 5]).expect("written");
        assert!(Running::open(&path).expect("opens").state().suspects.is_empty());
    }
}
