//! Concurrent runs behave as if they ran one after another. Generated orders read and replace each
//! other's rows. The outcome with high concurrency must equal that of a serial run.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::Path;

use oms_test_servers::{Server, find};
use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq};
use proptest::test_runner::{Config, TestRunner};

use crate::harness::{Scratch, TestPipeline, finish, setting};

/// Transfers between accounts. Each order reads two rows, replaces both if the first one covers the
/// amount, and records the balances that it saw. An account stores its last order.
const TRANSFERS: &str = r#"
oms: 1
name: transfers
order:
  schema:
    type: object
    required: [id, from, to, amount]
    properties: { id: { type: string }, from: { type: string }, to: { type: string }, amount: { type: integer, minimum: 0, maximum: 9 } }
  key: ${{ order.id }}
tables:
  accounts: { key: [name], columns: { name: text, balance: integer } }
  seen: { key: [id], columns: { id: text, from_balance: integer?, to_balance: integer? } }
  latest: { key: [name], columns: { name: text, id: text } }
steps:
  from: { uses: table.get, with: { table: accounts, key: { name: "${{ order.from }}" }, missing: "null" } }
  to: { uses: table.get, with: { table: accounts, key: { name: "${{ order.to }}" }, missing: "null" } }
  balances:
    uses: value.compute
    with:
      values:
        from: "${{ steps.from != null ? steps.from.balance : 20 }}"
        to: "${{ steps.to != null ? steps.to.balance : 20 }}"
  take:
    uses: table.upsert
    when: ${{ order.from != order.to && steps.balances.from >= order.amount }}
    with: { table: accounts, row: { name: "${{ order.from }}", balance: "${{ steps.balances.from - order.amount }}" } }
  give:
    uses: table.upsert
    needs: [take]
    with: { table: accounts, row: { name: "${{ order.to }}", balance: "${{ steps.balances.to + order.amount }}" } }
  note:
    uses: table.insert
    with: { table: seen, row: { id: "${{ order.id }}", from_balance: "${{ steps.balances.from }}", to_balance: "${{ steps.balances.to }}" } }
  last: { uses: table.upsert, with: { table: latest, row: { name: "${{ order.to }}", id: "${{ order.id }}" } } }
"#;

/// One read and one write that depends on it: `to := from % 1000 * 3 + amount`.
const REGISTERS: &str = r#"
oms: 1
name: registers
order:
  schema:
    type: object
    required: [id, from, to, amount]
    properties: { id: { type: string }, from: { type: string }, to: { type: string }, amount: { type: integer, minimum: 0, maximum: 9 } }
  key: ${{ order.id }}
tables:
  registers: { key: [name], columns: { name: text, value: integer } }
steps:
  from: { uses: table.get, with: { table: registers, key: { name: "${{ order.from }}" }, missing: "null" } }
  put:
    uses: table.upsert
    with:
      table: registers
      row: { name: "${{ order.to }}", value: "${{ (steps.from != null ? steps.from.value : 1) % 1000 * 3 + order.amount }}" }
"#;

#[derive(Clone, Debug)]
struct Order {
    id: String,
    from: char,
    to: char,
    amount: i64,
}

