//! `oms serve`: replies to orders, API keys, traces, and commands that reach the server.

pub(crate) mod server;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
#[cfg(target_os = "linux")]
use std::os::unix::net::UnixDatagram;

use serde_json::{Value as Json, json};

use crate::harness::{Scratch, TestPipeline, oms, root};
use server::Server;

fn order() -> (String, Json) {
    let text = std::fs::read(root().join("pipelines/storefront/samples/NW-10248.json")).unwrap();
    let order: Json = serde_json::from_slice(&text).unwrap();
    (order["order_id"].as_str().unwrap().to_owned(), order)
}

fn bytes(order: &Json) -> Vec<u8> {
    serde_json::to_vec(order).unwrap()
}

#[test]
fn an_order_is_stored_before_the_reply_and_each_fault_gets_its_status() {
    let scratch = Scratch::new();
    let server = Server::start(TestPipeline::storefront(scratch.path("state")), &[]);
    let (key, order) = order();
    let new = server.put(&key, &bytes(&order)).is(201);
    assert_eq!(new.header("location"), Some(format!("/storefront/order/{key}").as_str()));
    assert_eq!(new.json()["key"], key.as_str());
    // The run is visible to other processes as soon as the reply is sent.
    assert_eq!(server.site.count("select count(*) from oms_runs"), 1);
    let again = server.put(&key, &bytes(&order)).is(200);
    assert_eq!(again.json(), new.json());
    let pretty = serde_json::to_vec_pretty(&order).unwrap();
    server.put(&key, &pretty).is(200);
    let mut other = order.clone();
    other["customer_id"] = json!("other");
    assert_eq!(server.put(&key, &bytes(&other)).is(409).json()["type"], "urn:oms:OMS0604");
    let wrong = server.put("another", &bytes(&order)).is(400).json();
    assert_eq!(wrong["type"], "urn:oms:OMS0603");
    let broken = server.put("x", b"{\"order_id\":\n  oops").is(400).json();
    assert_eq!(
        (&broken["problems"][0]["line"], &broken["problems"][0]["column"]),
        (&json!(2), &json!(3))
    );
    let mut incomplete = order.clone();
    incomplete["items"][1]["sku"] = json!(7);
    let refused = server.put(&key, &bytes(&incomplete)).is(400).json();
    assert_eq!(refused["problems"][0]["pointer"], "/items/1/sku", "{refused}");
    let kind = ["content-type: text/plain"];
    server.call("PUT", &format!("/storefront/order/{key}"), &kind, &bytes(&order)).is(415);
    let large = server.put("x", &vec![b' '; 300_000]).is(413);
    assert_eq!(large.header("connection"), Some("close"));
    assert_eq!(large.json()["detail"], "the order is larger than 262144 bytes");
    server.call("DELETE", &format!("/storefront/order/{key}"), &[], b"").is(405);
    server.get("/nothing").is(404);
    for key in ["%2e%2e", "a%2fb", "%00", "%ff", "a%20b", &"x".repeat(4_096)] {
        server.put(key, &bytes(&order)).is(400);
    }
    let shown = server.get(&format!("/storefront/order/{key}")).is(200).json();
    assert_eq!((&shown["state"], &shown["run"]), (&json!("completed"), &new.json()["run"]));
    server.get("/storefront/order/nobody").is(404);
    server.get("/healthz").is(200);
    server.get("/readyz").is(200);
    let metrics = server.get("/metrics").is(200).body;
    assert!(
        metrics.contains("oms_orders_total{pipeline=\"storefront\",status=\"201\"} 1\n"),
        "{metrics}"
    );
    server.end().exits(0);
}

