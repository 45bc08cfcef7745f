//! 2,000 orders against a service that fails in many ways, while the process is killed again and
//! again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oms_test_servers::{HttpService, Received, Reply};
use serde_json::json;

use super::{KEYED, Shop, created, now};

/// A service that records charges by idempotency key, and answers a repeated key with the saved
/// answer. Every fifth request fails in one of several ways.
#[derive(Default)]
struct Ledger {
    /// The number of effects by key, or by order without a key.
    effects: Mutex<BTreeMap<String, usize>>,
    requests: AtomicUsize,
}

impl Ledger {
    fn reply(&self, request: &Received) -> Reply {
        let number = self.requests.fetch_add(1, Ordering::SeqCst);
        let fault = if number.is_multiple_of(5) { number / 5 % 6 } else { 6 };
        let effect = || {
            let name = request.header("idempotency-key").unwrap_or(&request.target).to_owned();
            let mut effects = self.effects.lock().unwrap();
            let count = effects.entry(name).or_default();
            if *count == 0 || request.header("idempotency-key").is_none() {
                *count += 1;
            }
        };
        match fault {
            0 => Reply::status(429),
            // Fails before the effect.
            1 => Reply::status(503),
            2 => Reply::Drop,
            // Fails after the effect.
            3 => {
                effect();
                Reply::status(500)
            }
            4 => {
                effect();
                Reply::Drop
            }
            5 => {
                effect();
                Reply::Late(Duration::from_millis(1500), Box::new(created(request)))
            }
            _ => {
                effect();
                created(request)
            }
        }
    }
}

/// Runs 2,000 orders against a failing service, and kills the process again and again. Returns the
/// number of kills.
fn run_with_crashes(shop: &Shop) -> usize {
    let orders = shop.orders(2000);
    let input = orders.to_string_lossy().into_owned();
    let mut kills = 0;
    loop {
        let mut command = shop.pipeline.command(&["run"], &["--input", &input]);
        command.env("SHOP_URL", &shop.url).env("SHOP_TOKEN", "x");
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        let begun = now();
        // Kills at different moments of the first seconds.
        let limit = Duration::from_millis(300 + 370 * (kills as u64 % 7));
        loop {
            if child.try_wait().unwrap().is_some() {
                return kills;
            }
            if kills < 8 && begun.elapsed() > limit {
                child.kill().unwrap();
                child.wait().unwrap();
                kills += 1;
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn keyed_calls_take_effect_exactly_once_whatever_fails() {
    let ledger = Arc::new(Ledger::default());
    let shared = Arc::clone(&ledger);
    let service = HttpService::start(move |request| shared.reply(request)).unwrap();
    let shop = Shop::new(service.url(), &format!("{KEYED}\n    max_concurrency: 200"), "POST", "");
    shop.scratch.edit("shop.yaml", "attempts: 3", "attempts: 12");
    let kills = run_with_crashes(&shop);
    assert!(kills >= 3, "the process was killed only {kills} times");
    for _ in 0..5 {
        shop.call(&["runs", "retry"], &["--all"]);
    }
    assert_eq!(
        shop.pipeline.count("select count(*) from oms_runs where state = 'completed'"),
        2000
    );
    let effects = ledger.effects.lock().unwrap();
    assert_eq!(effects.len(), 2000, "keys");
    assert!(effects.values().all(|count| *count == 1));
    assert_eq!(shop.pipeline.export("charges").len(), 2000);
}

#[test]
fn unkeyed_calls_take_effect_at_most_once_and_are_held_otherwise() {
    let ledger = Arc::new(Ledger::default());
    let shared = Arc::clone(&ledger);
    let service = HttpService::start(move |request| shared.reply(request)).unwrap();
    let shop = Shop::new(service.url(), "max_concurrency: 200", "POST", "");
    shop.scratch.edit("shop.yaml", "attempts: 3", "attempts: 12");
    let kills = run_with_crashes(&shop);
    assert!(kills >= 3, "the process was killed only {kills} times");
    let held = shop.pipeline.count(
        "select count(*) from oms_runs where state = 'parked' and cause = 'unknown_outcome'",
    );
    let completed = shop.pipeline.count("select count(*) from oms_runs where state = 'completed'");
    assert_eq!(held + completed, 2000, "{held} held, {completed} completed");
    assert!(held > 100, "{held}");
    assert!(ledger.effects.lock().unwrap().values().all(|count| *count == 1));
    // The held requests are resolved with what the service knows.
    let effects = ledger.effects.lock().unwrap().clone();
    let connection = shop.pipeline.connection();
    let sql = "select key from oms_runs where state = 'parked' limit 40";
    let mut statement = connection.prepare(sql).unwrap();
    let keys = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let keys: Vec<String> = keys.map(Result::unwrap).collect();
    for key in keys {
        let done =
            effects.contains_key(&format!("/api/orders/{key}/charges?expand=fees&expand={key}"));
        let answer = json!({ "status": 201, "body": { "id": format!("ch-{key}"), "fee": "0.35" } });
        let file = shop.scratch.write("answer.json", answer.to_string());
        let held = if done { ["--held", "answered"] } else { ["--held", "resend"] };
        let mut others = vec![key.as_str(), held[0], held[1]];
        let file = file.to_string_lossy().into_owned();
        if done {
            others.extend(["--answer", &file]);
        }
        shop.call(&["runs", "retry"], &others);
    }
    assert!(ledger.effects.lock().unwrap().values().all(|count| *count == 1));
}
