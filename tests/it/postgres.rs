//! Tables on a PostgreSQL server instead of in the state directory: the same rows, each written
//! once, even if the process is killed.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use oms_test_servers::{Server, find};

use crate::harness::{Output, Scratch, TestPipeline, finish, root, rows, test_data};

/// Selects the bills without timestamps, in the same format from both databases.
const BILLS: &str = "select order_id || '|' || customer_id || '|' || currency || '|' || amount || '|' || amount_usd || '|' || rate || '|' || \
                     from_rate || '|' || to_rate || '|' || rate_date || '|' || rate_source from billing_data order by order_id";

/// How long the server is stopped during a restart.
const OUTAGE: Duration = Duration::from_millis(500);

/// What a restart of the server interrupts.
#[derive(Clone, Copy)]
enum Fault {
    /// Commits wait for a standby server that does not exist. Their rows are stored, but the client
    /// gets no answer.
    LostAnswers,
    /// Inserts wait for a lock.
    UnfinishedInserts,
}

/// A database server, and a state that uses its tables.
struct Shop {
    server: Server,
    programs: std::path::PathBuf,
    site: TestPipeline,
}

impl Shop {
    /// Starts the server without tables. Returns `None` if PostgreSQL is not installed.
    fn open(scratch: &Scratch) -> Option<Self> {
        let programs = find()?;
        let server = Server::start(&programs);
        Some(Self { server, programs, site: TestPipeline::storefront(scratch.path("state")) })
    }

    fn with_tables(scratch: &Scratch) -> Option<Self> {
        let shop = Self::open(scratch)?;
        for _ in 0..2 {
            shop.outside(&["db", "migrate"], &[]).exits(0);
            let customers = root().join("pipelines/storefront/customers.ndjson");
            let customers = customers.to_string_lossy();
            shop.outside(&["db", "import"], &["customer_contact_info", &customers]).exits(0);
        }
        Some(shop)
    }

    fn command(&self, words: &[&str], others: &[&str]) -> Command {
        let mut command = match words {
            ["db", "migrate"] => {
                let mut command = crate::harness::command();
                command.args(words).arg(&self.site.pipeline).args(others);
                command
            }
            _ => self.site.command(words, others),
        };
        command.args(["--target", "postgres"]).env("DATABASE_URL", self.server.address());
        command
    }

    fn outside(&self, words: &[&str], others: &[&str]) -> Output {
        finish(&mut self.command(words, others))
    }

    fn run(&self, input: &Path, others: &[&str]) -> Output {
        let input = input.to_string_lossy();
        self.outside(&["run"], &[&["--format", "json", "--input", &input], others].concat())
    }

    /// Waits until a query selects `true`. Calls `check` before each repetition.
    fn wait_for(&self, sql: &str, mut check: impl FnMut()) {
        while self.ask(sql) != ["t"] {
            check();
        }
    }

    /// Injects a fault and waits until it affects a statement of `oms`. It lasts until the server
    /// stops. Returns a session that ends with the server.
    fn inject(&self, fault: Fault, check: impl FnMut()) -> Child {
        let (statements, wait) = match fault {
            Fault::LostAnswers => (
                "alter system set synchronous_standby_names = 'absent'; select pg_reload_conf(); select pg_sleep(3600)",
                "SyncRep",
            ),
            Fault::UnfinishedInserts => (
                "begin; lock table billing_data in exclusive mode; select pg_sleep(3600)",
                "relation",
            ),
        };
        let mut session = Command::new(self.programs.join("psql"));
        session.arg(self.server.address()).stdout(Stdio::null()).stderr(Stdio::null());
        // Each statement has its own transaction.
        session.args(statements.split("; ").flat_map(|statement| ["-c", statement]));
        let session = session.spawn().unwrap();
        let sql = format!(
            "select exists (select 1 from pg_stat_activity where application_name = 'oms' and wait_event = '{wait}')"
        );
        self.wait_for(&sql, check);
        // The server reads this when it starts again.
        self.ask("alter system reset synchronous_standby_names");
        session
    }