#[test]
fn a_post_takes_the_key_from_its_body_or_a_header_and_can_wait_for_the_end() {
    let scratch = Scratch::new();
    let server = Server::start(TestPipeline::storefront(scratch.path("state")), &[]);
    let (key, order) = order();
    let headers = ["content-type: application/json", "prefer: wait=5"];
    let done = server.call("POST", "/storefront/order", &headers, &bytes(&order)).is(201);
    assert_eq!(done.header("preference-applied"), Some("wait=5"));
    assert_eq!((&done.json()["key"], &done.json()["state"]), (&json!(key), &json!("completed")));
    drop(server);
    // Where the key is the name of the incoming order, the `Idempotency-Key` header sets it.
    let sample = std::fs::read(root().join("pipelines/order-management/samples/A1.json")).unwrap();
    let server = Server::start(TestPipeline::order_management(scratch.path("other")), &[]);
    let kind = "content-type: application/json";
    server.call("POST", "/order", &[kind], &sample).is(400);
    server.call("POST", "/order", &[kind, "idempotency-key: a b"], &sample).is(400);
    for (header, status) in [("idempotency-key: A1", 201), ("idempotency-key: \"A1\"", 200)] {
        let response = server.call("POST", "/order", &[kind, header], &sample).is(status);
        assert_eq!(response.json()["key"], "A1");
    }
}

#[test]
fn the_openapi_document_lists_the_responses_to_untrusted_requests() {
    let scratch = Scratch::new();
    let server = Server::start(TestPipeline::storefront(scratch.path("state")), &[]);
    let document = server.get("/openapi.json").is(200).json();
    for (described, sent) in [
        ("/healthz", "/healthz"),
        ("/readyz", "/readyz"),
        ("/storefront/order/{key}", "/storefront/order/A"),
    ] {
        let responses = &document["paths"][described]["get"]["responses"];
        for (status, headers) in [
            (400, "host: localhost\r\nhost: localhost"),
            (403, "host: localhost\r\nvia: 1.1 proxy"),
            (421, "host: shop.example.com"),
        ] {
            server.raw(format!("GET {sent} HTTP/1.1\r\n{headers}\r\n\r\n").as_bytes()).is(status);
            assert!(responses[status.to_string()].is_object(), "{sent} {status}: {responses}");
        }
    }
}

#[test]
fn a_key_is_required_once_one_exists_and_revoked_keys_are_rejected() {
    let scratch = Scratch::new();
    let site = || TestPipeline::storefront(scratch.path("state"));
    let beyond = site().call(&["serve"], &["--listen", "0.0.0.0:0"]).exits(4);
    let command = format!("oms keys add {} --state-dir ", site().pipeline.display());
    assert!(beyond.stderr.contains(&command), "{}", beyond.stderr);
    let spaced = TestPipeline::storefront(scratch.path("a state"));
    let beyond = spaced.call(&["serve"], &["--listen", "0.0.0.0:0"]).exits(4);
    let quoted = format!("--state-dir '{}' shop", spaced.state.display());
    assert!(beyond.stderr.contains(&quoted), "{}", beyond.stderr);
    let server = Server::start(site(), &[]);
    let (key, order) = order();
    let path = format!("/storefront/order/{key}");
    let send = |headers: &[&str]| {
        let headers = [&["content-type: application/json"], headers].concat();
        server.call("PUT", &path, &headers, &bytes(&order)).status
    };
    assert_eq!(send(&[]), 201, "a local request is rejected although no key exists");
    let elsewhere = format!("GET {path} HTTP/1.1\r\nhost: shop.example.com\r\n\r\n");
    let misdirected = server.raw(elsewhere.as_bytes()).is(421).json();
    let detail = misdirected["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("oms keys add"), "{misdirected}");
    let made = server.site.call(&["keys", "add"], &["shop"]).exits(0);
    let secret = made.stdout.trim().to_owned();
    let until = |expected: u16, headers: &[&str]| {
        let tries = (0..40).find(|_| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            send(headers) == expected
        });
        assert!(tries.is_some(), "the status never became {expected}");
    };
    until(401, &[]);
    assert_eq!(send(&["x-api-key: oms_nobody_knows"]), 401);
    assert_eq!(send(&[&format!("x-api-key: {secret}")]), 200);
    assert_eq!(send(&[&format!("authorization: Bearer {secret}")]), 200);
    let listed = server.site.call(&["keys", "list"], &["--format", "json"]).exits(0);
    assert_eq!(listed.json()["keys"][0]["name"], "shop");
    assert!(!listed.stdout.contains(secret.rsplit('_').next().unwrap()));
    server.site.call(&["keys", "revoke"], &["shop"]).exits(0);
    let made = server.site.call(&["keys", "add"], &["--scope", "admin", "ann"]).exits(0);
    let last = format!("x-api-key: {}", made.stdout.trim());
    until(401, &[&format!("x-api-key: {secret}")]);
    until(200, &[&last]);
    // The server still requires a key after the last one was revoked.
    server.site.call(&["keys", "revoke"], &["ann"]).exits(0);
    until(401, &[&last]);
    assert_eq!(send(&[]), 401);
}