impl Order {
    fn line(&self) -> String {
        let Self { id, from, to, amount } = self;
        format!(r#"{{"id":"{id}","from":"{from}","to":"{to}","amount":{amount}}}"#)
    }
}

fn account() -> impl Strategy<Value = char> {
    prop::sample::select(vec!['a', 'b', 'c'])
}

/// Generates orders. About one in eight repeats the key of an earlier order.
fn orders(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Order>> {
    let order = (account(), account(), 0_i64..10, any::<u8>());
    prop::collection::vec(order, count).prop_map(|orders| {
        let named = orders.into_iter().enumerate().map(|(at, (from, to, amount, again))| {
            let of = if again < 32 { at / 2 } else { at };
            Order { id: format!("o{of}"), from, to, amount }
        });
        named.collect()
    })
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

/// Returns the number of cases: `OMS_CASES`, or the default.
fn cases(few: u32) -> u32 {
    setting("OMS_CASES").and_then(|cases| cases.parse().ok()).unwrap_or(few)
}

/// Returns the outcome of a file: the rows of each table, and the state and cause of each run.
fn outcome(site: &TestPipeline, tables: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    for table in tables {
        lines.extend(site.export(table).into_iter().map(|row| format!("{table} {row}")));
    }
    let connection = site.connection();
    let mut runs = connection
        .prepare(
            "select key || ' ' || state || ' ' || coalesce(cause, '') from oms_runs order by key",
        )
        .unwrap();
    let runs = runs.query_map([], |row| row.get::<_, String>(0)).unwrap();
    lines.extend(runs.map(Result::unwrap));
    lines
}

fn run(
    scratch: &Scratch,
    pipeline: &Path,
    name: &str,
    input: &Path,
    concurrency: &str,
) -> TestPipeline {
    let site = TestPipeline { pipeline: pipeline.to_owned(), state: scratch.path(name) };
    let input = input.to_string_lossy();
    let output = site.call(&["run"], &["--input", &input, "--concurrency", concurrency]);
    // Conflicts are expected. A crash is not.
    assert!(matches!(output.code, 0 | 1), "{}{}", output.stdout, output.stderr);
    site
}

#[test]
fn a_file_has_the_same_outcome_at_every_concurrency() {
    let tables = ["accounts", "seen", "latest"];
    runner(cases(12))
        .run(&orders(1..80), |orders| {
            let scratch = Scratch::new();
            let pipeline = scratch.write("transfers.yaml", TRANSFERS);
            let text: String = orders.iter().map(|order| order.line() + "\n").collect();
            let input = scratch.write("orders.ndjson", text);
            let alone = outcome(&run(&scratch, &pipeline, "1", &input, "1"), &tables);
            for concurrency in ["8", "64"] {
                let site = run(&scratch, &pipeline, concurrency, &input, concurrency);
                prop_assert_eq!(&outcome(&site, &tables), &alone, "concurrency {}", concurrency);
            }
            Ok(())
        })
        .unwrap();
}

/// Returns the registers after the orders, run one after another.
fn serial(orders: &[&Order]) -> Vec<(char, i64)> {
    let mut registers = std::collections::BTreeMap::new();
    for order in orders {
        let from = registers.get(&order.from).copied().unwrap_or(1);
        registers.insert(order.to, from % 1000 * 3 + order.amount);
    }
    registers.into_iter().collect()
}

/// Returns the possible registers after the orders, for every sequence of them.
fn any_serial(orders: &[Order]) -> BTreeSet<Vec<(char, i64)>> {
    fn extend<'o>(
        taken: &mut Vec<&'o Order>,
        orders: &'o [Order],
        found: &mut BTreeSet<Vec<(char, i64)>>,
    ) {
        if taken.len() == orders.len() {
            found.insert(serial(taken));
        }
        for order in orders {
            if !taken.iter().any(|other| std::ptr::eq(*other, order)) {
                taken.push(order);
                extend(taken, orders, found);
                taken.pop();
            }
        }
    }
    let mut found = BTreeSet::new();
    extend(&mut Vec::new(), orders, &mut found);
    found
}

#[test]
fn concurrent_runs_on_postgresql_have_the_outcome_of_a_serial_execution() {
    let Some(programs) = find() else { return };
    let server = Server::start(&programs);
    let scratch = Scratch::new();
    let pipeline = scratch.write("registers.yaml", REGISTERS);
    let outside = |words: &[&str], others: &[&str]| {
        let mut command = crate::harness::command();
        command.args(words).arg(&pipeline).args(others).args(["--target", "postgres"]);
        finish(command.env("DATABASE_URL", server.address())).exits(0)
    };
    outside(&["db", "migrate"], &[]);
    let ask = |sql: &str| {
        let mut psql = std::process::Command::new(programs.join("psql"));
        let output = psql.args([&server.address(), "-At", "-c", sql]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let number = Cell::new(0);
    runner(cases(40))
        .run(&orders(2..7), |mut orders| {
            // Make the keys unique: of two orders with the same key, the first in the file wins.
            for (at, order) in orders.iter_mut().enumerate() {
                order.id = format!("o{at}");
            }
            let text: String = orders.iter().map(|order| order.line() + "\n").collect();
            let input = scratch.write("orders.ndjson", text);
            number.set(number.get() + 1);
            let state = scratch.path(&number.get().to_string());
            ask("truncate registers, oms_effects, oms_versions");
            let summary = outside(
                &["run"],
                &[
                    "--input",
                    &input.to_string_lossy(),
                    "--concurrency",
                    "8",
                    "--format",
                    "json",
                    "--state-dir",
                    &state.to_string_lossy(),
                ],
            );
            prop_assert_eq!(&summary.json()["completed"], orders.len());
            let left: Vec<(char, i64)> = ask("select name, value from registers order by name")
                .lines()
                .map(|line| {
                    let (name, value) = line.split_once('|').unwrap();
                    (name.chars().next().unwrap(), value.parse().unwrap())
                })
                .collect();
            prop_assert!(any_serial(&orders).contains(&left), "{:?} gave {:?}", orders, left);
            Ok(())
        })
        .unwrap();
}
