//! The quantities that the services of a stack bill, with the prices for them.

use oms_engine::money::Decimal;

use crate::arithmetic::{CostError, Result, count, divide, product, shift, sum, total};
use crate::cost::{DAYS, Line, Quantity};
use crate::prices::{Assumptions, PriceList, Prices};
use crate::rendered::Rendered;
use crate::usage::{Counts, Reconcile, Usage};

const HOURS: i64 = DAYS * 24;
const MINUTES: i64 = HOURS * 60;

/// The custom metrics of API Gateway for a method: number of calls, both latencies, and 4xx and 5xx
/// responses ("Amazon API Gateway dimensions and metrics").
const API_METRICS: i64 = 5;
/// The custom metrics of a configuration set: five types of events, and the rates of bounces and
/// complaints.
const MAIL_METRICS: i64 = 7;
/// The custom metrics of a branch: completed, parked and repeated orders, and the latency.
const BRANCH_METRICS: i64 = 4;
/// The custom metrics of the search for lost orders: `ReconcileGap` and `ReconcileOrders`.
const RECONCILE_METRICS: i64 = 2;
/// SQS requests of a message: send, receive and delete.
const MESSAGE_REQUESTS: i64 = 3;

/// Returns all billed quantities of a stack.
pub(crate) fn lines<'p>(
    usage: &Usage<'_>,
    template: &Rendered<'_>,
    prices: &'p Prices,
) -> Result<Vec<Line<'p>>> {
    let Prices { prices: list, assumptions, .. } = prices;
    let cx = Context { usage, template, list, assumptions };
    let groups = [
        cx.functions()?,
        cx.objects()?,
        cx.messages()?,
        cx.database()?,
        cx.mail()?,
        cx.monitoring()?,
    ];
    Ok(groups.into_iter().flatten().collect())
}

/// The data from which the quantities are computed.
struct Context<'a, 'p> {
    usage: &'a Usage<'a>,
    template: &'a Rendered<'a>,
    list: &'p PriceList,
    assumptions: &'p Assumptions,
}

