//! Webhooks: signatures, the header that selects them, and orders that are delivered again.
//!
//! The signatures are constants from Python's `hmac`. `tests/serve/webhooks.py` verifies every scheme
//! with signatures that it computes itself.

use serde_json::{Value as Json, json};

use crate::harness::{Scratch, TestPipeline};
use crate::serve::server::Server;

const PIPELINE: &str = r#"
oms: 1
name: shop
order:
  schema:
    type: object
    required: [id, total]
    properties:
      id: { type: integer }
      total: { type: string }
      updated_at: { type: string }
      lines:
        type: array
        items: { type: object, properties: { sku: { type: string }, state: { type: string } } }
  key: ${{ order.id }}
  ignore: [/updated_at, /lines/*/state]
intake:
  path: /shop/orders
  # verify
steps:
  store:
    uses: object.put
    with: { bucket: orders, key: "${{ run.key }}.json", body: "${{ order }}" }
"#;

/// The key of the verification, with the secret `SHOP_SECRET`.
const VERIFY: &str = "verify: { scheme: shopify, secret: { secret: SHOP_SECRET } }";
const SECRET: (&str, &str) = ("SHOP_SECRET", "hush");

/// `base64.b64encode(hmac.new(b"hush", body, "sha256").digest())` of [`ORDER`].
const SIGNATURE: &str = "x-shopify-hmac-sha256: SbNZOPA92Isxpo4F9v1HYNy3vz/n0brpCLJnZdGImGA=";
const ORDER: &[u8] = br#"{"id":9007199254740993,"total":"12.50","updated_at":"one"}"#;
const JSON: &str = "content-type: application/json";

/// Returns the pipeline with these keys of `intake`.
fn site(scratch: &Scratch, intake: &str) -> TestPipeline {
    let pipeline = scratch.write("shop.yaml", PIPELINE.replace("# verify", intake));
    TestPipeline { pipeline, state: scratch.path("state") }
}

fn order(id: u32, total: &str, updated_at: &str, state: &str) -> Json {
    json!({ "id": id, "total": total, "updated_at": updated_at, "lines": [{ "sku": "a", "state": state }] })
}

fn lines(orders: &[Json]) -> String {
    orders.iter().map(|order| format!("{order}\n")).collect()
}

#[test]
fn an_order_that_differs_only_in_ignored_members_is_a_duplicate() {
    let scratch = Scratch::new();
    let site = site(&scratch, "");
    let first = order(7, "1.00", "one", "new");
    let again = order(7, "1.00", "two", "sent");
    let other = order(7, "2.00", "three", "sent");
    let mut shorter = again.clone();
    shorter.as_object_mut().unwrap().remove("updated_at");
    let orders = [first.clone(), again.clone(), shorter.clone(), other.clone()];
    let input = scratch.write("in.ndjson", lines(&orders));
    let output = site.call(&["run"], &["--format", "json", "--input", &input.to_string_lossy()]);
    let summary = output.json();
    assert_eq!(
        (output.code, &summary["accepted"], &summary["duplicates"], &summary["conflicts"]),
        (1, &json!(1), &json!(2), &json!(1)),
        "{}",
        output.stderr
    );
    assert!(output.stderr.contains("the orders differ at /total\n"), "{}", output.stderr);
    assert!(!output.stderr.contains("updated_at"), "{}", output.stderr);
    // The digest without these members remains after the run was deleted.
    let past = "update oms_runs set accepted_at = accepted_at - 172800000, updated_at = updated_at - 172800000";
    site.connection().execute(past, []).unwrap();
    let pruned = site.call(&["runs", "prune"], &["--older-than", "1d", "--format", "json"]);
    assert_eq!(pruned.exits(0).json()["pruned"], 1);
    let (code, summary) = site.run(&scratch.write("later.ndjson", lines(&[again, shorter])));
    assert_eq!((code, &summary["duplicates"]), (0, &json!(2)));
    let later = scratch.write("later.ndjson", lines(&[other]));
    let output = site.call(&["run"], &["--format", "json", "--input", &later.to_string_lossy()]);
    assert!(output.stderr.contains("that order is no longer stored"), "{}", output.stderr);
    assert_eq!(output.json()["conflicts"], 1);
    // A digest for other pointers proves nothing.
    let text = std::fs::read_to_string(&site.pipeline).unwrap();
    std::fs::write(&site.pipeline, text.replace("[/updated_at, ", "[")).unwrap();
    let changed = order(7, "1.00", "one", "lost");
    let (code, summary) = site.run(&scratch.write("later.ndjson", lines(&[changed])));
    assert_eq!((code, &summary["conflicts"]), (1, &json!(1)));
}

#[test]
fn a_state_without_reduced_digests_is_upgraded() {
    let scratch = Scratch::new();
    let site = site(&scratch, "");
    let input = scratch.write("in.ndjson", lines(&[order(7, "1.00", "one", "new")]));
    site.run(&input);
    for table in ["oms_runs", "oms_pruned"] {
        let sql = format!("alter table {table} drop column reduced");
        site.connection().execute(&sql, []).unwrap();
    }
    site.call(&["runs", "show"], &["7"]).exits(0);
    let (code, summary) =
        site.run(&scratch.write("in.ndjson", lines(&[order(7, "1.00", "two", "new")])));
    assert_eq!((code, &summary["duplicates"]), (0, &json!(1)));
    assert_eq!(site.count("select count(*) from oms_runs where reduced is null"), 1);
}

#[test]
fn a_signature_replaces_the_api_key_of_a_webhook() {
    let scratch = Scratch::new();
    let site = site(&scratch, VERIFY);
    let missing = site.call(&["serve"], &["--listen", "127.0.0.1:0"]).exits(4);
    assert!(
        missing.stderr.contains("the secret `SHOP_SECRET` does not exist"),
        "{}",
        missing.stderr
    );
    assert!(!site.state.exists(), "the state was created without the secret");
    let server = Server::start_with_env(site, &["--access-log"], &[SECRET]);
    let post = |headers: &[&str], body: &[u8]| server.call("POST", "/shop/orders", headers, body);
    let refused = post(&[JSON], ORDER).is(401);
    let empty = "x-shopify-hmac-sha256: ";
    let other = "x-shopify-hmac-sha256: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let huge = format!("x-shopify-hmac-sha256: {}", "A".repeat(20_000));
    for (headers, body) in [
        (&[JSON, empty][..], ORDER),
        (&[JSON, other], ORDER),
        (&[JSON, &huge], ORDER),
        (&[JSON, SIGNATURE, SIGNATURE], ORDER),
        (&[JSON, SIGNATURE], b"{}"),
        (&[JSON, SIGNATURE], b""),
        (&["content-type: text/plain", other], ORDER),
        (&["content-type: application/x-www-form-urlencoded"], b"webhook_id=7"),
    ] {
        let found = post(headers, body).is(401);
        assert_eq!(found.body, refused.body, "the reply depends on the fault");
    }
    let accepted = post(&[JSON, SIGNATURE, "idempotency-key: other"], ORDER).is(201);
    assert_eq!(accepted.json()["key"], "9007199254740993");
    assert_eq!(accepted.header("location"), None);
    post(&[JSON, SIGNATURE], ORDER).is(200);
    post(&["content-type: text/plain", SIGNATURE], ORDER).is(415);
    post(&[JSON, SIGNATURE, "content-encoding: gzip"], ORDER).is(415);
    for method in ["GET", "PUT", "DELETE"] {
        server.call(method, "/shop/orders", &[JSON, SIGNATURE], ORDER).is(405);
    }
    server.call("PUT", "/shop/orders/9007199254740993", &[JSON, SIGNATURE], ORDER).is(404);
    assert_eq!(server.site.count("select count(*) from oms_runs"), 1);
    let metrics = server.get("/metrics").is(200).body;
    for line in ["\"401\"} 9\n", "\"201\"} 1\n", "\"200\"} 1\n", "\"415\"} 2\n"] {
        let line = format!("oms_orders_total{{pipeline=\"shop\",status={line}");
        assert!(metrics.contains(&line), "{line} {metrics}");
    }
    let document = server.get("/openapi.json").is(200).json();
    let path = &document["paths"]["/shop/orders"];
    assert_eq!(path.as_object().map(serde_json::Map::len), Some(1), "{path}");
    let scheme = &document["components"]["securitySchemes"]["shop.signature"];
    assert_eq!(scheme["name"], "X-Shopify-Hmac-SHA256");
    let key = server.site.call(&["keys", "add"], &["shop"]).exits(0).stdout;
    // The API key and the signature do not replace each other.
    post(&[JSON, &format!("x-api-key: {}", key.trim())], ORDER).is(401);
    post(&[JSON, SIGNATURE], ORDER).is(200);
    let state = server.site.state.clone();
    let output = server.end().exits(0);
    assert!(!output.stderr.contains("hush") && !output.stdout.contains("hush"));
    for entry in std::fs::read_dir(state).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        assert!(!bytes.windows(4).any(|part| part == b"hush"), "{}", path.display());
    }
}

#[test]
fn webhooks_that_are_not_orders_and_pings_are_not_stored() {
    let scratch = Scratch::new();
    let intake = "verify: { scheme: woocommerce, secret: [{ secret: NEW }, { secret: OLD }] }\n  accept: { header: X-WC-Webhook-Topic, values: [order.created] }";
    let secrets = [("NEW", "fresh"), ("OLD", "hush")];
    let server = Server::start_with_env(site(&scratch, intake), &[], &secrets);
    let post = |headers: &[&str], body: &[u8]| server.call("POST", "/shop/orders", headers, body);
    let form = "content-type: application/x-www-form-urlencoded";
    let ping = post(&[form], b"webhook_id=7").is(200);
    assert_eq!(ping.body, "");
    post(&[form], b"webhook_id=x").is(401);
    post(&[JSON], b"webhook_id=7").is(401);
    post(&[form, "x-wc-webhook-signature: AA=="], b"webhook_id=7").is(401);
    let signature = SIGNATURE.replace("x-shopify-hmac-sha256", "x-wc-webhook-signature");
    let topic = |name: &str| format!("x-wc-webhook-topic: {name}");
    post(&[JSON, &topic("order.updated")], ORDER).is(401);
    let other = post(&[JSON, &signature, &topic("order.updated")], ORDER).is(204);
    assert_eq!((other.body.as_str(), other.header("content-type")), ("", None));
    post(&[JSON, &signature], ORDER).is(204);
    assert_eq!(server.site.count("select count(*) from oms_runs"), 0);
    post(&[JSON, &signature, &topic("order.created")], ORDER).is(201);
    let metrics = server.get("/metrics").is(200).body;
    let counted = |status: u16, count: u16| {
        let line = format!("oms_orders_total{{pipeline=\"shop\",status=\"{status}\"}} {count}\n");
        assert!(metrics.contains(&line), "{line} {metrics}");
    };
    counted(204, 2);
    counted(201, 1);
    counted(401, 4);
    let ping = "oms_orders_total{pipeline=\"shop\",status=\"200\"}";
    assert!(!metrics.contains(ping), "the ping is counted as an order: {metrics}");
    server.end().exits(0);
}

#[test]
fn a_conflict_names_the_run_and_the_members_that_differ() {
    let scratch = Scratch::new();
    let server = Server::start(site(&scratch, ""), &[]);
    let post =
        |order: &Json| server.call("POST", "/shop/orders", &[JSON], order.to_string().as_bytes());
    let first = post(&order(7, "1.00", "one", "new")).is(201).json();
    let again = post(&order(7, "1.00", "two", "sent")).is(200).json();
    assert_eq!(again, first);
    let conflict = post(&order(7, "secret", "two", "sent")).is(409);
    assert!(!conflict.body.contains("secret"), "{}", conflict.body);
    let conflict = conflict.json();
    assert_eq!((&conflict["run"], &conflict["pointers"]), (&first["run"], &json!(["/total"])));
    server.end().exits(0);
}

#[test]
fn a_path_with_a_key_takes_signed_webhooks_and_orders_with_an_api_key() {
    let scratch = Scratch::new();
    let site = site(&scratch, VERIFY);
    scratch.edit("shop.yaml", "path: /shop/orders", "path: /shop/orders/{key}");
    let server = Server::start_with_env(site, &[], &[SECRET]);
    let key = server.site.call(&["keys", "add"], &["shop"]).exits(0).stdout;
    let key = format!("x-api-key: {}", key.trim());
    let path = "/shop/orders/9007199254740993";
    let signed = server.call("POST", "/shop/orders", &[JSON, SIGNATURE], ORDER).is(201);
    assert_eq!(signed.header("location"), Some(path));
    server.call("POST", "/shop/orders", &[JSON, &key], ORDER).is(401);
    server.call("PUT", path, &[JSON, &key], ORDER).is(200);
    server.call("PUT", path, &[JSON, SIGNATURE], ORDER).is(401);
    server.call("GET", path, &[SIGNATURE], b"").is(401);
    server.call("GET", path, &[&key], b"").is(200);
    server.end().exits(0);
}

#[test]
fn secrets_come_from_files_and_must_be_usable() {
    let scratch = Scratch::new();
    let site = site(&scratch, VERIFY);
    let start = |variable: (&str, &str)| {
        let mut command = site.command(&["serve"], &["--listen", "127.0.0.1:0"]);
        crate::harness::finish(command.env(variable.0, variable.1))
    };
    let empty = scratch.write("empty", "\n");
    let found = start(("SHOP_SECRET_FILE", &empty.to_string_lossy())).exits(4);
    assert!(found.stderr.contains("the secret is empty"), "{}", found.stderr);
    scratch.edit("shop.yaml", "scheme: shopify", "scheme: standard-webhooks");
    let found = start(("SHOP_SECRET", "whsec_not~base64")).exits(4);
    assert!(found.stderr.contains("the secret is not base64"), "{}", found.stderr);
    assert!(!found.stderr.contains("not~base64"), "{}", found.stderr);
    scratch.edit("shop.yaml", "scheme: standard-webhooks", "scheme: shopify");
    let file = scratch.write("secret", "hush\n");
    let variables = [("SHOP_SECRET_FILE", &*file.to_string_lossy())];
    let server = Server::start_with_env(site, &[], &variables);
    server.call("POST", "/shop/orders", &[JSON, SIGNATURE], ORDER).is(201);
    server.end().exits(0);
}

#[test]
fn two_pipelines_cannot_receive_posts_on_the_same_path() {
    let scratch = Scratch::new();
    let one = site(&scratch, "").pipeline;
    let other =
        PIPELINE.replace("name: shop", "name: other").replace("/shop/orders", "/shop/orders/{key}");
    let other = scratch.write("other.yaml", other);
    let both = [&*one.to_string_lossy(), &*other.to_string_lossy()].map(str::to_owned);
    let found = crate::harness::oms(["serve", &both[0], &both[1], "--listen", "127.0.0.1:0"]);
    assert!(found.exits(1).stderr.contains("two pipelines use the intake path"));
}

#[test]
fn the_samples_of_the_shipped_pipelines_are_billed_and_confirmed() {
    let scratch = Scratch::new();
    for (name, mails, bills) in [
        // The amounts were computed with Python's `decimal` from the rates of the ECB.
        (
            "shopify",
            2,
            vec![
                (450_789_469_i64, "15.00"),
                (9_007_199_254_740_993, "507.90"),
                (i64::MAX, "19.15"),
            ],
        ),
        ("woocommerce", 2, vec![(727, "29.35"), (728, "15.66")]),
    ] {
        let pipeline = crate::harness::root().join(format!("pipelines/{name}.yaml"));
        let site = TestPipeline { pipeline, state: scratch.path(name) };
        site.call(&["run"], &["--samples"]).exits(0);
        let found: Vec<(i64, String)> = site
            .export("billing_data")
            .iter()
            .map(|row| {
                (row["order_id"].as_i64().unwrap(), row["amount_usd"].as_str().unwrap().to_owned())
            })
            .collect();
        let bills: Vec<(i64, String)> =
            bills.into_iter().map(|(id, usd)| (id, usd.to_owned())).collect();
        assert_eq!(found, bills, "{name}");
        assert_eq!(site.count("select count(*) from oms_mails"), mails, "{name}");
    }
}