    /// Queries the database server directly.
    fn ask(&self, sql: &str) -> Vec<String> {
        let output = Command::new(self.programs.join("psql"))
            .args([&self.server.address(), "-At", "-c", sql])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }
}

/// Writes a file of orders: two hundred of the large file, or else the samples.
fn orders(scratch: &Scratch) -> std::path::PathBuf {
    let mut text = String::new();
    match test_data("two hundred orders on PostgreSQL (the samples are used instead)") {
        Some(data) => {
            let all = std::fs::read_to_string(data.join("orders/orders-sample.ndjson")).unwrap();
            text.extend(all.split_inclusive('\n').take(200));
        }
        None => {
            for path in crate::harness::files(&root().join("pipelines/storefront/samples"), ".json")
            {
                let order = std::fs::read(path).unwrap();
                let order: serde_json::Value = serde_json::from_slice(&order).unwrap();
                text.push_str(&format!("{order}\n"));
            }
        }
    }
    scratch.write("orders.ndjson", &text)
}

/// Returns the bills of the same orders with local tables.
fn local(scratch: &Scratch, input: &Path) -> Vec<String> {
    let site = TestPipeline::storefront(scratch.path("local"));
    assert_eq!(site.run(input).0, 0);
    let connection = site.connection();
    let mut statement = connection.prepare(BILLS).unwrap();
    let found = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    found.map(Result::unwrap).collect()
}

#[test]
fn rows_on_postgresql_equal_local_rows_and_are_written_once() {
    let scratch = Scratch::new();
    let Some(shop) = Shop::with_tables(&scratch) else { return };
    let input = orders(&scratch);
    let expected = local(&scratch, &input);
    let summary = shop.run(&input, &[]).exits(0).json();
    assert_eq!(summary["completed"], expected.len());
    assert_eq!(shop.ask(BILLS), expected);
    let whole = "select * from billing_data order by order_id";
    let before = shop.ask(whole);
    assert_eq!(shop.run(&input, &[]).exits(0).json()["duplicates"], expected.len());
    // After the loss of the state, the repeated runs find their rows and keep them.
    std::fs::remove_dir_all(&shop.site.state).unwrap();
    assert_eq!(shop.run(&input, &[]).exits(0).json()["completed"], expected.len());
    assert_eq!(shop.ask(whole), before);
}

#[test]
fn the_summary_shows_how_to_read_the_tables_on_the_server() {
    let scratch = Scratch::new();
    let Some(shop) = Shop::with_tables(&scratch) else { return };
    let input = orders(&scratch);
    let input = input.to_string_lossy();
    let summary = shop.outside(&["run"], &["--input", &input]).exits(0).stdout;
    assert!(summary.contains("billing_data: on the PostgreSQL server"), "{summary}");
    let hint = "psql \"$DATABASE_URL\" -c 'table \"billing_data\"'";
    assert!(summary.contains(hint), "{summary}");
    // If the address is given as an option, the printed commands repeat it.
    let address = shop.server.address();
    let mut command =
        shop.site.command(&["run"], &["--target", "postgres", "--database", &address]);
    let summary = finish(command.env_remove("DATABASE_URL")).exits(0).stdout;
    let hint = format!("psql {address} -c 'table \"billing_data\"'");
    assert!(summary.contains(&hint), "{summary}");
    let shown =
        Command::new("/bin/sh").args(["-c", &hint]).env("PATH", &shop.programs).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("order_id"), "{shown}");
}

/// Formats a text as `rows` does.
#[cfg(feature = "failpoints")]
fn text(value: &str) -> String {
    format!("Text({:?})", value.as_bytes())
}

