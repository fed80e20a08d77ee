//! Tenants: has each a brain that runs, and a number that it can be reached by?

use super::{Finding, Patient};
use crate::backup;
use crate::message::TenantId;
use crate::policy::quota::Level;
use crate::tenant::{Directory, Tenant};

pub async fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let directory = patient.store.directory();
    let packages = patient.brains.list();
    // One that is being compiled runs in a moment; messages wait for it.
    let runs = |name: &str| {
        let mut named = packages.iter().filter(|package| package.package == name);
        named.any(|package| package.digest.is_some() || package.compiling_since.is_some())
    };
    let mut findings: Vec<Finding> = packages
        .iter()
        .filter_map(|package| {
            let reason = package.refused.as_ref()?;
            let subject = format!("brain {}", package.package);
            Some(match package.digest {
                Some(_) => Finding::warning(
                    subject,
                    format!("its newest files were refused, and what ran before still runs: {reason}"),
                    format!(
                        "mend the package, or go back: `switchboard brain rollback --package {}`",
                        package.package
                    ),
                ),
                None => Finding::error(
                    subject,
                    format!("it does not load: {reason}"),
                    "mend the package's files; `switchboard brain list` says when it runs",
                ),
            })
        })
        .collect();
    findings.extend(missing(patient).await);
    let mut tenants: Vec<_> = directory.tenants.values().filter(|tenant| tenant.active).collect();
    tenants.sort_by_key(|tenant| tenant.id);
    for tenant in &tenants {
        let subject = format!("tenant {}", tenant.id);
        if !runs(&tenant.brain) && !runs(&format!("tenant-{}", tenant.id)) {
            let finding = Finding::error(
                &subject,
                format!("no brain answers for it: the package {} does not run", tenant.brain),
                "`switchboard brain list` says why",
            );
            findings.push(finding.among("tenants", format!("brain {}", tenant.brain), tenant.id));
        }
        if !is_reachable(&directory, tenant) {
            let finding = Finding::warning(
                &subject,
                "no number leads to it: it has none of its own, and there is no shared one",
                "`switchboard tenant connect NAME` gives it a number at WAHA; `switchboard sender add --help`",
            );
            findings.push(finding.among("tenants", "numbers", tenant.id));
        }
    }
    findings.extend(tenants.iter().filter_map(|tenant| at_quotas(patient, tenant)));
    if findings.is_empty() {
        findings.push(Finding::good(
            "tenants",
            format!("{} active, each with a brain and a number", tenants.len()),
        ));
    }
    findings
}

/// Tenants whose own package is gone since the last run: a disk that was not mounted, or a restore from a
/// backup that holds the store alone.
async fn missing(patient: &Patient<'_>) -> Vec<Finding> {
    let known = patient.store.own_packages().await.unwrap_or_default();
    let missing = backup::missing(&known, &patient.brains.list());
    let finding = |(tenant, what): (TenantId, &str)| {
        Finding::error(
            format!("tenant {tenant}"),
            format!("{what}; its contacts are answered by another brain, or by none"),
            format!(
                "put it back from a backup, or push it again; if it was taken away on purpose: `switchboard brain \
                 forget --tenant {tenant}`"
            ),
        )
    };
    missing.into_iter().map(finding).collect()
}

/// The quotas that a tenant has used up, in one finding.
fn at_quotas(patient: &Patient<'_>, tenant: &Tenant) -> Option<Finding> {
    let gauges = patient.store.gauges(tenant.id, patient.now);
    let over = gauges.iter().filter(|gauge| gauge.level == Level::Over);
    let over: Vec<String> =
        over.map(|gauge| format!("{} (limit {}, used {})", gauge.name, gauge.limit, gauge.used)).collect();
    (!over.is_empty()).then(|| {
        Finding::warning(
            format!("tenant {}", tenant.id),
            format!("it has used up {}", over.join(", ")),
            format!(
                "`switchboard tenant quotas {}` shows all; `quotas` of the tenant raises them",
                tenant.id
            ),
        )
    })
}

fn is_reachable(directory: &Directory, tenant: &Tenant) -> bool {
    directory.senders.values().any(|sender| sender.active && sender.tenant.is_none_or(|id| id == tenant.id))
}