#[test]
fn commands_import_retry_and_cancel_through_a_running_server() {
    let scratch = Scratch::with_pipelines();
    let pipeline = scratch.path("pipelines/storefront.yaml");
    let site = TestPipeline { pipeline, state: scratch.path("state") };
    let server = Server::start(site, &[]);
    let (_, order) = order();
    let with = |key: &str, member: &str, value: &str| {
        let mut order = order.clone();
        order["order_id"] = json!(key);
        order[member] = json!(value);
        bytes(&order)
    };
    server.put("lost-1", &with("lost-1", "customer_id", "nobody")).is(201);
    server.put("lost-2", &with("lost-2", "customer_id", "nobody")).is(201);
    server.put("poor-1", &with("poor-1", "currency", "VES")).is(201);
    let state = |key: &str| server.get(&format!("/storefront/order/{key}")).json()["state"].clone();
    assert_eq!((state("lost-1"), state("poor-1")), (json!("parked"), json!("parked")));
    // A second owner is still rejected.
    let second = server.site.call(&["run"], &[]).exits(4);
    assert!(second.stderr.contains("in use"), "{}", second.stderr);
    let row =
        r#"{"customer_id":"nobody","name":"Found","email":"found@example.com","locale":"en"}"#;
    let rows = scratch.write("rows.ndjson", row);
    let rows = rows.to_string_lossy();
    server.site.call(&["db", "import"], &["customer_contact_info", &rows]).exits(0);
    let again = server.site.call(&["runs", "retry"], &["lost-1", "--format", "json"]).exits(0);
    assert_eq!(again.json()["completed"], 1);
    assert_eq!(state("lost-1"), json!("completed"));
    // A retry also uses changed files, without a restart of the server.
    let extra = scratch.path("pipelines/storefront/rates-extra.csv");
    let day = order["placed_at"].as_str().and_then(|at| at.split('T').next()).unwrap();
    std::fs::write(&extra, format!("date,currency,per_eur\n{day},VES,36.5\n")).unwrap();
    server.site.call(&["runs", "retry"], &["--cause", "no_rate"]).exits(0);
    assert_eq!(state("poor-1"), json!("completed"));
    let ended = server.site.call(&["runs", "cancel"], &["lost-2", "--format", "json"]).exits(0);
    assert_eq!(ended.json()["cancelled"], 1);
    assert_eq!(state("lost-2"), json!("cancelled"));
    let refused = server.site.call(&["runs", "cancel"], &["lost-1"]).exits(1);
    assert!(refused.stderr.contains("completed"), "{}", refused.stderr);
    // Without a server, the same commands work on the state directly.
    let site =
        TestPipeline { pipeline: server.site.pipeline.clone(), state: server.site.state.clone() };
    drop(server);
    let alone = site.call(&["runs", "cancel"], &["lost-2"]).exits(1);
    assert!(alone.stderr.contains("cancelled"), "{}", alone.stderr);
    assert_eq!(site.count("select count(*) from billing_data"), 3);
    assert_eq!(site.count("select count(*) from oms_mails"), 2);
}

