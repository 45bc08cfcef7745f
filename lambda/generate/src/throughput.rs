//! The maximum throughput of each part of a stack, from the defaults of the template's parameters
//! and the assumptions of the price file.

use oms_engine::money::{Decimal, Rounding};
use serde::Serialize;

use crate::arithmetic::{Result, grouped, product};
use crate::prices::Assumptions;
use crate::rendered::Rendered;
use crate::usage::Usage;

const SECONDS_OF_DAY: i64 = 24 * 60 * 60;

/// The number of orders per second that a part of a stack allows.
#[derive(Debug, Serialize)]
pub(crate) struct Limit {
    pub(crate) service: &'static str,
    /// The parameter or the quota that sets the limit.
    pub(crate) setting: String,
    /// The limit, such as `1 order per second`.
    pub(crate) rate: String,
    /// How the limit is computed.
    basis: String,
    /// Whether the limit depends on assumed figures.
    assumed: bool,
    #[serde(skip)]
    exact: Decimal,
}

/// Returns the limits, the smallest one first.
///
/// # Errors
/// Returns an error if a number has too many digits, or the template lacks a parameter.
pub(crate) fn limits(
    usage: &Usage<'_>,
    template: &Rendered<'_>,
    assumptions: &Assumptions,
) -> Result<Vec<Limit>> {
    let a = assumptions;
    let mut limits = Limits(Vec::new());
    let (rate, quota) = (template.number("IntakeRate")?, template.number("IntakeDailyQuota")?);
    let basis = format!("requests: {rate} per second");
    limits.add(("API Gateway", "`IntakeRate`".into()), rate, Decimal::ONE, basis, false);
    let basis = format!("requests: {} per day", grouped(quota));
    let day = Decimal::from_int(SECONDS_OF_DAY);
    limits.add(("API Gateway", "`IntakeDailyQuota`".into()), quota, day, basis, false);
    let puts = a.s3_puts_per_second.value;
    let basis = format!("PUT requests: {} per second", grouped(puts));
    limits.add(("S3", "quota of AWS".into()), puts, Decimal::ONE, basis, true);
    let busy = usage.busy(a)?;
    let invocations = a.account_concurrency.value;
    let basis = format!("invocations: {} concurrent, {busy} ms per order", grouped(invocations));
    let setting = ("Lambda", "concurrency quota of the account".to_owned());
    limits.add(setting, product([invocations, Decimal::from_int(1_000)])?, busy, basis, true);
    let concurrency = template.number("BranchConcurrency")?;
    for branch in &usage.branches {
        let busy = branch.calls.milliseconds(a.handler_ms.value, a)?;
        let basis = format!("invocations: {concurrency} concurrent, {busy} ms per order");
        let setting = ("Lambda", format!("`BranchConcurrency` of `{}`", branch.name));
        limits.add(setting, product([concurrency, Decimal::from_int(1_000)])?, busy, basis, true);
    }
    if usage.database {
        let capacity = template.number("DatabaseMaxCapacity")?;
        let statements = usage.statements()?;
        let per_acu = a.statements_per_acu.value;
        let basis =
            format!("statements: {capacity} ACUs × {per_acu} per second, {statements} per order");
        let setting = ("Aurora", "`DatabaseMaxCapacity`".to_owned());
        limits.add(setting, product([capacity, per_acu])?, statements, basis, true);
    }
    if usage.mail {
        let rate = template.number("MailRate")?;
        let mails = usage.mails()?;
        let basis = format!("e-mails: {rate} per second, {mails} per order");
        limits.add(("SES", "`MailRate`".into()), rate, mails, basis, false);
    }
    limits.0.sort_by_key(|limit| limit.exact);
    Ok(limits.0)
}

struct Limits(Vec<Limit>);

impl Limits {
    /// Adds the limit `dividend` / `divisor`. There is no limit if the divisor is zero.
    fn add(
        &mut self,
        (service, setting): (&'static str, String),
        dividend: Decimal,
        divisor: Decimal,
        basis: String,
        assumed: bool,
    ) {
        let Ok(exact) = dividend.div(divisor, 6, Rounding::Down) else { return };
        let orders = exact.round(1, Rounding::Down).normalized();
        let unit = if orders == Decimal::ONE { "order" } else { "orders" };
        let rate = format!("{} {unit} per second", grouped(orders));
        self.0.push(Limit { service, setting, rate, basis, assumed, exact });
    }
}
