//! Bills: orders against independently computed amounts, to the cent, rounded `half_even` and
//! `half_up`, and orders without a rate.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use num_bigint::BigInt;
use oms_cli::DirectoryFiles;
use oms_engine::plan::{Checker, Semantics};
use oms_engine::run::Rehearsal;
use oms_engine::step::Registry;
use serde_json::Value as Json;

use crate::harness::{Scratch, TestPipeline, dump, lines, root, test_data};

/// A row of a file of expected amounts, by column.
type ExpectedRow = BTreeMap<String, String>;

/// Reads a CSV file without quotes.
fn read_expected(path: &Path) -> Vec<ExpectedRow> {
    let lines = lines(path);
    let header: Vec<&str> = lines[0].split(',').collect();
    let row = |line: &String| {
        let names = header.iter().map(|name| (*name).to_owned());
        names.zip(line.split(',').map(str::to_owned)).collect()
    };
    lines[1..].iter().map(row).collect()
}

fn bills(site: &TestPipeline) -> BTreeMap<String, Json> {
    let key = |row: &Json| row["order_id"].as_str().unwrap().to_owned();
    site.export("billing_data").into_iter().map(|row| (key(&row), row)).collect()
}

/// Creates a copy of the storefront with this rounding.
fn storefront(scratch: &Scratch, rounding: &str) -> TestPipeline {
    scratch.edit(
        "pipelines/storefront.yaml",
        "rounding: half_even",
        &format!("rounding: {rounding}"),
    );
    TestPipeline {
        pipeline: scratch.path("pipelines/storefront.yaml"),
        state: scratch.path("state"),
    }
}

/// Returns whether two decimals are equal, ignoring trailing zeros.
fn same(left: &str, right: &str) -> bool {
    let trimmed = |text: &str| -> String {
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text.to_owned()
        }
    };
    trimmed(left) == trimmed(right)
}

/// Compares bills with the expected amounts. An order without a rate must not be billed.
#[track_caller]
fn compare(bills: &BTreeMap<String, Json>, expected: &[ExpectedRow], column: &str) {
    for row in expected {
        let id = &row["order_id"];
        if row["status"] != "OK" {
            assert!(!bills.contains_key(id), "{id} was billed without a rate");
            continue;
        }
        let bill = bills.get(id).unwrap_or_else(|| panic!("{id} was not billed"));
        assert_eq!(bill["amount_usd"], row[column].as_str(), "{id}");
        assert!(same(bill["amount"].as_str().unwrap(), &row["amount"]), "{id}: {bill}");
        // US dollars are not converted, so no row of the rate table applies.
        if row["currency"] != "USD" {
            assert_eq!(bill["rate_date"], row["rate_date"].as_str(), "{id}");
            assert!(same(bill["from_rate"].as_str().unwrap(), &row["rate_currency"]), "{id}");
            assert!(same(bill["to_rate"].as_str().unwrap(), &row["rate_usd"]), "{id}");
        }
    }
}

#[test]
fn two_thousand_orders_are_billed_to_the_cent_and_a_second_run_changes_nothing() {
    let Some(data) = test_data("two thousand orders") else { return };
    let scratch = Scratch::new();
    let site = TestPipeline::storefront(scratch.path("state"));
    let input = data.join("orders/orders-sample.ndjson");
    let (code, first) = site.run(&input);
    assert_eq!(
        (code, &first["read"], &first["completed"]),
        (0, &2000.into(), &2000.into()),
        "{first}"
    );
    let bills = bills(&site);
    assert_eq!(bills.len(), 2000);
    let expected = read_expected(&data.join("orders/expected-usd-first-200.csv"));
    assert_eq!(expected.len(), 200);
    compare(&bills, &expected, "usd_half_even");
    assert_eq!(site.count("select count(*) from oms_objects"), 2000);
    assert_eq!(site.count("select count(*) from oms_mails"), 2000);

    let before = dump(&site.connection());
    let (code, second) = site.run(&input);
    assert_eq!(
        (code, &second["duplicates"], &second["accepted"]),
        (0, &2000.into(), &0.into()),
        "{second}"
    );
    assert!(before == dump(&site.connection()), "the second run changed the state");
}