#[cfg(feature = "failpoints")]
#[test]
fn after_a_kill_at_any_commit_every_order_is_billed_once_on_the_server() {
    let scratch = Scratch::new();
    let Some(shop) = Shop::with_tables(&scratch) else { return };
    let input = orders(&scratch);
    let expected = local(&scratch, &input);
    let mut killed = 0;
    for count in [1, 2, 3, 5, 8] {
        for place in ["before_commit", "after_commit", "before_batch"] {
            let input = input.to_string_lossy();
            let mut command = shop.command(&["run"], &["--concurrency", "4", "--input", &input]);
            command.env("OMS_FAILPOINT", format!("{place}:{count}"));
            killed += i32::from(finish(&mut command).code == -1);
            // Only accepted orders are billed, at any time.
            let accepted = rows(&shop.site.connection(), "select key from oms_runs");
            for billed in shop.ask("select order_id from billing_data") {
                assert!(accepted.iter().any(|run| *run == text(&billed)), "{billed}");
            }
        }
    }
    assert!(killed > 5, "{killed}");
    shop.run(&input, &[]).exits(0);
    assert_eq!(shop.ask(BILLS), expected);
    // No accepted order was lost.
    let runs = rows(&shop.site.connection(), "select key from oms_runs where state = 'completed'");
    assert_eq!(runs.len(), expected.len());
}

/// Copies of the sample orders, with different keys.
fn many_orders(scratch: &Scratch, copies: u32) -> std::path::PathBuf {
    let mut text = String::new();
    for path in crate::harness::files(&root().join("pipelines/storefront/samples"), ".json") {
        let order: serde_json::Value =
            serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        for copy in 0..copies {
            let mut order = order.clone();
            order["order_id"] = format!("{}-{copy}", order["order_id"].as_str().unwrap()).into();
            text.push_str(&format!("{order}\n"));
        }
    }
    scratch.write("orders.ndjson", &text)
}

/// Records each insert into the table of bills. An insert of a row that exists is not recorded.
const RECORD_INSERTS: &str = "create table inserts (order_id text); \
    create function record() returns trigger language plpgsql as \
    'begin insert into inserts values (new.order_id); return null; end'; \
    create trigger record after insert on billing_data for each row execute function record()";

