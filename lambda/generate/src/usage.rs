//! How often the handlers of a plan use other services: the calls for one order, and the calls of
//! the scheduled handlers.

use oms_engine::money::Decimal;

use crate::arithmetic::{Result, count, divide, product, shift, sum, total};
use crate::calls;
use crate::cost::DAYS;
use crate::prices::Assumptions;
use crate::rendered::Rendered;
use crate::resources::View;

/// Number of orders that one LIST request of S3 returns, and that one statement of `reconcile`
/// compares, as powers of ten.
const LISTED: u32 = 3;
const COMPARED: u32 = 2;

/// What the handlers of a stack do.
#[derive(Debug)]
pub(crate) struct Usage<'v> {
    /// The calls of the intake's handler; `None` if API Gateway stores the orders.
    pub(crate) intake: Option<Counts>,
    pub(crate) branches: Vec<Branch<'v>>,
    /// The search for lost orders.
    pub(crate) reconcile: Option<Reconcile>,
    /// Whether exchange rates are updated.
    pub(crate) refresh: bool,
    pub(crate) database: bool,
    pub(crate) mail: bool,
}

/// The handler of a branch.
#[derive(Debug)]
pub(crate) struct Branch<'v> {
    pub(crate) name: &'v str,
    /// The calls for one order.
    pub(crate) calls: Counts,
    pub(crate) database: bool,
    /// Whether it reads exchange rates that are updated.
    pub(crate) rates: bool,
}

/// The search for lost orders.
#[derive(Debug)]
pub(crate) struct Reconcile {
    /// Number of searches per month.
    pub(crate) runs: Decimal,
    /// The calls of all searches of a month for each order per month.
    pub(crate) per_order: Counts,
    /// The calls of a search without orders.
    pub(crate) per_run: Counts,
}

/// Numbers of calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    /// Requests to S3.
    pub(crate) objects: Decimal,
    /// Requests to the Data API.
    pub(crate) statements: Decimal,
    /// Requests to SES.
    pub(crate) mails: Decimal,
}

impl Default for Counts {
    fn default() -> Self {
        Self { objects: Decimal::ZERO, statements: Decimal::ZERO, mails: Decimal::ZERO }
    }
}

impl Counts {
    /// Returns the duration of all calls, and of the handler's own work, in milliseconds.
    pub(crate) fn milliseconds(&self, own: Decimal, assumptions: &Assumptions) -> Result<Decimal> {
        sum([
            own,
            product([self.objects, assumptions.s3_ms.value])?,
            product([self.statements, assumptions.data_api_ms.value])?,
            product([self.mails, assumptions.ses_ms.value])?,
        ])
    }
}

impl<'v> Usage<'v> {
    pub(crate) fn of(
        view: &'v View,
        template: &Rendered<'_>,
        assumptions: &Assumptions,
    ) -> Result<Self> {
        let mut branches = Vec::new();
        for branch in &view.branches {
            let mut counts = Counts::default();
            for call in &branch.calls {
                let elements =
                    if call.per_element { assumptions.elements.value } else { Decimal::ONE };
                let count = product([i64::from(call.count).into(), elements])?;
                let place = match call.call {
                    calls::READ => &mut counts.objects,
                    calls::MAIL => &mut counts.mails,
                    _ => &mut counts.statements,
                };
                *place = sum([*place, count])?;
            }
            branches.push(Branch {
                name: &branch.name,
                calls: counts,
                database: branch.database,
                rates: !branch.rates.is_empty(),
            });
        }
        let store = Counts { objects: Decimal::ONE, ..Counts::default() };
        let reconcile = view.reconcile.as_ref().map(|_| Reconcile::of(template, assumptions));
        Ok(Self {
            intake: view.intake.direct.is_none().then_some(store),
            branches,
            reconcile: reconcile.transpose()?,
            refresh: view.rates.is_some(),
            database: view.database,
            mail: view.mail.is_some(),
        })
    }

    /// Returns the calls of the handlers that process an order.
    fn handlers(&self) -> impl Iterator<Item = &Counts> {
        self.intake.iter().chain(self.branches.iter().map(|branch| &branch.calls))
    }

    /// Returns the number of e-mails for one order. SES reports each of them, and the handler of
    /// these events runs one statement for it.
    pub(crate) fn mails(&self) -> Result<Decimal> {
        total(self.branches.iter().map(|branch| branch.calls.mails))
    }

    /// Returns the number of invocations for one order.
    pub(crate) fn invocations(&self) -> Result<Decimal> {
        sum([count(self.handlers().count())?, self.mails()?])
    }

    /// Returns the number of requests to the Data API for one order.
    pub(crate) fn statements(&self) -> Result<Decimal> {
        let statements = self.branches.iter().map(|branch| branch.calls.statements);
        sum([total(statements)?, self.mails()?])
    }

    /// Returns the duration of all invocations for one order in milliseconds.
    pub(crate) fn busy(&self, assumptions: &Assumptions) -> Result<Decimal> {
        let own = assumptions.handler_ms.value;
        let durations = self.handlers().map(|calls| calls.milliseconds(own, assumptions));
        let durations = total(durations.collect::<Result<Vec<_>>>()?)?;
        let event = Counts { statements: Decimal::ONE, ..Counts::default() };
        let event = event.milliseconds(own, assumptions)?;
        sum([durations, product([self.mails()?, event])?])
    }
}

impl Reconcile {
    /// A search lists all stored orders, and compares the orders of the last `ReconcileDays` days.
    pub(crate) fn of(template: &Rendered<'_>, assumptions: &Assumptions) -> Result<Self> {
        let minutes = Decimal::from_int(DAYS * 24 * 60);
        let runs = divide(minutes, template.minutes_between("ReconcileEvery")?)?;
        let listed = shift(assumptions.stored_months.value, LISTED)?;
        let days = product([runs, template.number("ReconcileDays")?])?;
        let compared = divide(days, Decimal::from_int(DAYS))?;
        let per_order = Counts {
            objects: product([runs, listed])?,
            statements: shift(compared, COMPARED)?,
            ..Counts::default()
        };
        // A search ends with an empty page, and reads where the last one stopped.
        let per_run =
            Counts { objects: Decimal::ONE, statements: Decimal::ONE, ..Counts::default() };
        Ok(Self { runs, per_order, per_run })
    }
}
