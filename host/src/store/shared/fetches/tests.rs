//! Fetching by example.

use super::*;

fn key(tenant: u32, number: usize) -> FileKey {
    FileKey { tenant: TenantId::from_stored(tenant), handle: format!("file-{number:032x}") }
}

fn fetches() -> Fetches {
    Fetches::new(Limits { in_all: 16, per_group: 4, per_tenant: 16 })
}

fn put(fetches: &mut Fetches, key: &FileKey, due: i64) {
    fetches.put(key, SenderName::new("main"), Timestamp::from_ms(due));
}

fn claim(fetches: &mut Fetches, n: usize) -> Vec<FileKey> {
    fetches.claim(n, Timestamp::from_ms(1000)).iter().map(|key| FileKey::clone(key)).collect()
}

#[test]
fn a_tenant_with_many_files_leaves_a_place_to_the_others() {
    let mut fetches = fetches();
    for number in 0..1000 {
        put(&mut fetches, &key(1, number), 0);
    }
    let busy = claim(&mut fetches, 16);
    assert_eq!(busy.len(), 3, "the last place is for who has none");
    put(&mut fetches, &key(2, 0), 900);
    assert_eq!(claim(&mut fetches, 16), [key(2, 0)]);
    fetches.remove(&key(2, 0));
    fetches.release(&key(2, 0));
    fetches.release(&busy[0]);
    assert_eq!(claim(&mut fetches, 16).len(), 1, "and its own files go on");
}

#[test]
fn without_room_files_wait_and_with_room_they_come() {
    let mut fetches = fetches();
    let tenant = TenantId::from_stored(1);
    for number in 0..5 {
        put(&mut fetches, &key(1, number), 0);
    }
    assert!(!fetches.give(tenant, 0));
    assert_eq!(claim(&mut fetches, 16), []);
    assert!(fetches.give(tenant, 100));
    assert_eq!(claim(&mut fetches, 3).len(), 3);
    for (number, bytes) in [(0, 300), (1, 150), (2, 200)] {
        fetches.park(&key(1, number), SenderName::new("main"), bytes);
    }
    let others = claim(&mut fetches, 16);
    assert_eq!(others, [key(1, 3), key(1, 4)], "those of which nothing is known yet");
    for key in &others {
        fetches.remove(key);
        fetches.release(key);
    }
    assert!(!fetches.give(tenant, 149) && claim(&mut fetches, 16).is_empty());
    // As many as there is room for together, however often it is said that there is.
    assert!(fetches.give(tenant, 360) && !fetches.give(tenant, 360));
    assert_eq!(claim(&mut fetches, 16), [key(1, 1), key(1, 2)]);
    fetches.remove(&key(1, 1));
    fetches.release(&key(1, 1));
    assert!(!fetches.give(tenant, 210) && claim(&mut fetches, 16).is_empty());
    // One that was larger than was thought waits again; the room that was kept for it is free.
    fetches.park(&key(1, 2), SenderName::new("main"), 400);
    assert!(fetches.give(tenant, 300));
    assert_eq!(claim(&mut fetches, 16), [key(1, 0)]);
    // What is forgotten while it waits needs no room any more.
    fetches.remove(&key(1, 2));
    fetches.remove(&key(1, 0));
    fetches.release(&key(1, 0));
    assert!(fetches.tenants.is_empty() && fetches.next_at().is_none());
}

#[test]
fn what_is_postponed_waits_for_its_time_or_until_it_is_called() {
    let mut fetches = fetches();
    let (one, other, parked) = (key(1, 1), key(1, 2), key(1, 3));
    for key in [&one, &other, &parked] {
        put(&mut fetches, key, 0);
    }
    assert_eq!(claim(&mut fetches, 16).len(), 3);
    for key in [&one, &other] {
        fetches.postpone(key, Timestamp::from_ms(5_000));
    }
    fetches.park(&parked, SenderName::new("main"), 10);
    assert_eq!(claim(&mut fetches, 16), []);
    for key in [&other, &parked, &key(1, 9)] {
        fetches.call(key, Timestamp::from_ms(1_000));
    }
    assert_eq!(claim(&mut fetches, 16), std::slice::from_ref(&other), "what has no room is called by room");
    fetches.call(&other, Timestamp::from_ms(1_000));
    assert_eq!(claim(&mut fetches, 16), [], "what is claimed is not called");
    fetches.release(&other);
    let later = fetches.claim(16, Timestamp::from_ms(5_000));
    assert_eq!(later.iter().filter(|key| ***key == one).count(), 1);
}