#[test]
fn restarts_of_the_server_under_load_lose_no_order_and_bill_none_twice() {
    let scratch = Scratch::new();
    let Some(mut shop) = Shop::with_tables(&scratch) else { return };
    shop.ask(RECORD_INSERTS);
    let input = many_orders(&scratch, 100);
    let expected = local(&scratch, &input);
    let given = input.to_string_lossy();
    let options = ["--format", "json", "--concurrency", "16", "--input", &given];
    let mut command = shop.command(&["run"], &options);
    let stderr = std::fs::File::create(scratch.path("stderr")).unwrap();
    let mut process = command.stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
    for (share, fault) in [(1, Fault::LostAnswers), (2, Fault::UnfinishedInserts)] {
        // Each restart is in the middle of the work.
        let mut check = || assert_eq!(process.try_wait().unwrap(), None, "the run ended too early");
        let enough = expected.len() * share / 5;
        shop.wait_for(&format!("select count(*) >= {enough} from inserts"), &mut check);
        let mut session = shop.inject(fault, &mut check);
        shop.server.stop();
        // The fault ended with the server.
        session.wait().unwrap();
        std::thread::sleep(OUTAGE);
        shop.server.start_again();
    }
    let output = process.wait_with_output().unwrap();
    let stderr = std::fs::read_to_string(scratch.path("stderr")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect(&stderr);
    // The outage can be longer than all attempts of a step.
    let code = i32::from(summary["parked"] != 0);
    assert_eq!(output.status.code(), Some(code), "{summary}\n{stderr}");
    if code == 1 {
        let retried = ["--cause", "unavailable", "--format", "json"];
        let retried = shop.outside(&["runs", "retry"], &retried).exits(0).json();
        assert_eq!(retried["completed"], summary["parked"], "{retried}");
    }
    assert_eq!(shop.ask(BILLS), expected);
    let inserts = shop.ask("select count(*), count(distinct order_id) from inserts");
    assert_eq!(inserts, [format!("{0}|{0}", expected.len())]);
    let count = |site: &TestPipeline, sql: &str| rows(&site.connection(), sql);
    let completed = "select count(*) from oms_runs where state = 'completed'";
    assert_eq!(count(&shop.site, completed), [format!("Integer({})", expected.len())]);
    let here = TestPipeline::storefront(scratch.path("local"));
    let mails = "select count(*) from oms_mails";
    assert_eq!(count(&shop.site, mails), count(&here, mails));
}

#[test]
fn an_unsuitable_connection_is_reported_with_the_solution() {
    let scratch = Scratch::new();
    let Some(shop) = Shop::open(&scratch) else { return };
    let site = TestPipeline::storefront(scratch.path("state"));
    let migrate = |address: &str| {
        let mut command = crate::harness::command();
        command.args(["db", "migrate"]).arg(&site.pipeline);
        finish(command.args(["--target", "postgres", "--database", address])).exits(4).stderr
    };
    let address = shop.server.named_address();
    for (parameters, parts) in [
        ("sslmode=verify-full", ["does not support TLS", "`sslmode=disable`"]),
        ("sslmode=prefer", ["`sslmode=prefer` is not supported", "use `sslmode=verify-full`"]),
        ("sslmode=verify-ca", ["`--database`", "add `sslrootcert=FILE`"]),
        ("sslrootcert=/none.pem", ["`/none.pem`", "No such file"]),
        ("sslcert=own.pem", ["`--database`", "`sslcert`"]),
    ] {
        let message = migrate(&format!("{address}?{parameters}"));
        for part in parts {
            assert!(message.contains(part), "{message}");
        }
    }
    let refused = migrate("postgresql://oms@127.0.0.1:1/postgres");
    assert!(refused.contains("Connection refused"), "{refused}");
}

#[test]
fn runs_on_a_database_without_tables_are_parked_and_complete_after_a_migration() {
    let scratch = Scratch::new();
    let Some(shop) = Shop::open(&scratch) else { return };
    let input = orders(&scratch);
    let text = std::fs::read_to_string(&input).unwrap();
    let one = scratch.write("one.ndjson", text.lines().next().unwrap());
    let summary = shop.run(&one, &[]).exits(1).json();
    assert_eq!(summary["parked"], 1);
    let listed = shop.site.call(&["runs", "list"], &[]).exits(0);
    assert!(listed.stdout.contains("environment"), "{}", listed.stdout);
    shop.outside(&["db", "migrate"], &[]).exits(0);
    let customers = root().join("pipelines/storefront/customers.ndjson");
    let customers = customers.to_string_lossy();
    shop.outside(&["db", "import"], &["customer_contact_info", &customers]).exits(0);
    shop.outside(&["runs", "retry"], &["--cause", "environment"]).exits(0);
    assert_eq!(shop.ask("select count(*) from billing_data"), ["1"]);
}

#[test]
fn a_state_keeps_the_target_of_its_first_run() {
    let scratch = Scratch::new();
    let Some(shop) = Shop::with_tables(&scratch) else { return };
    let input = orders(&scratch);
    shop.run(&input, &[]).exits(0);
    let elsewhere = shop.site.call(&["run"], &[]).exits(4);
    assert!(elsewhere.stderr.contains("--target postgres"), "{}", elsewhere.stderr);
    let site = TestPipeline::storefront(scratch.path("local"));
    site.run(&input);
    let shop = Shop { site, ..shop };
    let elsewhere = shop.outside(&["run"], &[]).exits(4);
    assert!(elsewhere.stderr.contains("--target local"), "{}", elsewhere.stderr);
}

#[test]
fn a_missing_or_invalid_database_address_is_an_error() {
    let scratch = Scratch::new();
    let site = TestPipeline::storefront(scratch.path("state"));
    let mut unsaid = site.command(&["run"], &["--target", "postgres"]);
    let unsaid = finish(unsaid.env_remove("DATABASE_URL")).exits(2);
    assert!(unsaid.stderr.contains("DATABASE_URL"), "{}", unsaid.stderr);
    let words = ["--target", "postgres", "--database", "mysql://secret@host"];
    let wrong = site.call(&["run"], &words).exits(4);
    assert!(!wrong.stderr.contains("secret"), "{}", wrong.stderr);
    if cfg!(not(feature = "aws")) {
        let aws = site.call(&["run"], &["--target", "aws"]).exits(2);
        assert!(aws.stderr.contains("--features aws"), "{}", aws.stderr);
    }
}

#[test]
fn run_and_serve_check_a_pipeline_for_the_target() {
    let scratch = Scratch::new();
    let pipeline = root().join("tests/diagnostics/OMS0706-two-writes-after-one-read.yaml");
    let site = TestPipeline { pipeline, state: scratch.path("state") };
    let words = ["--target", "postgres", "--database", "postgres://localhost:1/none"];
    for command in ["run", "serve"] {
        let checked = site.call(&[command], &words).exits(1);
        assert!(checked.stderr.contains("OMS0706"), "{}", checked.stderr);
    }
}

#[test]
fn forget_has_the_same_result_on_postgresql_as_locally() {
    let scratch = Scratch::new();
    let Some(shop) = Shop::open(&scratch) else { return };
    let here = TestPipeline::order_management(scratch.path("here"));
    let shop = Shop { site: TestPipeline::order_management(scratch.path("there")), ..shop };
    shop.outside(&["db", "migrate"], &[]).exits(0);
    let customers = root().join("pipelines/order-management/customers.ndjson");
    shop.outside(&["db", "import"], &["customer_contact_info", &customers.to_string_lossy()])
        .exits(0);
    let words = ["--samples", "--format", "json"];
    assert_eq!(
        shop.outside(&["run"], &words).exits(0).json()["completed"],
        here.call(&["run"], &words).exits(0).json()["completed"]
    );
    let tables = [
        "select order_key || '|' || customer_id || '|' || customer_name || '|' || bill_amount_usd from billing_data order by 1",
        "select cust_id || '|' || cust_name || '|' || cust_email_id from customer_contact_info order by 1",
    ];
    let both = || {
        tables.map(|sql| {
            let connection = here.connection();
            let mut statement = connection.prepare(sql).unwrap();
            let found = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
            let found: Vec<String> = found.map(Result::unwrap).collect();
            assert_eq!(shop.ask(sql), found);
            found
        })
    };
    let before = both();
    assert!(before.iter().flatten().any(|row| row.contains("John Doe")), "{before:?}");
    for how in ["--dry-run", "--yes"] {
        let words = ["John.Doe@example.com", how, "--format", "json"];
        let forgotten = shop.outside(&["forget"], &words).exits(0).json();
        assert_eq!(forgotten["tables"]["customer_contact_info"], 1, "{forgotten}");
        assert_eq!(forgotten, here.call(&["forget"], &words).exits(0).json());
    }
    let after = both();
    assert!(!after.iter().flatten().any(|row| row.contains("John Doe")), "{after:?}");
    assert_eq!((after[0].len(), after[1].len()), (before[0].len(), before[1].len() - 1));
    // The date is in the order, but it does not identify a customer.
    let day = ["03/13/2023", "--yes"];
    for refused in [shop.outside(&["forget"], &day), here.call(&["forget"], &day)] {
        refused.exits(1);
    }
    assert_eq!(both(), after);
    let again = ["A1", "--yes", "--format", "json"];
    for again in [shop.outside(&["forget"], &again), here.call(&["forget"], &again)] {
        let again = again.exits(0).json();
        assert_eq!((&again["runs"], &again["rows"]), (&0.into(), &0.into()), "{again}");
    }
}
