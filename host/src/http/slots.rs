//! Who may be connected: so many in all, and so many of one peer. Where all places are taken, the
//! connection that has been there longest without asking anything gives its place to who comes: a peer that
//! only holds connections holds nobody out.

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
    next: u64,
    /// The oldest first.
    open: BTreeMap<u64, Open>,
    peers: HashMap<IpAddr, usize>,
}

struct Open {
    peer: Option<IpAddr>,
    has_asked: bool,
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
            let silent = state.open.iter().find(|(_, open)| !open.has_asked).map(|(id, _)| *id);
            let given = silent.and_then(|id| state.remove(id)).ok_or(Full::All)?;
            given.close.cancel();
        }
        let (id, close) = (state.next, CancellationToken::new());
        state.next += 1;
        state.open.insert(id, Open { peer, has_asked: false, close: close.clone() });
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
    fn remove(&mut self, id: u64) -> Option<Open> {
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

impl Slot {
    /// A whole request's head has come: from now on the place is its own.
    pub fn has_asked(&self) {
        if let Some(open) = self.slots.state().open.get_mut(&self.id) {
            open.has_asked = true;
        }
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
    fn who_only_holds_gives_its_place_to_who_comes_and_who_asked_keeps_it() {
        let slots = slots(3, 3);
        let asked = slots.take(ip("192.0.2.1")).expect("a place");
        asked.has_asked();
        let silent =
            [slots.take(ip("192.0.2.2")).expect("a place"), slots.take(ip("192.0.2.3")).expect("a place")];
        let honest = slots.take(ip("192.0.2.4")).expect("the oldest that asked nothing gives way");
        assert!(silent[0].close.is_cancelled() && !silent[1].close.is_cancelled());
        assert!(!asked.close.is_cancelled());
        assert_eq!(slots.open(), 3);
        silent[1].has_asked();
        honest.has_asked();
        assert_eq!(slots.take(ip("192.0.2.5")).err(), Some(Full::All), "all of them are at work");
        drop(silent);
        assert_eq!(slots.open(), 2, "a place that was given away is not given back twice");
    }
}
