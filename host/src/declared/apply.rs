//! Brings the store to what is declared. What that takes back from somebody is told in the log.

use crate::declared::standing::{self, Field, Fingerprint, Origin, Standing};
use crate::declared::{Collection, Declared};
use crate::store;
use crate::store::collections::Collections;
use crate::store::pages::Pages;
use crate::store::registry::Registry;

/// Who changes what files declare, in the audit log.
pub const ACTOR: &str = "declared data";

/// So far back is looked for who changed something.
const LOOKED_BACK: usize = 2_000;
const LOOKED_BACK_BYTES: usize = 4 << 20;

/// How much [`apply`] changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    pub changed: usize,
    pub unchanged: usize,
    /// What was there before, and is otherwise now.
    pub changes: Vec<Change>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `tenant 2`.
    pub what: String,
    pub file: String,
    /// `time_zone: "Asia/Dubai" -> "UTC"`.
    pub fields: Vec<String>,
    /// Whose change this takes back, where it does.
    pub undoes: Option<String>,
}

/// What applying asks of the store.
pub trait DeclaredStore: Collections + Pages + Registry {}

impl<T: Collections + Pages + Registry> DeclaredStore for T {}

/// Applying again changes nothing: what is already so is left alone and not audited.
pub async fn apply(
    declared: Declared,
    standing: &Standing,
    store: &dyn DeclaredStore,
) -> store::Result<Applied> {
    let mut work = Work { store, standing, applied: Applied::default(), past: None };
    let known = store.directory();
    for organization in declared.organizations {
        let before = known.organizations.get(&organization.id);
        let fields = before.map(|before| standing::fields(&organization, &**before));
        let origin = work.standing.organizations.get(&organization.id).map(|(_, origin)| origin.clone());
        let thing = ("organization", organization.id.to_string());
        if work.needs(thing, "put organization", origin, fields).await? {
            store.put_organization(organization, ACTOR).await?;
        }
    }
    for tenant in declared.tenants {
        let fields = known.tenants.get(&tenant.id).map(|before| standing::fields(&tenant, &**before));
        let origin = work.standing.tenants.get(&tenant.id).map(|(_, origin)| origin.clone());
        if work.needs(("tenant", tenant.id.to_string()), "put tenant", origin, fields).await? {
            store.put_tenant(tenant, ACTOR).await?;
        }
    }
    for sender in declared.senders {
        let sender = known.waha().lend(sender);
        let before = known.senders.get(&sender.name);
        let fields = before.map(|before| standing::sender_fields(&sender, before));
        let origin = work.standing.of_sender(&sender.name).cloned();
        if work.needs(("sender", sender.name.to_string()), "put sender", origin, fields).await? {
            store.put_sender(sender, ACTOR).await?;
        }
    }
    for collection in declared.collections {
        work.collection(collection).await?;
    }
    Ok(work.applied)
}

struct Work<'s> {
    store: &'s dyn DeclaredStore,
    standing: &'s Standing,
    applied: Applied,
    /// Action, subject and actor of what was done lately, newest first; read when it is asked for.
    past: Option<Vec<(String, String, String)>>,
}

impl Work<'_> {
    /// Must it be put? `fields`: in what the one that is there differs; none: none is there.
    async fn needs(
        &mut self,
        (kind, id): (&str, String),
        action: &str,
        origin: Option<Origin>,
        fields: Option<Vec<Field>>,
    ) -> store::Result<bool> {
        if fields.as_ref().is_some_and(Vec::is_empty) {
            self.applied.unchanged += 1;
            return Ok(false);
        }
        self.applied.changed += 1;
        let (Some(fields), Some(origin)) = (fields, origin) else { return Ok(true) };
        let fields = fields
            .into_iter()
            .map(|field| format!("{}: {} -> {}", field.name, field.now, field.declared))
            .collect();
        let undoes = self.last_changed_by(action, &id).await?.filter(|actor| actor != ACTOR);
        let change = Change { what: format!("{kind} {id}"), file: origin.to_string(), fields, undoes };
        change.log();
        self.applied.changes.push(change);
        Ok(true)
    }

    async fn collection(&mut self, collection: Collection) -> store::Result<()> {
        let Collection { tenant, name, records } = collection;
        let known = self.store.collection(tenant, &name).await?;
        let fields = known.map(|known| match Fingerprint::of(&known) == Fingerprint::of(&records) {
            true => Vec::new(),
            false => {
                let [now, declared] = [known.len(), records.len()].map(|count| format!("{count} records"));
                vec![Field { name: "records".into(), declared, now }]
            }
        });
        let at = (tenant, name.clone());
        let origin = self.standing.collections.get(&at).map(|(_, origin)| origin.clone());
        let thing = ("collection", format!("{tenant}/{name}"));
        if self.needs(thing, "put collection", origin, fields).await? {
            self.store.put_collection(tenant, &name, records, ACTOR).await?;
        }
        Ok(())
    }

    async fn last_changed_by(&mut self, action: &str, subject: &str) -> store::Result<Option<String>> {
        if self.past.is_none() {
            let newest = self.store.audit_page(LOOKED_BACK, LOOKED_BACK_BYTES).await?.entries.into_iter();
            self.past = Some(newest.map(|entry| (entry.action, entry.subject, entry.actor)).collect());
        }
        let past = self.past.iter().flatten();
        let mut found = past.filter(|(did, to, _)| did == action && to == subject);
        Ok(found.next().map(|(_, _, actor)| actor.clone()))
    }
}

impl Change {
    fn log(&self) {
        let (what, file, fields) = (&self.what, &self.file, self.fields.join(", "));
        match &self.undoes {
            Some(changed_by) => tracing::warn!(
                what,
                file,
                fields,
                changed_by,
                "a change was taken back: a declared file says otherwise; change it there too"
            ),
            None => tracing::info!(what, file, fields, "a declared file changed this"),
        }
    }
}