#[test]
fn pipelines_without_an_intake_or_with_the_same_path_are_not_served() {
    let scratch = Scratch::with_pipelines();
    let one = scratch.path("pipelines/storefront.yaml");
    let two = scratch.path("pipelines/other.yaml");
    std::fs::copy(&one, &two).unwrap();
    scratch.edit("pipelines/other.yaml", "name: storefront", "name: other");
    let (one, two) = (one.to_string_lossy(), two.to_string_lossy());
    let both = oms(["serve", &one, &two, "--listen", "127.0.0.1:0"]).exits(1);
    assert!(both.stderr.contains("two pipelines use the intake path"), "{}", both.stderr);
    scratch.edit("pipelines/other.yaml", "/storefront/order/{key}", "/console/{key}");
    let reserved = oms(["serve", &two, "--listen", "127.0.0.1:0"]).exits(4);
    assert!(reserved.stderr.contains("reserved for the server"), "{}", reserved.stderr);
    scratch.edit("pipelines/other.yaml", "intake:", "# intake:");
    let none = oms(["serve", &two, "--listen", "127.0.0.1:0"]).exits(4);
    assert!(none.stderr.contains("no `intake`"), "{}", none.stderr);
}

/// Receives and answers a request as a trace collector. Returns its first line and its body.
fn collected(listener: &TcpListener) -> (String, Vec<u8>) {
    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0);
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then(|| value.parse().unwrap())
    });
    let mut body = vec![0; length.unwrap()];
    reader.read_exact(&mut body).unwrap();
    reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body)
}

#[test]
fn the_trace_of_an_order_has_the_id_of_its_run_and_no_order_data() {
    let scratch = Scratch::new();
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    let variables =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("OTEL_SERVICE_NAME", "shop-orders")];
    let server =
        Server::start_with_env(TestPipeline::storefront(scratch.path("state")), &[], &variables);
    let (key, order) = order();
    let accepted = server.put(&key, &bytes(&order)).is(201).json();
    let (line, body) = collected(&collector);
    assert_eq!(line, "POST /v1/traces HTTP/1.1");
    let has = |part: &[u8]| body.windows(part.len()).any(|found| found == part);
    let run = accepted["run"].as_str().unwrap();
    let id: Vec<u8> = (0..run.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(run.get(at..at + 2).unwrap(), 16).unwrap())
        .collect();
    assert!(has(&id), "the trace does not contain the id of the run");
    for text in ["shop-orders", "order storefront", "convert", "confirm", "NW-10248", "completed"] {
        assert!(has(text.as_bytes()), "{text}");
    }
    for text in ["VINET", "Queso Cabrales", "paul.henriot", "440.00"] {
        assert!(!has(text.as_bytes()), "{text}");
    }
    server.end().exits(0);
}

#[test]
fn unreadable_data_is_an_error_and_not_an_empty_page() {
    let scratch = Scratch::new();
    let server = Server::start(TestPipeline::storefront(scratch.path("state")), &[]);
    let empty = server.get("/console/storefront/audit").is(200);
    assert!(empty.body.contains("No entries."), "{}", empty.body);
    server.site.connection().execute("alter table oms_audit rename to elsewhere", []).unwrap();
    let page = server.get("/console/storefront/audit").is(500);
    assert!(page.body.contains("Audit log cannot be shown"), "{}", page.body);
    server.site.connection().execute("alter table oms_runs rename to oms_ran", []).unwrap();
    for page in ["/runs", "/parked", "/"] {
        server.get(&format!("/console/storefront{page}")).is(500);
    }
    server.get("/console/storefront/live").is(503);
}

#[cfg(target_os = "linux")]
#[test]
fn systemd_is_notified_of_readiness_and_shutdown() {
    let scratch = Scratch::new();
    let path = scratch.path("notify.sock");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(server::TIMEOUT)).unwrap();
    let receive = || {
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    let variables = [("NOTIFY_SOCKET", path.to_str().unwrap())];
    let server =
        Server::start_with_env(TestPipeline::storefront(scratch.path("state")), &[], &variables);
    assert_eq!(receive(), "READY=1\n");
    server.get("/readyz").is(200);
    server.end().exits(0);
    assert_eq!(receive(), "STOPPING=1\n");
    socket.set_nonblocking(true).unwrap();
    assert!(socket.recv(&mut [0; 64]).is_err(), "another notification was sent");
}