#[test]
fn half_a_cent_is_rounded_as_configured() {
    let Some(data) = test_data("rounding ties") else { return };
    let expected = read_expected(&data.join("orders/expected-rounding-ties.csv"));
    let differ = expected.iter().filter(|row| row["usd_half_even"] != row["usd_half_up"]).count();
    assert_eq!((expected.len(), differ), (60, 33));
    for (rounding, column) in [("half_even", "usd_half_even"), ("half_up", "usd_half_up")] {
        let scratch = Scratch::with_pipelines();
        let site = storefront(&scratch, rounding);
        let (code, summary) = site.run(&data.join("orders/rounding-ties.ndjson"));
        // The customer is unknown, so the step `contact` fails and the runs are parked. The bills
        // remain.
        assert_eq!((code, &summary["parked"]), (1, &60.into()), "{summary}");
        let causes = site.count("select count(*) from oms_runs where cause = 'no_row'");
        assert_eq!(causes, 60);
        compare(&bills(&site), &expected, column);
    }
}

#[test]
fn the_rate_of_the_day_in_utc_applies() {
    let Some(data) = test_data("date edges") else { return };
    let mut expected = read_expected(&data.join("orders/expected-date-edges.csv"));
    // The file of expected amounts ends with the lev's last quote. The euro replaced the lev on
    // 2026-01-01 at 1.95583 (Council Regulation (EU) 2025/1409).
    for (id, rate_date, usd, amount) in
        [("DATE-09", "2026-01-02", "1.1721", "59.93"), ("DATE-10", "2026-06-01", "1.1646", "59.55")]
    {
        let row = expected.iter_mut().find(|row| row["order_id"] == id).unwrap();
        row.extend(
            [
                ("rate_date", rate_date),
                ("rate_currency", "1.95583"),
                ("rate_usd", usd),
                ("usd_half_even", amount),
                ("usd_half_up", amount),
                ("status", "OK"),
            ]
            .map(|(column, value)| (column.to_owned(), value.to_owned())),
        );
    }
    for (rounding, column) in [("half_even", "usd_half_even"), ("half_up", "usd_half_up")] {
        let scratch = Scratch::with_pipelines();
        let site = storefront(&scratch, rounding);
        let (_, summary) = site.run(&data.join("orders/date-edges.ndjson"));
        assert_eq!(summary["read"], 12, "{summary}");
        compare(&bills(&site), &expected, column);
        assert_eq!(site.count("select count(*) from oms_runs where cause like '%no_rate%'"), 1);
    }
}

#[test]
fn the_orders_of_the_original_system_are_billed_at_its_fixed_rates() {
    let Some(data) = test_data("orders in the origin's shape") else { return };
    let expected = read_expected(&data.join("orders/orders-origin-shape-expected.csv"));
    assert_eq!(expected.len(), 183);
    for (rounding, column) in
        [("half_even", "bill_amount_usd_half_even"), ("half_up", "bill_amount_usd_half_up")]
    {
        let scratch = Scratch::with_pipelines();
        scratch.edit(
            "pipelines/order-management.yaml",
            "    quote: base_per_unit\n",
            &format!("    quote: base_per_unit\n    rounding: {rounding}\n"),
        );
        let pipeline = scratch.path("pipelines/order-management.yaml");
        let site = TestPipeline { pipeline, state: scratch.path("state") };
        let (_, summary) = site.run(&data.join("orders/orders-origin-shape.ndjson"));
        assert_eq!(summary["accepted"], 183, "{summary}");
        let rows = site.export("billing_data");
        // The original system dropped a customer's second order of a day. Here each order has a
        // row.
        assert_eq!(rows.len(), 183);
        for wanted in &expected {
            let key = format!("orders-origin-shape-{}", wanted["line"]);
            let row = rows.iter().find(|row| row["order_key"] == key.as_str()).unwrap();
            assert_eq!(row["bill_amount_usd"], wanted[column].as_str(), "{key}");
            assert_eq!(row["bill_amount"], wanted["bill_amount"].as_str(), "{key}");
            assert_eq!(row["customer_id"], wanted["customer_id"].as_str(), "{key}");
            let date: Vec<&str> = wanted["bill_date"].split('/').collect();
            assert_eq!(row["bill_date"], format!("{}-{}-{}", date[2], date[0], date[1]), "{key}");
        }
    }
}

