//! Places, silence and who is called.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn circuits() -> Arc<Circuits> {
    Circuits::new(&config::Delivery::default(), &config::Media::default())
}

fn of(sender: &str, host: &str) -> Of {
    Of::new(&SenderName::new(sender), host.to_owned())
}

fn end(flight: Flight, came: Came) {
    let mut flight = flight;
    flight.told(came);
    flight.end();
}

/// However many there are that hang, and whoever sends through them.
#[test]
fn hosts_that_hang_leave_places_in_every_lane() {
    for lane in [Lane::Replies, Lane::Files, Lane::Uploads, Lane::Signs, Lane::Questions] {
        let circuits = circuits();
        let mut hang = Vec::new();
        for host in ["one:443", "other:443"] {
            for sender in 0..1_000 {
                hang.extend(circuits.try_begin(lane, &of(&format!("{host}-{sender}"), host)));
            }
        }
        assert!(hang.len() >= 8, "{lane:?}: {} go at first", hang.len());
        assert!(circuits.try_begin(lane, &of("well", "well:443")).is_ok(), "{lane:?}");
        drop(hang);
    }
}

#[test]
fn one_lane_holds_up_no_other() {
    let (circuits, main) = (circuits(), of("main", "host:443"));
    for _ in 0..3 {
        end(circuits.try_begin(Lane::Files, &main).expect("a place"), Came::Nothing);
    }
    let hold = circuits.try_begin(Lane::Files, &main).expect_err("it does not answer");
    assert!(matches!(hold.held, Held::For(_)), "{hold:?}");
    assert!(circuits.try_begin(Lane::Replies, &main).is_ok());
    // Another of its host's senders is held too; the same sender elsewhere is not.
    assert!(circuits.try_begin(Lane::Files, &of("other", "host:443")).is_err());
    assert!(circuits.try_begin(Lane::Files, &of("main", "elsewhere:443")).is_ok());
}

#[test]
fn who_waits_is_called_when_there_is_room() {
    let (circuits, main) = (circuits(), of("main", "host:443"));
    let called = Arc::new(AtomicUsize::new(0));
    let call = || {
        let called = called.clone();
        Call::new(move || {
            called.fetch_add(1, Ordering::Relaxed);
        })
    };
    let mut under_way = Vec::new();
    let hold = loop {
        match circuits.try_begin(Lane::Files, &main) {
            Ok(flight) => under_way.push(flight),
            Err(hold) => break hold,
        }
    };
    assert_eq!(hold.held, Held::Full);
    for _ in 0..3 {
        circuits.when_free(&hold, call());
    }
    assert_eq!(called.load(Ordering::Relaxed), 0);
    end(under_way.pop().expect("one"), Came::Answer);
    assert_eq!(called.load(Ordering::Relaxed), 1, "as many as there is room for");
    drop(under_way);
    assert_eq!(called.load(Ordering::Relaxed), 3);
    circuits.when_free(&hold, call());
    assert_eq!(called.load(Ordering::Relaxed), 4, "at once");
}

/// Whoever asks for people, and however often, leaves places to others and to what the gateway asks.
#[tokio::test]
async fn people_go_past_silence_and_hold_up_nobody() {
    let (circuits, main) = (circuits(), of("main", "host:443"));
    let mut under_way: Vec<_> = std::iter::from_fn(|| circuits.begin_if_room(Lane::People, &main)).collect();
    assert_eq!(under_way.len(), 16, "of one sender");
    assert!(circuits.for_people(&of("other", "host:443")).await.is_ok());
    assert!(circuits.try_begin(Lane::Questions, &main).is_ok());
    for flight in under_way.drain(..) {
        end(flight, Came::Nothing);
    }
    assert!(circuits.for_people(&main).await.is_ok(), "whether it answers is what they want to know");
    assert!(circuits.try_begin(Lane::Questions, &main).is_ok());
}

/// Admitted is not yet under way: who is held up by that is called as well.
#[test]
fn who_waits_behind_the_first_that_are_admitted_is_called() {
    let (circuits, main) = (circuits(), of("main", "host:443"));
    let called = Arc::new(AtomicUsize::new(0));
    circuits.round(Lane::Replies);
    let mut admitted = 0;
    let hold = loop {
        match circuits.admits(Lane::Replies, &main) {
            Ok(()) => admitted += 1,
            Err(hold) => break hold,
        }
    };
    let counted = called.clone();
    circuits.when_free(
        &hold,
        Call::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        }),
    );
    let mut under_way: Vec<_> = (0..admitted).map(|_| circuits.begin(Lane::Replies, &main)).collect();
    assert_eq!(called.load(Ordering::Relaxed), 0);
    end(under_way.pop().expect("one"), Came::Answer);
    assert_eq!(called.load(Ordering::Relaxed), 1);
}

/// Where others have all places, one of theirs that ends calls.
#[test]
fn who_waits_for_any_place_is_called_when_anybody_ends() {
    let circuits = circuits();
    let mut under_way: Vec<_> =
        (0..1_000).map(|n| circuits.begin(Lane::Signs, &of(&n.to_string(), &format!("{n}:443")))).collect();
    let hold = circuits.try_begin(Lane::Signs, &of("main", "host:443")).expect_err("there is no place");
    let called = Arc::new(AtomicUsize::new(0));
    let counted = called.clone();
    circuits.when_free(
        &hold,
        Call::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        }),
    );
    while called.load(Ordering::Relaxed) == 0 {
        end(under_way.pop().expect("it was called before all had ended"), Came::Answer);
    }
    assert!(circuits.try_begin(Lane::Signs, &of("main", "host:443")).is_ok());
}

#[tokio::test]
async fn a_question_waits_for_a_place_and_not_for_an_answer() {
    let (circuits, main) = (circuits(), of("main", "host:443"));
    let mut under_way: Vec<_> =
        std::iter::from_fn(|| circuits.try_begin(Lane::Questions, &main).ok()).collect();
    let place = circuits.place(Lane::Questions, &main);
    tokio::pin!(place);
    assert!(futures::poll!(place.as_mut()).is_pending());
    end(under_way.pop().expect("one"), Came::Answer);
    drop(place.await.expect("a place"));
    while let Some(flight) = under_way.pop() {
        end(flight, Came::Nothing);
    }
    let hold = circuits.place(Lane::Questions, &main).await.expect_err("it does not answer");
    assert!(matches!(hold.held, Held::For(_)), "{hold:?}");
}

/// The hosts of files are named by strangers.
#[test]
fn however_many_hosts_there_are_only_so_many_are_remembered() {
    let circuits = circuits();
    let stays = of("main", "stays:443");
    let flight = circuits.begin(Lane::Files, &stays);
    for n in 0..3 * KEPT {
        let stranger = of("main", &format!("{n}:443"));
        for _ in 0..3 {
            end(circuits.begin(Lane::Files, &stranger), Came::Nothing);
        }
    }
    let inner = circuits.lock(Lane::Files);
    assert!(inner.circuits.len() <= KEPT, "{}", inner.circuits.len());
    assert!(inner.circuits.contains_key(&stays.0[1]), "what is under way is remembered");
    drop(inner);
    end(flight, Came::Answer);
    let last = of("main", &format!("{}:443", 3 * KEPT - 1));
    assert!(circuits.try_begin(Lane::Files, &last).is_err(), "and what was asked last");
}

#[test]
fn what_does_not_go_after_all_gives_its_place_back() {
    let circuits = circuits();
    let main = of("main", "host");
    for _ in 0..100 {
        circuits.admits(Lane::Replies, &main).expect("there is room");
        circuits.leave(Lane::Replies, &main);
    }
}
