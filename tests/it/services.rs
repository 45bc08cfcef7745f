//! Calls of HTTP services, against a real server with a script of faults.

mod crashes;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use oms_test_servers::{HttpService, Received, Reply, Tls};
use serde_json::{Value as Json, json};

use crate::harness::{Output, Scratch, TestPipeline, finish};

/// A pipeline that charges an order at a service.
const PIPELINE: &str = r#"oms: 1
name: shop
settings:
  url: { type: uri, env: SHOP_URL }
services:
  payments:
    base_url: ${{ settings.url }}/api
    auth: { bearer: { secret: SHOP_TOKEN } }
    headers: { X-Api-Version: "2026-01" }
    timeout: 1s
    SERVICE
order:
  schema:
    type: object
    required: [id, amount, email]
    properties:
      id: { type: string }
      amount: { type: string, format: decimal }
      email: { type: string, format: email, x-pii: true }
  key: ${{ order.id }}
tables:
  charges: { key: [id], columns: { id: text, charge: text, fee: "decimal(10,2)" } }
steps:
  charge:
    uses: http.request
    retry: { attempts: 3, initial_ms: 10, jitter: none }
    with:
      service: payments
      method: METHOD
      path: /orders/${{ order.id }}/charges
      query: { expand: [fees, "${{ order.id }}"], none: "${{ null }}" }
      json: { amount: "${{ order.amount }}", email: "${{ order.email }}" }
      answer:
        schema:
          type: object
          required: [id, fee]
          properties: { id: { type: string }, fee: { type: string, format: decimal }, email: { type: string, x-pii: true } }
      OPTIONS
  record:
    uses: table.insert
    needs: [charge]
    with: { table: charges, row: { id: "${{ order.id }}", charge: "${{ steps.charge.body.id }}", fee: "${{ steps.charge.body.fee }}" } }
"#;

const KEYED: &str = "idempotency: { header: Idempotency-Key, keeps: 24h }";

/// Returns the current instant, to check that waits have a limit.
#[expect(clippy::disallowed_methods, reason = "the tests measure how long the program waits")]
fn now() -> Instant {
    Instant::now()
}

struct Shop {
    scratch: Scratch,
    pipeline: TestPipeline,
    url: String,
    variables: Vec<(String, String)>,
}

impl Shop {
    fn new(url: String, service: &str, method: &str, options: &str) -> Self {
        let scratch = Scratch::new();
        let text = PIPELINE
            .replace("SERVICE", service)
            .replace("METHOD", method)
            .replace("OPTIONS", options);
        let pipeline = scratch.write("shop.yaml", text);
        let pipeline = TestPipeline { pipeline, state: scratch.path("state") };
        Self { scratch, pipeline, url, variables: Vec::new() }
    }

    fn call(&self, words: &[&str], others: &[&str]) -> Output {
        let mut command = self.pipeline.command(words, others);
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        command.env("SHOP_URL", &self.url).env("SHOP_TOKEN", "t0ken-of-the-shop").envs(variables);
        finish(&mut command)
    }

    fn orders(&self, count: usize) -> std::path::PathBuf {
        let order = |at: usize| {
            format!("{{\"id\":\"A{at}\",\"amount\":\"12.50\",\"email\":\"ann@example.com\"}}\n")
        };
        self.scratch.write("orders.ndjson", (1..=count).map(order).collect::<String>())
    }

    fn run(&self, orders: &Path) -> Output {
        self.call(&["run"], &["--format", "json", "--input", &orders.to_string_lossy()])
    }

    /// Runs one order and returns its details.
    fn run_one(&self) -> (Output, Json) {
        let ran = self.run(&self.orders(1));
        let shown = self.call(&["runs", "show"], &["A1", "--format", "json"]).exits(0);
        (ran, shown.json())
    }
}

fn created(request: &Received) -> Reply {
    let id = format!("ch-{}", request.target.split('/').nth(3).unwrap_or_default());
    Reply::json(201, &json!({ "id": id, "fee": "0.35", "email": "ann@example.com", "more": 1 }))
}