/// Splits a decimal into an integer and the number of its decimal places.
fn exact(text: &str) -> (BigInt, u32) {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    (format!("{whole}{fraction}").parse().unwrap(), u32::try_from(fraction.len()).unwrap())
}

/// Returns `amount * to / from` in cents, rounded half to even.
fn cents(amount: &str, from: &str, to: &str) -> BigInt {
    let ((amount, a), (from, f), (to, t)) = (exact(amount), exact(from), exact(to));
    let ten = |power: u32| BigInt::from(10).pow(power);
    let above: BigInt = amount * to * ten(f) * 100;
    let below = from * ten(a + t);
    let negative = above < BigInt::ZERO;
    let above: BigInt = if negative { -above } else { above };
    let (whole, rest) = (&above / &below, (&above % &below) * 2);
    let odd = &whole % 2 != BigInt::ZERO;
    let rounded = if rest > below || (rest == below && odd) { whole + 1 } else { whole };
    if negative { -rounded } else { rounded }
}

/// The ECB's file by day: units of each currency per euro.
struct Ecb {
    /// Newest first.
    days: Vec<(jiff::civil::Date, BTreeMap<String, String>)>,
}

impl Ecb {
    fn read(path: &Path) -> Self {
        let mut days: Vec<_> = read_expected(path)
            .into_iter()
            .map(|mut row| {
                let date = row.remove("Date").unwrap().parse().unwrap();
                row.retain(|name, rate| !name.is_empty() && rate != "N/A" && !rate.is_empty());
                row.insert("EUR".to_owned(), "1".to_owned());
                (date, row)
            })
            .collect();
        days.sort_by_key(|(date, _)| std::cmp::Reverse(*date));
        Self { days }
    }

    /// Returns the newest day that quotes these currencies, at most a week before the given day.
    fn on(
        &self,
        day: jiff::civil::Date,
        currencies: &[&str],
    ) -> Option<&(jiff::civil::Date, BTreeMap<String, String>)> {
        let found = self.days.iter().find(|(date, rates)| {
            *date <= day && currencies.iter().all(|code| rates.contains_key(*code))
        })?;
        let age = day.since(found.0).unwrap().get_days();
        (age <= 7).then_some(found)
    }
}

fn utc_day(order: &Json) -> jiff::civil::Date {
    let at: jiff::Timestamp = order["placed_at"].as_str().unwrap().parse().unwrap();
    at.to_zoned(jiff::tz::TimeZone::UTC).date()
}

#[test]
fn credit_notes_agree_with_exact_rationals() {
    let Some(data) = test_data("credit notes") else { return };
    let ecb = Ecb::read(&data.join("fx/eurofxref-hist-2023-2026.csv"));
    let scratch = Scratch::new();
    let site = TestPipeline::storefront(scratch.path("state"));
    let input = data.join("orders/credit-notes.ndjson");
    let (code, summary) = site.run(&input);
    assert_eq!((code, &summary["completed"]), (0, &99.into()), "{summary}");
    let bills = bills(&site);
    for line in lines(&input) {
        let order: Json = serde_json::from_str(&line).unwrap();
        let id = order["order_id"].as_str().unwrap();
        let currency = order["currency"].as_str().unwrap();
        let (_, rates) = ecb.on(utc_day(&order), &["USD", currency]).unwrap();
        let expected = if currency == "USD" {
            cents(order["amount"].as_str().unwrap(), "1", "1")
        } else {
            cents(order["amount"].as_str().unwrap(), &rates[currency], &rates["USD"])
        };
        let billed: BigInt =
            bills[id]["amount_usd"].as_str().unwrap().replace('.', "").parse().unwrap();
        assert_eq!(billed, expected, "{id}");
        assert!(billed < BigInt::ZERO, "{id} is not a credit note");
    }
}

