//! The monthly cost of a stack: the quantities that its services bill, multiplied by the prices of
//! a price file.
//!
//! The quantities come from the plan ([`Usage`]), the rendered template ([`Rendered`]) and the
//! assumptions of the price file. All numbers are exact decimals. A cost is rounded once, when it
//! is shown.

use oms_engine::money::Decimal;
use serde::Serialize;

use crate::arithmetic::{Result, format_money, format_quantity, grouped, product, shift, sum};
use crate::billing::lines;
use crate::charges::{self, FreeTypes};
use crate::prices::{Price, Prices};
use crate::rendered::Rendered;
use crate::throughput::{self, Limit};
use crate::usage::Usage;

/// The numbers of orders per month for which the cost is shown.
const VOLUMES: [i64; 3] = [1_000, 100_000, 1_000_000];
/// A month has 30 days.
pub(crate) const DAYS: i64 = 30;

/// The cost and the throughput of a stack, as data for the README.
#[derive(Debug, Serialize)]
pub(crate) struct Cost<'p> {
    prices: &'p Prices,
    volumes: [String; VOLUMES.len()],
    lines: Vec<LineView<'p>>,
    totals: [String; VOLUMES.len()],
    free: Vec<FreeTypes<'p>>,
    /// The limits of the throughput, the smallest one first.
    limits: Vec<Limit>,
}

/// A billed quantity.
pub(crate) struct Line<'p> {
    pub(crate) service: &'static str,
    item: &'static str,
    quantity: Quantity,
    price: &'p Price,
}

/// A quantity per month: a part for each order, and a part that does not depend on orders.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quantity {
    pub(crate) per_order: Decimal,
    pub(crate) per_month: Decimal,
    max: Option<Decimal>,
}

/// A line of the cost table.
#[derive(Debug, Serialize)]
struct LineView<'p> {
    service: &'static str,
    item: &'static str,
    per_order: String,
    per_month: String,
    price: String,
    source: &'p str,
    costs: [String; VOLUMES.len()],
}

/// Computes the cost and the throughput of a stack.
///
/// # Errors
/// Returns an error if a number has too many digits, or the template lacks a number.
pub(crate) fn cost<'p>(
    usage: &Usage<'_>,
    template: &'p Rendered<'_>,
    prices: &'p Prices,
) -> Result<Cost<'p>> {
    let lines = lines(usage, template, prices)?;
    let mut totals = [Decimal::ZERO; VOLUMES.len()];
    let mut views = Vec::new();
    for line in &lines {
        let costs = line.costs()?;
        for (total, cost) in totals.iter_mut().zip(&costs) {
            *total = sum([*total, *cost])?;
        }
        views.push(line.view(costs.map(format_money)));
    }
    Ok(Cost {
        prices,
        volumes: VOLUMES.map(|orders| grouped(Decimal::from_int(orders))),
        lines: views,
        totals: totals.map(format_money),
        free: charges::free_types(template),
        limits: throughput::limits(usage, template, &prices.assumptions)?,
    })
}

impl<'p> Line<'p> {
    pub(crate) fn new(
        service: &'static str,
        item: &'static str,
        quantity: Quantity,
        price: &'p Price,
    ) -> Self {
        Self { service, item, quantity, price }
    }

    /// Returns the exact cost for each number of orders.
    fn costs(&self) -> Result<[Decimal; VOLUMES.len()]> {
        let mut costs = [Decimal::ZERO; VOLUMES.len()];
        for (cost, orders) in costs.iter_mut().zip(VOLUMES) {
            let quantity = self.quantity.at(Decimal::from_int(orders))?;
            // `per` is a power of ten.
            *cost = product([quantity, shift(self.price.usd, self.price.per.ilog10())?])?;
        }
        Ok(costs)
    }

    fn view(&self, costs: [String; VOLUMES.len()]) -> LineView<'p> {
        let Quantity { per_order, per_month, max } = self.quantity;
        let max = max.map(|max| format!("at most {}", format_quantity(max)));
        let fixed = (!per_month.is_zero()).then(|| format_quantity(per_month));
        LineView {
            service: self.service,
            item: self.item,
            per_order: if per_order.is_zero() { String::new() } else { format_quantity(per_order) },
            per_month: fixed.into_iter().chain(max).collect::<Vec<_>>().join("; "),
            price: match self.price.per {
                1 => self.price.usd.to_string(),
                per => format!("{} per {}", self.price.usd, grouped(i64::from(per).into())),
            },
            source: &self.price.source,
            costs,
        }
    }
}

