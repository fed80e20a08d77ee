//! Templates that were sent: what was said in them is theirs who approved them, so that each use is written down.

use super::templates;
use crate::message::{DeliveryState, Outbound, OutboundContent, Template, TenantId, Timestamp};
use crate::store::SendId;
use crate::store::rows::outbox::OutboxRow;
use crate::store::rows::packed::Packed;
use crate::store::rows::place::Place;
use crate::store::rows::{Read, ReadRows, Rows, Step, TemplateUses};
use crate::template::Use;

/// The template that a reply is. Nearly all are none, which their bytes tell before they are read.
pub fn template_of(said: &Packed<Outbound>) -> Read<Option<Template>> {
    const WORD: &[u8] = b"template";
    if !said.as_kept().windows(WORD.len()).any(|window| window == WORD) {
        return Ok(None);
    }
    Ok(match said.unpack("outbox")?.content {
        OutboundContent::Template(template) => Some(template),
        _ => None,
    })
}

/// Writes down that a template was sent, or was not and why, if the reply is one.
pub fn used(
    rows: &mut impl Rows,
    id: &SendId,
    reply: &OutboxRow,
    (state, error): (DeliveryState, Option<&str>),
    now: Timestamp,
) -> Step<()> {
    let Some(template) = template_of(&reply.said)? else { return Ok(()) };
    let (directory, sender) = (rows.index().directory.load_full(), reply.sender.clone());
    let of = (id.key.tenant, &sender);
    let known = templates::find(rows, &directory, of, &template.name, &template.language)?;
    let row = Use {
        id: id.text(),
        at: reply.created_at,
        contact: id.key.contact.clone(),
        sender,
        name: template.name,
        language: template.language,
        category: known.map(|known| known.category_in_force()),
        parameters: template.parameters.into_iter().map(|parameter| parameter.name).collect(),
        state,
        settled_at: now,
        error: error.map(str::to_owned),
    };
    rows.put::<TemplateUses>(&(id.key.tenant, id.seq), &row)?;
    Ok(())
}

/// What a receipt told of a template that was sent.
pub fn reported(
    rows: &mut impl Rows,
    place: Place,
    said: &Packed<Outbound>,
    state: DeliveryState,
    reason: Option<&str>,
    now: Timestamp,
) -> Step<()> {
    if template_of(said)?.is_none() {
        return Ok(());
    }
    let key = (place.tenant, place.seq);
    let Some(mut known) = rows.get::<TemplateUses>(&key)? else { return Ok(()) };
    (known.state, known.settled_at) = (state, now);
    known.error = reason.filter(|_| state == DeliveryState::Failed).map(str::to_owned);
    rows.put::<TemplateUses>(&key, &known)?;
    Ok(())
}

/// Those that a tenant sent last before this one, the newest first.
pub fn list(
    rows: &impl ReadRows,
    tenant: TenantId,
    before: Option<u64>,
    limit: usize,
) -> Step<Vec<(u64, Use)>> {
    let mut uses = Vec::new();
    let end = (tenant, before.unwrap_or(u64::MAX));
    rows.each_back_of::<TemplateUses>(
        &end,
        limit,
        |key| key.0 == tenant,
        |key, used| {
            uses.push((key.1, used?));
            Ok(())
        },
    )?;
    Ok(uses)
}