#[test]
fn orders_without_a_rate_are_parked_and_complete_once_it_is_added() {
    let Some(data) = test_data("orders without a rate") else { return };
    let ecb = Ecb::read(&data.join("fx/eurofxref-hist-2023-2026.csv"));
    let scratch = Scratch::with_pipelines();
    let site = storefront(&scratch, "half_even");
    let input = data.join("orders/orders-no-ecb-rate.ndjson");
    let (code, summary) = site.run(&input);
    assert_eq!(
        (code, &summary["parked"], &summary["completed"]),
        (1, &67.into(), &0.into()),
        "{summary}"
    );
    assert_eq!(
        site.count("select count(*) from oms_runs where state = 'parked' and cause = 'no_rate'"),
        67
    );
    assert_eq!(site.count("select count(*) from billing_data"), 0);
    assert_eq!(site.count("select count(*) from oms_mails"), 0);
    assert_eq!(site.count("select count(*) from oms_objects"), 67);

    let orders: Vec<Json> =
        lines(&input).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut rates = BTreeMap::new();
    for order in &orders {
        let (date, _) = ecb.on(utc_day(order), &["USD"]).unwrap();
        rates.insert((date.to_string(), order["currency"].as_str().unwrap()), "36.5");
    }
    let mut text = "date,currency,per_eur\n".to_owned();
    for ((date, currency), rate) in &rates {
        text.push_str(&format!("{date},{currency},{rate}\n"));
    }
    scratch.write("pipelines/storefront/rates-extra.csv", text);
    let stored = site.count("select sum(stored_at) from oms_objects");
    let retried =
        site.call(&["runs", "retry"], &["--cause", "no_rate", "--format", "json"]).exits(0);
    let summary = retried.json();
    assert_eq!((&summary["completed"], &summary["parked"]), (&67.into(), &0.into()), "{summary}");
    let bills = bills(&site);
    assert_eq!(bills.len(), 67);
    for order in &orders {
        let (_, rates) = ecb.on(utc_day(order), &["USD"]).unwrap();
        let bill = &bills[order["order_id"].as_str().unwrap()];
        let billed: BigInt = bill["amount_usd"].as_str().unwrap().replace('.', "").parse().unwrap();
        assert_eq!(
            billed,
            cents(order["amount"].as_str().unwrap(), "36.5", &rates["USD"]),
            "{bill}"
        );
    }
    assert_eq!(site.count("select count(*) from oms_mails"), 67);
    assert_eq!(
        site.count("select sum(stored_at) from oms_objects"),
        stored,
        "an object was stored again"
    );
}

#[test]
fn a_run_of_earlier_semantics_keeps_its_rate_after_the_euro_changeover() {
    let checker = Checker::new(Registry::new(oms_steps::ALL.iter().copied()).unwrap()).unwrap();
    let folder = root().join("tests/cases/rates-euro-changeover");
    let (files, name) = DirectoryFiles::of(&folder.join("r-cro.yaml"));
    let orders = lines(&folder.join("o.ndjson"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for (semantics, amount, source) in [(2, "106.63", "ECB"), (3, "105.45", "euro+ECB")] {
        let semantics = Semantics::from_number(semantics).unwrap();
        let plan = Arc::new(checker.check_bundle(&name, &files, semantics).plan.unwrap());
        let now = "2025-06-01T00:00:00Z".parse().unwrap();
        let rehearsal = Rehearsal::new(&plan, &files, now).unwrap();
        runtime.block_on(rehearsal.run(orders[0].as_bytes(), "order")).ok().unwrap();
        let contents = rehearsal.world().contents();
        let (stored, _) = contents.objects.values().next().unwrap();
        let stored: Json = serde_json::from_slice(stored).unwrap();
        assert_eq!((&stored["amount"], &stored["rate_source"]), (&amount.into(), &source.into()));
    }
}