impl Quantity {
    pub(crate) fn of(per_order: Decimal, per_month: Decimal) -> Self {
        Self { per_order, per_month, max: None }
    }

    pub(crate) fn per_order(per_order: Decimal) -> Self {
        Self::of(per_order, Decimal::ZERO)
    }

    pub(crate) fn per_month(per_month: Decimal) -> Self {
        Self::of(Decimal::ZERO, per_month)
    }

    pub(crate) fn up_to(self, max: Decimal) -> Self {
        Self { max: Some(max), ..self }
    }

    /// Multiplies a quantity that has no maximum.
    pub(crate) fn times(self, factor: Decimal) -> Result<Self> {
        Ok(Self::of(product([self.per_order, factor])?, product([self.per_month, factor])?))
    }

    /// Returns the quantity for a month with this number of orders.
    fn at(self, orders: Decimal) -> Result<Decimal> {
        let quantity = sum([product([self.per_order, orders])?, self.per_month])?;
        Ok(self.max.map_or(quantity, |max| quantity.min(max)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value as Json, json};

    use super::*;
    use crate::prices;
    use crate::usage::{Branch, Counts, Reconcile};

    /// A template with two branches, their alarms and secrets.
    const TEMPLATE: &str = "\
Parameters:
  IntakeRate:
    Default: 50
  IntakeDailyQuota:
    Default: 1000000
  MailRate:
    Default: 1
  DatabaseMinCapacity:
    Default: 0
  DatabaseMaxCapacity:
    Default: 4
  DatabasePauseSeconds:
    Default: 900
  DatabaseBackupDays:
    Default: 15
  BranchConcurrency:
    Default: 3
  LogRetentionDays:
    Default: 60
  ReconcileEvery:
    Default: rate(6 hours)
  ReconcileDays:
    Default: 15
Globals:
  Function:
    MemorySize: 512
Resources:
  BillSource:
    Type: AWS::Lambda::EventSourceMapping
  MailSource:
    Type: AWS::Lambda::EventSourceMapping
  BillSecret:
    Type: AWS::SecretsManager::Secret
  MailSecret:
    Type: AWS::SecretsManager::Secret
  BillAlarm:
    Type: AWS::CloudWatch::Alarm
  Role:
    Type: AWS::IAM::Role
";

    /// A price file in which every price that is not listed is zero.
    fn price_file(listed: &[(&str, &str, u32)]) -> Prices {
        let mut file: Json = serde_json::from_str(prices::DEFAULT).unwrap();
        for (name, price) in file["prices"].as_object_mut().unwrap() {
            let found = listed.iter().find(|(listed, ..)| listed == name);
            let (usd, per) = found.map_or(("0", 1), |(_, usd, per)| (usd, *per));
            (price["usd"], price["per"]) = (json!(usd), json!(per));
        }
        for (name, value) in [
            ("order_kb", "5"),
            ("stored_months", "10"),
            ("handler_ms", "10"),
            ("s3_ms", "20"),
            ("data_api_ms", "30"),
            ("ses_ms", "100"),
            ("active_acu", "0.5"),
            ("empty_receives", "1000"),
            ("log_kb", "2"),
            ("rows_kb", "4"),
            ("statement_io", "2"),
            ("statement_secret_calls", "1"),
            ("account_concurrency", "10"),
            ("statements_per_acu", "100"),
            ("rates_updates", "20"),
            ("rates_mb", "3"),
        ] {
            file["assumptions"][name]["value"] = json!(value);
        }
        Prices::read(file.to_string().as_bytes()).unwrap()
    }

    fn calls(objects: i64, statements: i64, mails: i64) -> Counts {
        let [objects, statements, mails] = [objects, statements, mails].map(Decimal::from_int);
        Counts { objects, statements, mails }
    }

    fn usage(template: &Rendered<'_>, prices: &Prices) -> Usage<'static> {
        let branch = |name, calls| Branch { name, calls, database: true, rates: false };
        Usage {
            intake: Some(calls(1, 0, 0)),
            branches: vec![branch("bill", calls(1, 2, 0)), branch("mail", calls(1, 3, 1))],
            reconcile: Some(Reconcile::of(template, &prices.assumptions).unwrap()),
            refresh: false,
            database: true,
            mail: true,
        }
    }

    /// Asserts the quantities of a line, and its costs.
    #[track_caller]
    fn check(cost: &Cost<'_>, (service, item): (&str, &str), expected: [&str; 5]) {
        let found = cost.lines.iter().find(|line| (line.service, line.item) == (service, item));
        let found = found.unwrap();
        let [one, some, many] = &found.costs;
        assert_eq!([&found.per_order, &found.per_month, one, some, many], expected, "{item}");
    }

    #[test]
    fn costs_are_the_quantities_times_the_prices() {
        let prices = price_file(&[
            ("api_gateway_request", "3.50", 1_000_000),
            ("lambda_request", "0.20", 1_000_000),
            ("lambda_gb_second", "0.01", 1),
            ("s3_put", "0.005", 1_000),
            ("s3_storage_gb", "0.02", 1),
            ("sqs_request", "0.40", 1_000_000),
            ("data_api_request", "1", 1_000),
            ("aurora_acu_hour", "0.12", 1),
            ("aurora_backup_gb", "1", 1),
            ("secret", "0.40", 1),
            ("ses_email", "0.10", 1_000),
            ("cloudwatch_alarm", "0.10", 1),
            ("cloudwatch_metric", "0.30", 1),
            ("logs_storage_gb", "1", 1),
            ("xray_trace", "5.00", 1_000_000),
        ]);
        let template = Rendered::of(TEMPLATE);
        let cost = cost(&usage(&template, &prices), &template, &prices).unwrap();
        check(&cost, ("API Gateway", "requests"), ["1", "", "<0.01", "0.35", "3.50"]);
        // The intake, two branches and an event of SES; 120 searches per month.
        check(&cost, ("Lambda", "requests"), ["4", "120", "<0.01", "0.08", "0.80"]);
        // 30 + 90 + 220 + 40 ms, and 1.2 × 20 + 0.6 × 30 ms for searches; 120 × (10 + 20 + 30) ms.
        check(&cost, ("Lambda", "GB-seconds"), ["0.211", "3.6", "2.15", "211.04", "2,110.04"]);
        // The order, and 120 × 10 / 1,000 pages.
        check(&cost, ("S3", "PUT and LIST requests"), ["2.2", "120", "0.01", "1.10", "11.00"]);
        check(&cost, ("S3", "GB stored for a month"), ["0.00005", "", "<0.01", "0.10", "1.00"]);
        // Three requests in each of three queues; 2 × 1,000 empty ones and 2 × 120 of searches.
        check(&cost, ("SQS", "requests"), ["9", "2,240", "<0.01", "0.36", "3.60"]);
        // Five statements, one for an event, and 120 × 0.5 / 100 for searches.
        check(&cost, ("RDS Data API", "requests"), ["6.6", "120", "6.72", "660.12", "6,600.12"]);
        // 0.5 ACUs for 15 minutes, at most for 720 hours.
        check(
            &cost,
            ("Aurora", "ACU-hours"),
            ["0.125", "15; at most 360", "16.80", "43.20", "43.20"],
        );
        check(
            &cost,
            ("Aurora", "GB of backups for a month"),
            ["0.000002", "", "<0.01", "0.20", "2.00"],
        );
        // Two secrets of handlers, and the owner's.
        check(&cost, ("Secrets Manager", "secrets"), ["", "3", "1.20", "1.20", "1.20"]);
        check(&cost, ("SES", "e-mails"), ["1", "", "0.10", "10.00", "100.00"]);
        check(&cost, ("CloudWatch", "alarms"), ["", "1", "0.10", "0.10", "0.10"]);
        check(&cost, ("CloudWatch", "custom metrics"), ["", "22", "6.60", "6.60", "6.60"]);
        // Logs are kept for two months.
        check(
            &cost,
            ("CloudWatch", "GB of logs for a month"),
            ["0.000016", "0.00048", "0.02", "1.60", "16.00"],
        );
        check(&cost, ("X-Ray", "traces"), ["4", "120", "0.02", "2.00", "20.00"]);
        assert_eq!(cost.totals, ["33.73", "938.05", "8,919.16"]);
        let free = serde_json::to_value(&cost.free).unwrap();
        assert_eq!(free[0]["types"], json!(["AWS::IAM::Role"]));
    }

    #[test]
    fn the_smallest_limit_comes_first() {
        let prices = price_file(&[]);
        let template = Rendered::of(TEMPLATE);
        let cost = cost(&usage(&template, &prices), &template, &prices).unwrap();
        let limits = cost.limits.iter();
        let limits: Vec<_> = limits
            .map(|limit| format!("{} {}: {}", limit.service, limit.setting, limit.rate))
            .collect();
        assert_eq!(
            limits,
            [
                "SES `MailRate`: 1 order per second",
                "API Gateway `IntakeDailyQuota`: 11.5 orders per second",
                "Lambda `BranchConcurrency` of `mail`: 13.6 orders per second",
                "Lambda concurrency quota of the account: 26.3 orders per second",
                "Lambda `BranchConcurrency` of `bill`: 33.3 orders per second",
                "API Gateway `IntakeRate`: 50 orders per second",
                "Aurora `DatabaseMaxCapacity`: 66.6 orders per second",
                "S3 quota of AWS: 3,500 orders per second",
            ]
        );
    }

    #[test]
    fn a_database_that_does_not_pause_costs_the_whole_month() {
        let prices = price_file(&[("aurora_acu_hour", "0.12", 1)]);
        let text = TEMPLATE.replace("Default: 0\n", "Default: 2\n");
        let template = Rendered::of(&text);
        let cost = cost(&usage(&template, &prices), &template, &prices).unwrap();
        let expected = ["", "1,440", "172.80", "172.80", "172.80"];
        check(&cost, ("Aurora", "ACU-hours"), expected);
    }

    #[test]
    fn refreshed_exchange_rates_are_counted() {
        let prices = price_file(&[("s3_storage_gb", "1", 1), ("s3_get", "1", 10)]);
        let template = Rendered::of(TEMPLATE);
        let mut usage = usage(&template, &prices);
        usage.refresh = true;
        usage.branches[0].rates = true;
        let cost = cost(&usage, &template, &prices).unwrap();
        check(&cost, ("Lambda", "requests"), ["4", "140", "0.00", "0.00", "0.00"]);
        // 20 versions of 3 MB per month for 10 months.
        let expected = ["0.00005", "0.6", "0.65", "5.60", "50.60"];
        check(&cost, ("S3", "GB stored for a month"), expected);
        let expected = ["2", "40", "204.00", "20,004.00", "200,004.00"];
        check(&cost, ("S3", "GET requests"), expected);
        let expected = ["1", "at most 43,200", "100.00", "4,320.00", "4,320.00"];
        check(&cost, ("S3", "HEAD requests for exchange rates"), expected);
    }

    #[test]
    fn a_stack_without_tables_and_mail_has_no_database_and_no_ses() {
        let prices = price_file(&[]);
        let template = Rendered::of(TEMPLATE);
        let branches =
            vec![Branch { name: "log", calls: calls(1, 0, 0), database: false, rates: false }];
        let usage = Usage {
            intake: None,
            branches,
            reconcile: None,
            refresh: false,
            database: false,
            mail: false,
        };
        let cost = cost(&usage, &template, &prices).unwrap();
        let services: BTreeSet<&str> = cost.lines.iter().map(|line| line.service).collect();
        for service in ["Aurora", "RDS Data API", "Secrets Manager", "SES"] {
            assert!(!services.contains(service), "{service}");
        }
        check(&cost, ("CloudWatch", "custom metrics"), ["", "9", "0.00", "0.00", "0.00"]);
        check(&cost, ("Lambda", "requests"), ["1", "", "0.00", "0.00", "0.00"]);
        assert!(cost.limits.iter().all(|limit| !["SES", "Aurora"].contains(&limit.service)));
    }

    #[test]
    fn every_billed_resource_type_has_a_line() {
        let prices = price_file(&[]);
        let template = Rendered::of(TEMPLATE);
        let lines = lines(&usage(&template, &prices), &template, &prices).unwrap();
        let services: BTreeSet<&str> = lines.iter().map(|line| line.service).collect();
        for service in charges::billed_services() {
            assert!(services.contains(service), "{service}");
        }
        assert!(services.contains("X-Ray") && services.contains("RDS Data API"));
    }

    #[test]
    fn a_price_with_too_many_digits_is_an_error() {
        let prices = price_file(&[("sqs_request", "1234567890123456789012345678", 1)]);
        let template = Rendered::of(TEMPLATE);
        let error = cost(&usage(&template, &prices), &template, &prices).unwrap_err();
        assert!(error.to_string().contains("too many digits"), "{error}");
    }
}
