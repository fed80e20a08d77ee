//! Who may be connected: so many in all, and so many of one peer. Where all places are taken, one of those
//! on which nothing is being answered gives its place to who comes, of the peer that has the most of them
//! the one that has been idle longest: who only holds connections holds nobody out, even if it asks
//! something now and then.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// Where a connection comes from, if it comes over the network.
pub trait Peer {
    fn ip(&self) -> Option<IpAddr>;
}

impl Peer for SocketAddr {
    fn ip(&self) -> Option<IpAddr> {
        Some(SocketAddr::ip(self))
    }
}

impl Peer for tokio::net::unix::SocketAddr {
    fn ip(&self) -> Option<IpAddr> {
        None
    }
}

/// One network's addresses are one peer: whoever has an IPv6 address has 2^64 of them.
pub fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

/// So many of the idle ones are looked at for the one that has to go.
const LOOKED_AT: usize = 64;

/// How many.
#[derive(Clone, Debug)]
pub struct Limits {
    pub all: usize,
    pub of_peer: usize,
    /// Peers that many others come through, which are held to no number of their own.
    pub trusted: Vec<IpAddr>,
}

pub struct Slots {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Counts what happens, to tell what was longest ago.
    now: u64,
    open: HashMap<u64, Open>,
    /// Those on which nothing is being answered, by since when.
    idle: BTreeMap<u64, u64>,
    peers: HashMap<IpAddr, usize>,
}

struct Open {
    peer: Option<IpAddr>,
    /// Since when nothing is being answered.
    idle_since: Option<u64>,
    close: CancellationToken,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    All,
    OfPeer,
}

/// A place, until it is dropped.
pub struct Slot {
    slots: Arc<Slots>,
    id: u64,
    /// The place is given to somebody else.
    pub close: CancellationToken,
}

impl Slots {
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Slots { limits, state: Mutex::default() })
    }

    pub fn take(self: &Arc<Self>, ip: Option<IpAddr>) -> Result<Slot, Full> {
        let trusted = |ip: &IpAddr| self.limits.trusted.iter().any(|known| known.to_canonical() == *ip);
        let peer = ip.map(|ip| ip.to_canonical()).filter(|ip| !trusted(ip)).map(network);
        let mut state = self.state();
        if peer.is_some_and(|peer| state.peers.get(&peer).is_some_and(|open| *open >= self.limits.of_peer)) {
            return Err(Full::OfPeer);
        }
        if state.open.len() >= self.limits.all {
            let given = state.idlest().and_then(|id| state.remove(id)).ok_or(Full::All)?;
            given.close.cancel();
        }
        let (id, close) = (state.tick(), CancellationToken::new());
        state.open.insert(id, Open { peer, idle_since: None, close: close.clone() });
        state.rests(id);
        if let Some(peer) = peer {
            *state.peers.entry(peer).or_default() += 1;
        }
        Ok(Slot { slots: self.clone(), id, close })
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.state().open.len()
    }

    /// Nothing under this lock can leave it half-changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    fn works(&mut self, id: u64) {
        let since = self.open.get_mut(&id).and_then(|open| open.idle_since.take());
        if let Some(since) = since {
            self.idle.remove(&since);
        }
    }

    fn rests(&mut self, id: u64) {
        let now = self.tick();
        let Some(open) = self.open.get_mut(&id) else { return };
        if open.idle_since.is_none() {
            open.idle_since = Some(now);
            self.idle.insert(now, id);
        }
    }

    /// Of the first few that have been idle longest, the one whose peer has the most connections.
    fn idlest(&self) -> Option<u64> {
        let connections = |id: &u64| {
            let peer = self.open.get(id)?.peer?;
            self.peers.get(&peer).copied()
        };
        // The last of those with the most would be taken, hence the order.
        let first = self.idle.values().take(LOOKED_AT);
        first.rev().max_by_key(|id| connections(id).unwrap_or(0)).copied()
    }

    fn remove(&mut self, id: u64) -> Option<Open> {
        self.works(id);
        let open = self.open.remove(&id)?;
        if let Some(peer) = open.peer
            && let Some(count) = self.peers.get_mut(&peer)
        {
            *count -= 1;
            if *count == 0 {
                self.peers.remove(&peer);
            }
        }
        Some(open)
    }
}

