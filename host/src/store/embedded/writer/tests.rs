//! Operations that misbehave.

use redb::backends::InMemoryBackend;

use super::*;
use crate::message::SenderName;
use crate::schedule::Limits;
use crate::store::embedded::{Settings, open};
use crate::store::frames::codec::Unreadable;
use crate::store::numbers::Wish;
use crate::store::rows::{ReadRows as _, SessionWishes};
use crate::store::shared::effect::Effect;

fn shared() -> Arc<Shared> {
    let settings = Settings {
        path: "(memory)".into(),
        backups: "(none)".into(),
        called: String::new(),
        cache_bytes: 1 << 20,
        queue: 16,
        verify: false,
        reserve: crate::store::embedded::space::Reserve::none(),
        rules: crate::store::shared::settings::Settings {
            prefixes: Vec::new(),
            notice: None,
            notice_every_ms: 0,
            coalesce_ms: 0,
            quotas: crate::tenant::quotas::Quotas::default(),
            timer_floor_ms: 0,
            turns_per_tenant: 1,
            sends: Limits { in_all: 1, per_group: 1, per_tenant: 1 },
            fetches: Limits { in_all: 1, per_group: 1, per_tenant: 1 },
        },
        keys: crate::seal::Ring::default(),
        vitals: Default::default(),
    };
    let make = || Ok(Box::new(InMemoryBackend::new()) as Box<dyn redb::StorageBackend>);
    open::open(&settings, Box::new(make)).expect("memory opens")
}

/// An operation, and where its answer arrives.
fn job<T: Send + 'static>(
    op: impl Fn(&mut Batch<'_>) -> Step<T> + Send + 'static,
) -> (Box<dyn Job>, oneshot::Receiver<Result<T>>) {
    let (reply, answer) = oneshot::channel();
    (Box::new(Call { op, result: None, reply }), answer)
}

fn put(batch: &mut Batch<'_>, name: &str) -> Step<u64> {
    let seq = batch.seq();
    batch.put::<SessionWishes>(&SenderName::new(name), &Wish::Connected)?;
    Ok(seq)
}

fn names(shared: &Shared) -> Vec<String> {
    let snapshot = shared.disk.snapshot().expect("open");
    let mut names = Vec::new();
    let read = snapshot.each::<SessionWishes>(
        &SenderName::new(""),
        |_| true,
        |name, _| {
            names.push(name.to_string());
            Ok(())
        },
    );
    read.expect("read");
    names
}

#[test]
fn one_that_fails_does_so_alone() {
    let shared = shared();
    let (before, answered_before) = job(|batch| put(batch, "before"));
    let (panics, panicked) = job(|batch| -> Step<u64> {
        put(batch, "panics")?;
        panic!("a bug")
    });
    let (between, answered_between) = job(|batch| put(batch, "between"));
    let (unreadable, unread) = job(|batch| -> Step<u64> {
        put(batch, "unreadable")?;
        Err(Unreadable { table: "inbox", what: "it is too short".into() }.into())
    });
    let (refused, refusal) = job(|_| -> Step<u64> { Err(Error::NotFound("nothing".into()).into()) });
    let (liar, exposed) = job(|batch| -> Step<u64> {
        put(batch, "refused, but written")?;
        Err(Error::Conflict("no".into()).into())
    });
    let (sly, seen) = job(|batch| -> Step<u64> {
        batch.changes.effects.push(Effect::OptedOut(1));
        Err(Error::Conflict("no".into()).into())
    });
    let (blind, unseen) =
        job(|_| -> Step<u64> { Err(Unreadable { table: "inbox", what: "it is too long".into() }.into()) });
    let (after, answered_after) = job(|batch| put(batch, "after"));
    let mut group = vec![before, panics, between, unreadable, refused, liar, sly, blind, after];
    let mut writer = Loop::new(shared.clone());
    writer.commit(&mut group);
    assert!(group.is_empty() && writer.broken.is_none());
    let answer = |mut answer: oneshot::Receiver<Result<u64>>| answer.try_recv().expect("answered");
    assert_eq!(answer(answered_before).ok(), Some(1));
    assert_eq!(answer(answered_between).ok(), Some(2));
    assert_eq!(answer(answered_after).ok(), Some(3), "numbers are not used up by those that failed");
    for (failed, what) in [
        (panicked, "a bug"),
        (unread, "too short"),
        (unseen, "too long"),
        (exposed, "after it had written"),
        (seen, "after it had written"),
    ] {
        let error = answer(failed).expect_err("failed");
        assert!(matches!(&error, Error::Failed(text) if text.contains(what)), "{error}");
    }
    assert!(matches!(answer(refusal), Err(Error::NotFound(_))));
    assert_eq!(names(&shared), ["after", "before", "between"]);
    assert_eq!(shared.index.state().next_seq, 3);
    assert_eq!(shared.index.late_refusals.load(Ordering::Relaxed), 2, "the two that had written");
}