impl<'p> Context<'_, 'p> {
    /// API Gateway and Lambda.
    fn functions(&self) -> Result<Vec<Line<'p>>> {
        let memory = self.template.number("MemorySize")?;
        let memory = divide(memory, Decimal::from_int(1_024))?;
        let seconds = |ms: Decimal| product([memory, shift(ms, 3)?]);
        let mut busy = self.usage.busy(self.assumptions)?;
        let mut busy_per_month = Decimal::ZERO;
        if let Some(Reconcile { runs, per_order, per_run }) = &self.usage.reconcile {
            let own = per_order.milliseconds(Decimal::ZERO, self.assumptions)?;
            busy = sum([busy, own])?;
            let run = per_run.milliseconds(self.assumptions.handler_ms.value, self.assumptions)?;
            busy_per_month = product([*runs, run])?;
        }
        if self.usage.refresh {
            let calls = Counts { objects: Decimal::from_int(2), ..Counts::default() };
            let run = calls.milliseconds(self.assumptions.handler_ms.value, self.assumptions)?;
            let runs = product([self.assumptions.rates_updates.value, run])?;
            busy_per_month = sum([busy_per_month, runs])?;
        }
        let (list, each) = (self.list, Quantity::per_order(Decimal::ONE));
        let response = Quantity::per_order(shift(self.assumptions.response_kb.value, 6)?);
        let busy = Quantity::of(seconds(busy)?, seconds(busy_per_month)?);
        Ok(vec![
            Line::new("API Gateway", "requests", each, &list.api_gateway_request),
            Line::new("Data transfer", "GB of responses", response, &list.data_transfer_gb),
            Line::new("Lambda", "requests", self.invocations()?, &list.lambda_request),
            Line::new("Lambda", "GB-seconds", busy, &list.lambda_gb_second),
        ])
    }

    /// Invocations of all functions.
    fn invocations(&self) -> Result<Quantity> {
        Ok(Quantity::of(self.usage.invocations()?, self.scheduled()?))
    }

    /// Invocations of the scheduled functions per month.
    fn scheduled(&self) -> Result<Decimal> {
        let runs = self.usage.reconcile.as_ref().map_or(Decimal::ZERO, |found| found.runs);
        sum([runs, self.updates()])
    }

    /// Updates of the exchange rates per month.
    fn updates(&self) -> Decimal {
        if self.usage.refresh { self.assumptions.rates_updates.value } else { Decimal::ZERO }
    }

    /// S3.
    fn objects(&self) -> Result<Vec<Line<'p>>> {
        let list = self.list;
        let reads = self.usage.branches.iter().map(|branch| branch.calls.objects);
        let mut puts = Quantity::of(Decimal::ONE, self.updates());
        if let Some(Reconcile { runs, per_order, per_run }) = &self.usage.reconcile {
            puts.per_order = sum([puts.per_order, per_order.objects])?;
            puts.per_month = sum([puts.per_month, product([*runs, per_run.objects])?])?;
        }
        let months = self.assumptions.stored_months.value;
        let order = product([shift(self.assumptions.order_kb.value, 6)?, months])?;
        let rates = shift(self.assumptions.rates_mb.value, 3)?;
        let rates = product([rates, self.updates(), months])?;
        let readers = self.usage.branches.iter().filter(|branch| branch.rates).count();
        let reads_of_rates = product([self.updates(), sum([Decimal::ONE, count(readers)?])?])?;
        let gets = Quantity::of(total(reads)?, reads_of_rates);
        let stored = Quantity::of(order, rates);
        let mut lines = vec![
            Line::new("S3", "PUT and LIST requests", puts, &list.s3_put),
            Line::new("S3", "GET requests", gets, &list.s3_get),
            Line::new("S3", "GB stored for a month", stored, &list.s3_storage_gb),
        ];
        if self.usage.refresh {
            let heads = Quantity::per_order(Decimal::ONE).up_to(Decimal::from_int(MINUTES));
            lines.push(Line::new("S3", "HEAD requests for exchange rates", heads, &list.s3_get));
        }
        Ok(lines)
    }

    /// SNS and SQS.
    fn messages(&self) -> Result<Vec<Line<'p>>> {
        let list = self.list;
        let requests = Decimal::from_int(MESSAGE_REQUESTS);
        let queues =
            Decimal::from(i64::from(self.template.count("AWS::Lambda::EventSourceMapping")));
        let empty = product([queues, self.assumptions.empty_receives.value])?;
        let dead_letters = self.usage.branches.iter().filter(|branch| branch.database).count();
        let runs = self.usage.reconcile.as_ref().map_or(Decimal::ZERO, |found| found.runs);
        let empty = sum([empty, product([runs, count(dead_letters)?])?])?;
        // An event of SES is a message, too.
        let mails = self.usage.mails()?;
        let messages = sum([count(self.usage.branches.len())?, mails])?;
        let requests = Quantity::of(product([requests, messages])?, empty);
        let published = Quantity::per_order(sum([Decimal::ONE, mails])?);
        Ok(vec![
            Line::new("SNS", "published messages", published, &list.sns_publish),
            Line::new("SQS", "requests", requests, &list.sqs_request),
        ])
    }

    /// Aurora, the Data API and Secrets Manager.
    fn database(&self) -> Result<Vec<Line<'p>>> {
        let Some(reconcile) = self.usage.reconcile.as_ref().filter(|_| self.usage.database) else {
            return Ok(Vec::new());
        };
        let (list, assumptions, template) = (self.list, self.assumptions, self.template);
        let statements = Quantity::of(
            sum([self.usage.statements()?, reconcile.per_order.statements])?,
            product([reconcile.runs, reconcile.per_run.statements])?,
        );
        let rows = shift(assumptions.rows_kb.value, 6)?;
        let stored = product([rows, assumptions.stored_months.value])?;
        let backups = divide(template.number("DatabaseBackupDays")?, Decimal::from_int(DAYS))?;
        // RDS creates the secret of the database's owner.
        let secrets = i64::from(template.count("AWS::SecretsManager::Secret")) + 1;
        let calls = statements.times(assumptions.statement_secret_calls.value)?;
        let io = statements.times(assumptions.statement_io.value)?;
        let backups = Quantity::per_order(product([rows, backups])?);
        let secrets = Quantity::per_month(Decimal::from_int(secrets));
        let stored = Quantity::per_order(stored);
        Ok(vec![
            Line::new("RDS Data API", "requests", statements, &list.data_api_request),
            Line::new("Aurora", "ACU-hours", self.capacity(reconcile)?, &list.aurora_acu_hour),
            Line::new("Aurora", "GB stored for a month", stored, &list.aurora_storage_gb),
            Line::new("Aurora", "I/O requests", io, &list.aurora_io),
            Line::new("Aurora", "GB of backups for a month", backups, &list.aurora_backup_gb),
            Line::new("Secrets Manager", "secrets", secrets, &list.secret),
            Line::new("Secrets Manager", "requests", calls, &list.secret_call),
        ])
    }

    /// The ACU-hours of the database. A database that pauses is active for the idle time after each
    /// order and each search for lost orders, and never for more than the month.
    fn capacity(&self, reconcile: &Reconcile) -> Result<Quantity> {
        let active = self.assumptions.active_acu.value;
        let min = self.template.number("DatabaseMinCapacity")?;
        let hours = Decimal::from_int(HOURS);
        if !min.is_zero() {
            return Ok(Quantity::per_month(product([min.max(active), hours])?));
        }
        let idle = self.template.number("DatabasePauseSeconds")?;
        let idle = product([active, divide(idle, Decimal::from_int(3_600))?])?;
        let searches = product([reconcile.runs, idle])?;
        Ok(Quantity::of(idle, searches).up_to(product([active, hours])?))
    }

    /// SES.
    fn mail(&self) -> Result<Vec<Line<'p>>> {
        let mails = Quantity::per_order(self.usage.mails()?);
        let line = Line::new("SES", "e-mails", mails, &self.list.ses_email);
        Ok(if self.usage.mail { vec![line] } else { Vec::new() })
    }

    /// CloudWatch and X-Ray.
    fn monitoring(&self) -> Result<Vec<Line<'p>>> {
        let list = self.list;
        let alarms = Decimal::from(i64::from(self.template.count("AWS::CloudWatch::Alarm")));
        let branches = i64::try_from(self.usage.branches.len()).map_err(|_| CostError::Digits)?;
        let metrics = API_METRICS
            + branches * BRANCH_METRICS
            + if self.usage.mail { MAIL_METRICS } else { 0 }
            + if self.usage.reconcile.is_some() { RECONCILE_METRICS } else { 0 };
        let invocations = self.invocations()?;
        let logs = invocations.times(shift(self.assumptions.log_kb.value, 6)?)?;
        let kept = divide(self.template.number("LogRetentionDays")?, Decimal::from_int(DAYS))?;
        // The trace of a request includes the intake. Other handlers start their own traces.
        let traces = sum([count(self.usage.branches.len() + 1)?, self.usage.mails()?])?;
        let traces = Quantity::of(traces, self.scheduled()?);
        let alarms = Quantity::per_month(alarms);
        let dashboards = self.template.count("AWS::CloudWatch::Dashboard");
        let dashboards = Quantity::per_month(i64::from(dashboards).into());
        let metrics = Quantity::per_month(Decimal::from_int(metrics));
        let stored = logs.times(kept)?;
        Ok(vec![
            Line::new("CloudWatch", "alarms", alarms, &list.cloudwatch_alarm),
            Line::new("CloudWatch", "dashboards", dashboards, &list.cloudwatch_dashboard),
            Line::new("CloudWatch", "custom metrics", metrics, &list.cloudwatch_metric),
            Line::new("CloudWatch", "GB of new logs", logs, &list.logs_ingestion_gb),
            Line::new("CloudWatch", "GB of logs for a month", stored, &list.logs_storage_gb),
            Line::new("X-Ray", "traces", traces, &list.xray_trace),
        ])
    }
}