/// Returns a handler that gives these replies in order, and then repeats the last one.
fn in_order(replies: Vec<Reply>) -> impl Fn(&Received) -> Reply + Send + Sync {
    let next = AtomicUsize::new(0);
    move |request| {
        let at = next.fetch_add(1, Ordering::SeqCst).min(replies.len() - 1);
        match &replies[at] {
            // A status of 0 stands for success.
            Reply::Answer(0, ..) => created(request),
            reply => reply.clone(),
        }
    }
}

fn success() -> Reply {
    Reply::status(0)
}

fn cause(shown: &Json) -> String {
    shown["cause"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_request_is_sent_with_its_credentials_and_its_answer_is_used() {
    let service = HttpService::start(created).unwrap();
    let shop = Shop::new(service.url(), KEYED, "POST", "");
    let (ran, shown) = shop.run_one();
    ran.exits(0);
    let received = service.received();
    let [request] = received.as_slice() else { panic!("{received:?}") };
    assert_eq!(request.method, "POST");
    assert_eq!(request.target, "/api/orders/A1/charges?expand=fees&expand=A1");
    assert_eq!(request.header("authorization"), Some("Bearer t0ken-of-the-shop"));
    assert_eq!(request.header("x-api-version"), Some("2026-01"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("accept-encoding"), Some("identity"));
    assert!(request.header("idempotency-key").is_some_and(|key| key.len() >= 16));
    assert_eq!(request.json(), json!({ "amount": "12.50", "email": "ann@example.com" }));
    let rows = shop.pipeline.export("charges");
    assert_eq!(rows, [json!({ "id": "A1", "charge": "ch-A1", "fee": "0.35" })]);
    // Bodies are shown only on request, and credentials never.
    let masked = shown.to_string();
    assert!(!masked.contains("ann@example.com"), "{masked}");
    let step = &shown["steps"][0];
    assert_eq!(step["events"][1]["state"], "answered", "{shown}");
    assert_eq!(step["events"][1]["status"], 201);
    let revealed = shop.call(&["runs", "show"], &["A1", "--reveal", "--format", "json"]).exits(0);
    assert!(
        revealed.stdout.contains("more") && revealed.stdout.contains("0.35"),
        "{}",
        revealed.stdout
    );
    let database = crate::harness::database_bytes(&shop.pipeline.state.join("oms.db"));
    let has_token = database.windows(17).any(|bytes| bytes == b"t0ken-of-the-shop");
    assert!(!has_token, "the state contains the secret");
}

/// A name and replies, and the number of requests and the cause: where a repetition is safe, and
/// where it is not.
type StatusCase = (&'static str, Vec<Reply>, usize, &'static str, usize, &'static str);

#[test]
fn the_handling_of_a_status_depends_on_whether_a_repetition_is_safe() {
    let status = Reply::status;
    let cases: [StatusCase; 9] = [
        ("503", vec![status(503), success()], 2, "", 1, "unknown_outcome"),
        ("429", vec![status(429), success()], 2, "", 2, ""),
        ("425", vec![status(425), success()], 2, "", 2, ""),
        ("408", vec![status(408), success()], 2, "", 1, "unknown_outcome"),
        ("drop", vec![Reply::Drop, success()], 2, "", 1, "unknown_outcome"),
        ("402", vec![status(402)], 1, "card_declined", 1, "card_declined"),
        ("400", vec![status(400)], 1, "refused", 1, "refused"),
        ("301", vec![status(301)], 1, "refused", 1, "refused"),
        ("303", vec![status(303)], 1, "refused", 1, "unknown_outcome"),
    ];
    let refusals = "refusals: { \"402\": card_declined }";
    for (name, replies, safe_requests, safe_cause, unsafe_requests, unsafe_cause) in cases {
        for (service, requests, expected) in
            [(KEYED, safe_requests, safe_cause), ("", unsafe_requests, unsafe_cause)]
        {
            let server = HttpService::start(in_order(replies.clone())).unwrap();
            let shop = Shop::new(server.url(), service, "POST", refusals);
            let (_, shown) = shop.run_one();
            assert_eq!(cause(&shown), expected, "{name} {service}: {shown}");
            let received = server.received();
            assert_eq!(received.len(), requests, "{name} {service}");
            let keys: Vec<_> = received.iter().map(|one| one.header("idempotency-key")).collect();
            assert!(keys.iter().all(|key| *key == keys[0]), "the key changed: {keys:?}");
            assert_eq!(keys[0].is_some(), !service.is_empty());
        }
        let server = HttpService::start(in_order(replies)).unwrap();
        let shop = Shop::new(server.url(), "", "PUT", refusals);
        let (_, shown) = shop.run_one();
        assert_eq!(cause(&shown), safe_cause, "{name} PUT: {shown}");
        assert_eq!(server.received().len(), safe_requests, "{name} PUT");
    }
}

#[test]
fn a_refusal_ends_the_use_of_a_key_and_an_unknown_outcome_does_not() {
    let replies = vec![
        Reply::status(402),
        Reply::status(503),
        Reply::status(503),
        Reply::status(503),
        success(),
    ];
    let server = HttpService::start(in_order(replies)).unwrap();
    let shop = Shop::new(server.url(), KEYED, "POST", "");
    let (_, shown) = shop.run_one();
    assert_eq!(cause(&shown), "refused");
    shop.call(&["runs", "retry"], &["A1"]).exits(0);
    shop.call(&["run"], &[]).exits(1);
    shop.call(&["runs", "retry"], &["A1"]).exits(0);
    let received = server.received();
    let keys: Vec<_> = received.iter().filter_map(|one| one.header("idempotency-key")).collect();
    assert_eq!(keys.len(), 5);
    assert_ne!(keys[0], keys[1], "the refused key is used again");
    assert!(keys[1..].iter().all(|key| *key == keys[1]), "{keys:?}");
}

#[test]
fn a_changed_request_is_held_while_the_outcome_of_the_earlier_one_is_unknown() {
    let server = HttpService::start(in_order(vec![
        Reply::status(500),
        Reply::status(500),
        Reply::status(500),
        success(),
    ]))
    .unwrap();
    let shop = Shop::new(server.url(), KEYED, "POST", "");
    let (_, shown) = shop.run_one();
    assert_eq!(cause(&shown), "unavailable");
    shop.scratch.edit("shop.yaml", "json: { amount:", "json: { kind: sale, amount:");
    let held = shop.call(&["runs", "retry"], &["A1"]).exits(1);
    assert!(held.stdout.contains("unknown_outcome"), "{}", held.stdout);
    assert_eq!(server.received().len(), 3, "the changed request was sent");
    shop.call(&["runs", "retry"], &["A1", "--held", "resend"]).exits(0);
    let received = server.received();
    assert_ne!(received[3].header("idempotency-key"), received[0].header("idempotency-key"));
    assert_eq!(received[3].json()["kind"], "sale");
}

#[test]
fn a_held_request_is_resolved_with_the_answer_of_the_service() {
    let server = HttpService::start(in_order(vec![Reply::Drop])).unwrap();
    let shop = Shop::new(server.url(), "", "POST", "refusals: { \"402\": card_declined }");
    let ran = shop.run(&shop.orders(2));
    assert_eq!(ran.json()["parked"], 2, "{}", ran.stdout);
    let refused = shop.call(&["runs", "retry"], &["A1"]).exits(1);
    assert!(refused.stderr.contains("--held answered --answer FILE"), "{}", refused.stderr);
    let file = shop
        .scratch
        .write("answer.json", r#"{ "status": 201, "body": { "id": "ch-9", "fee": "0.30" } }"#);
    let file = file.to_string_lossy();
    shop.call(&["runs", "retry"], &["A1", "--held", "answered", "--answer", &file]).exits(0);
    assert_eq!(
        shop.pipeline.export("charges"),
        [json!({ "id": "A1", "charge": "ch-9", "fee": "0.30" })]
    );
    for (answer, why) in [
        (r#"{ "status": 503 }"#, "does not end a request"),
        (r#"[]"#, "no answer for `charge`"),
        (r#"{ "status": 201, "bdy": {} }"#, "unknown field"),
        (r#"[{ "step": "other", "status": 201, "body": {} }]"#, "no answer for `charge`"),
    ] {
        let file = shop.scratch.write("bad.json", answer);
        let output = shop.call(
            &["runs", "retry"],
            &["A2", "--held", "answered", "--answer", &file.to_string_lossy()],
        );
        assert!(output.code != 0 && output.stderr.contains(why), "{answer}: {}", output.stderr);
    }
    let file = shop.scratch.write("declined.json", r#"{ "status": 402 }"#);
    shop.call(
        &["runs", "retry"],
        &["A2", "--held", "answered", "--answer", &file.to_string_lossy()],
    )
    .exits(1);
    let shown = shop.call(&["runs", "show"], &["A2", "--format", "json"]).exits(0).json();
    assert_eq!(cause(&shown), "card_declined");
    assert_eq!(server.received().len(), 2, "a request was sent again");
}

#[test]
fn an_answer_that_does_not_match_is_read_again_with_the_corrected_schema() {
    let answer = Reply::json(200, &json!({ "id": 7, "fee": "0.35" }));
    let server = HttpService::start(in_order(vec![answer])).unwrap();
    let shop = Shop::new(server.url(), "", "POST", "");
    let (_, shown) = shop.run_one();
    assert_eq!(cause(&shown), "answer", "{shown}");
    let shown = shown.to_string();
    assert!(shown.contains("/id must be text"), "{shown}");
    shop.call(&["runs", "retry"], &["A1"]).exits(1);
    shop.scratch.edit("shop.yaml", "id: { type: string }, fee", "id: { type: integer }, fee");
    shop.scratch.edit(
        "shop.yaml",
        "${{ steps.charge.body.id }}",
        "${{ string(steps.charge.body.id) }}",
    );
    shop.call(&["runs", "retry"], &["A1"]).exits(0);
    assert_eq!(shop.pipeline.export("charges")[0]["charge"], "7");
    assert_eq!(server.received().len(), 1, "the service was called again");
}

#[test]
fn hostile_answers_end_in_bounded_time_with_a_clear_cause() {
    let head = |more: &str| format!("HTTP/1.1 200 OK\r\n{more}\r\n").into_bytes();
    let second = Duration::from_millis(1);
    let cases: Vec<(&str, Reply, &str)> = vec![
        (
            "an endless body",
            Reply::Endless(
                head("transfer-encoding: chunked\r\n"),
                b"400\r\n".iter().copied().chain([b'x'; 1024]).chain(*b"\r\n").collect(),
                Duration::ZERO,
            ),
            "larger than 1048576 bytes",
        ),
        (
            "an announced huge body",
            Reply::Raw(head("content-length: 99999999999\r\n")),
            "larger than 1048576 bytes",
        ),
        (
            "large headers",
            Reply::Endless(
                b"HTTP/1.1 200 OK\r\n".to_vec(),
                format!("x-a: {}\r\n", "a".repeat(10_000)).into_bytes(),
                Duration::ZERO,
            ),
            "the connection was lost",
        ),
        (
            "slow bytes",
            Reply::Endless(head("content-length: 1000\r\n"), b"x".to_vec(), 50 * second),
            "no complete answer within 1000 ms",
        ),
        (
            "a stalled answer",
            Reply::Late(Duration::from_secs(20), Box::new(success())),
            "no complete answer within 1000 ms",
        ),
        (
            "a compressed body",
            Reply::Answer(
                200,
                vec![("content-encoding", "gzip".to_owned())],
                vec![0x1f, 0x8b, 8, 0],
            ),
            "compressed",
        ),
        ("no HTTP", Reply::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()), "the connection was lost"),
        ("a short body", Reply::Raw(head("content-length: 100\r\n")), "the connection was lost"),
        ("an empty body", Reply::Answer(200, Vec::new(), Vec::new()), "does not match the schema"),
        (
            "deep JSON",
            Reply::Answer(200, Vec::new(), "[".repeat(200_000).into_bytes()),
            "does not match the schema",
        ),
        (
            "no UTF-8",
            Reply::Answer(200, Vec::new(), b"{\"id\":\"\xff\",\"fee\":\"1\"}".to_vec()),
            "does not match the schema",
        ),
        (
            "a redirect",
            Reply::Answer(
                302,
                vec![("location", "http://169.254.169.254/latest/meta-data/".to_owned())],
                Vec::new(),
            ),
            "redirects are not followed",
        ),
        (
            "a proxy of HTTP/2",
            Reply::Raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
            "the connection was lost",
        ),
    ];
    for (name, reply, expected) in cases {
        let server = HttpService::start(in_order(vec![reply])).unwrap();
        let shop = Shop::new(server.url(), "", "PUT", "");
        shop.scratch.edit("shop.yaml", "attempts: 3", "attempts: 1");
        let begun = now();
        let (ran, shown) = shop.run_one();
        assert!(begun.elapsed() < Duration::from_secs(15), "{name} took {:?}", begun.elapsed());
        assert_eq!(ran.json()["parked"], 1, "{name}: {}", ran.stdout);
        assert!(shown.to_string().contains(expected), "{name}: {shown}");
    }
}

#[test]
fn a_service_is_called_over_tls_only_with_a_trusted_certificate() {
    let service = HttpService::start(created).unwrap();
    let address = service.address();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let tls = runtime.block_on(Tls::in_front_of(address)).unwrap();
    let mut shop = Shop::new(tls.endpoint(), "", "POST", "");
    let (_, shown) = shop.run_one();
    let shown = shown.to_string();
    assert!(shown.contains("cannot connect") && shown.contains("certificate"), "{shown}");
    assert!(service.received().is_empty());
    shop.variables
        .push(("SSL_CERT_FILE".to_owned(), tls.authority().to_string_lossy().into_owned()));
    shop.call(&["runs", "retry"], &["A1"]).exits(0);
    assert_eq!(service.received().len(), 1);
}

#[test]
fn requests_wait_for_the_rate_and_the_concurrency_of_the_service() {
    let running = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let counted = Arc::clone(&running);
    let service = HttpService::start(move |request| {
        let now = counted.0.fetch_add(1, Ordering::SeqCst) + 1;
        counted.1.fetch_max(now, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(20));
        counted.0.fetch_sub(1, Ordering::SeqCst);
        created(request)
    });
    let service = service.unwrap();
    let limits = "max_concurrency: 3\n    rate: { per_second: 50 }";
    let shop = Shop::new(service.url(), limits, "POST", "");
    let begun = now();
    let ran = shop.run(&shop.orders(60)).exits(0);
    assert_eq!(ran.json()["completed"], 60);
    assert!(begun.elapsed() >= Duration::from_millis(1150), "{:?}", begun.elapsed());
    assert!(running.1.load(Ordering::SeqCst) <= 3, "{running:?}");
}

#[test]
fn a_service_that_asks_to_wait_is_not_called_earlier() {
    let wait = Reply::Answer(429, vec![("retry-after", "2".to_owned())], Vec::new());
    let server = HttpService::start(in_order(vec![wait, success()])).unwrap();
    let shop = Shop::new(server.url(), "", "POST", "");
    let begun = now();
    let (ran, _) = shop.run_one();
    ran.exits(0);
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[test]
fn samples_do_not_call_services_unless_requested() {
    let service = HttpService::start(created).unwrap();
    let shop = Shop::new(service.url(), "", "POST", "");
    shop.scratch
        .write("sample.json", "{\"id\":\"S1\",\"amount\":\"1\",\"email\":\"s@example.com\"}");
    shop.scratch.edit(
        "shop.yaml",
        "  key: ${{ order.id }}",
        "  key: ${{ order.id }}\n  samples: [sample.json]",
    );
    let ran = shop.call(&["run"], &[]).exits(0);
    assert!(ran.stderr.contains("--samples"), "{}", ran.stderr);
    assert!(service.received().is_empty());
    shop.call(&["run"], &["--samples"]).exits(0);
    assert_eq!(service.received().len(), 1);
}