/// A request that is being answered, until it is dropped.
pub struct AtWork(Arc<Slot>);

impl Slot {
    /// A whole request's head has come: until its answer is written the place is kept.
    pub fn works(self: &Arc<Self>) -> AtWork {
        self.slots.state().works(self.id);
        AtWork(self.clone())
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.slots.state().rests(self.0.id);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.state().remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    fn slots(all: usize, of_peer: usize) -> Arc<Slots> {
        Slots::new(Limits { all, of_peer, trusted: vec![IpAddr::from([127, 0, 0, 1])] })
    }

    #[test]
    fn one_peer_holds_its_own_number_and_no_more() {
        let slots = slots(100, 2);
        let held = [slots.take(ip("192.0.2.1")).ok(), slots.take(ip("192.0.2.1")).ok()];
        assert_eq!(slots.take(ip("192.0.2.1")).err(), Some(Full::OfPeer));
        assert_eq!(slots.take(ip("::ffff:192.0.2.1")).err(), Some(Full::OfPeer), "the same in other words");
        let other = slots.take(ip("192.0.2.2")).expect("another peer");
        drop(held);
        slots.take(ip("192.0.2.1")).expect("there is room again");
        drop(other);
        let _v6 = [slots.take(ip("2001:db8:1:2::1")).ok(), slots.take(ip("2001:db8:1:2:ffff::9")).ok()];
        assert_eq!(slots.take(ip("2001:db8:1:2::3")).err(), Some(Full::OfPeer), "one network is one peer");
        slots.take(ip("2001:db8:1:3::1")).expect("another network");
    }

    #[test]
    fn a_proxy_and_this_machines_socket_have_no_number_of_their_own() {
        let slots = slots(10, 1);
        let held: Vec<_> = [ip("127.0.0.1"), ip("::ffff:127.0.0.1"), None, None]
            .map(|peer| slots.take(peer).expect("a place"))
            .into();
        assert_eq!(slots.open(), held.len());
    }

    #[test]
    fn who_only_holds_gives_its_place_to_who_comes_and_who_is_answered_keeps_it() {
        let slots = slots(3, 3);
        let answered = Arc::new(slots.take(ip("192.0.2.1")).expect("a place"));
        let work = answered.works();
        let idle = [
            Arc::new(slots.take(ip("192.0.2.2")).expect("a place")),
            Arc::new(slots.take(ip("192.0.2.3")).expect("a place")),
        ];
        let honest = Arc::new(slots.take(ip("192.0.2.4")).expect("the one idle longest gives way"));
        assert!(idle[0].close.is_cancelled() && !idle[1].close.is_cancelled());
        assert!(!answered.close.is_cancelled());
        assert_eq!(slots.open(), 3);
        let others = [idle[1].works(), honest.works()];
        assert_eq!(slots.take(ip("192.0.2.5")).err(), Some(Full::All), "all of them are being answered");
        drop(work);
        slots.take(ip("192.0.2.5")).expect("a request now and then keeps no place");
        assert!(answered.close.is_cancelled());
        drop((others, idle, honest));
        assert_eq!(slots.open(), 0, "a place that was given away is not given back twice");
    }

    #[test]
    fn the_peer_with_the_most_gives_way_first() {
        let slots = slots(4, 3);
        let one = slots.take(ip("192.0.2.1")).expect("a place");
        let many = [(); 3].map(|()| slots.take(ip("192.0.2.2")).expect("a place"));
        let _other = slots.take(ip("192.0.2.3")).expect("a place is given away");
        assert!(!one.close.is_cancelled(), "it was idle longest, and is alone");
        assert!(many[0].close.is_cancelled() && !many[1].close.is_cancelled());
    }
}
