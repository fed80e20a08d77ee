//! Who is served: organizations, tenants and senders, as the configuration or an operator says.

use super::secrets;
use crate::message::{OrganizationId, SenderName, TenantId};
use crate::seal::Ring;
use crate::store::rows::{Organizations, ReadRows, Rows, Senders, Step, Tenants};
use crate::store::shared::effect::Effect;
use crate::store::{AuditEntry, Error};
use crate::tenant::{Directory, Organization, Tenant};

pub fn put_organization(rows: &mut impl Rows, organization: &Organization, by: &AuditEntry) -> Step<()> {
    rows.put::<Organizations>(&organization.id, organization)?;
    rows.effect(Effect::Organization(organization.clone()));
    rows.audit(by)
}

pub fn put_tenant(rows: &mut impl Rows, tenant: &Tenant, by: &AuditEntry) -> Step<()> {
    if tenant.id == TenantId::GATEWAY {
        return Err(Error::Conflict("tenant 0 is the gateway itself".into()).into());
    }
    if !rows.has::<Organizations>(&tenant.organization)? {
        let what = format!("tenant {}: there is no organization {}", tenant.id, tenant.organization);
        return Err(Error::Conflict(what).into());
    }
    rows.put::<Tenants>(&tenant.id, tenant)?;
    rows.effect(Effect::Tenant(tenant.clone()));
    rows.audit(by)
}

/// Everybody, as they are used: opened with these keys.
pub fn read(rows: &impl ReadRows, keys: &Ring) -> Step<Directory> {
    let mut directory = Directory::default();
    rows.each::<Organizations>(
        &OrganizationId(0),
        |_| true,
        |_, organization| {
            directory.put_organization(organization?);
            Ok(())
        },
    )?;
    rows.each::<Tenants>(
        &TenantId::GATEWAY,
        |_| true,
        |_, tenant| {
            directory.put_tenant(tenant?);
            Ok(())
        },
    )?;
    rows.each::<Senders>(
        &SenderName::new(""),
        |_| true,
        |_, sender| {
            directory.put_sender(secrets::opened(keys, sender?)?);
            Ok(())
        },
    )?;
    Ok(directory)
}
