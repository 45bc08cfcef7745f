//! Tests of branches: a stored order is billed once and confirmed once, however often and in
//! whatever form a handler receives it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use oms_engine::effects::{
    Call, Clock as _, InsertResult, Io, ListedOrder, OrderLocation, Orders, Queue, StepError,
    StoreResult, StoredOrder, Tables, Update, cause,
};
use oms_engine::table::TableDef;
use oms_engine::value::Value;
use oms_lambda::{Bundle, Delivery, Message, Outcome, SystemClock, World, messages};
use serde_json::json;

use crate::shop::{Shop, bundle, distant_deadline, order};

/// Returns S3's notification about an object.
pub(crate) fn notification(key: &str) -> String {
    let record = json!({ "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
        "s3": { "bucket": { "name": "shop-orders" }, "object": { "key": format!("{key}.json") } } });
    json!({ "Records": [record] }).to_string()
}

/// Returns S3's notification about an object, raw in SQS.
fn event(key: &str) -> serde_json::Value {
    let body = notification(key);
    json!({ "Records": [{ "eventSource": "aws:sqs", "messageId": "m1", "body": body }] })
}

pub(crate) fn received(key: &str) -> Vec<Message> {
    messages(&event(key))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_billed_once_and_confirmed_once_however_often_it_is_received() {
    let Some(shop) = Shop::open().await else { return };
    let (key, body) = order();
    assert_eq!(shop.intake().put(&key, &body).await.status, 201);
    let none = json!({ "batchItemFailures": [] });
    let (bill, confirm) = (shop.branch("initiate-billing"), shop.branch("customer-communications"));
    let before = shop.api.calls();
    assert_eq!(bill.event(&received(&key), distant_deadline()).await, none);
    assert_eq!(shop.api.calls() - before, 1, "billing takes one call of the Data API");
    assert_eq!(confirm.event(&received(&key), distant_deadline()).await, none);
    let bills = shop.ask("select cast(b as text) from billing_data b").await;
    assert_eq!((bills.len(), shop.mails()), (1, 1));
    // Both handlers receive the message again, twice at the same time.
    let message = received(&key);
    let (a, b) = tokio::join!(
        bill.event(&message, distant_deadline()),
        bill.event(&message, distant_deadline())
    );
    assert_eq!((a, b), (none.clone(), none.clone()));
    let (a, b) = tokio::join!(
        confirm.event(&message, distant_deadline()),
        confirm.event(&message, distant_deadline())
    );
    assert_eq!((a, b), (none.clone(), none));
    assert_eq!(shop.ask("select cast(b as text) from billing_data b").await, bills);
    assert_eq!(shop.mails(), 1);
    assert_eq!(shop.dead_letter().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_invocations_with_one_order_send_one_mail() {
    let Some(shop) = Shop::open().await else { return };
    let (key, body) = order();
    shop.intake().put(&key, &body).await;
    let message = received(&key);
    let handlers: Vec<_> = (0..4).map(|_| shop.branch("customer-communications")).collect();
    let [a, b, c, d] = handlers.as_slice() else { panic!("four") };
    tokio::join!(
        a.event(&message, distant_deadline()),
        b.event(&message, distant_deadline()),
        c.event(&message, distant_deadline()),
        d.event(&message, distant_deadline())
    );
    assert_eq!(shop.mails(), 1);
    assert_eq!(shop.ask("select state from oms_claims").await, [[Some("done".to_owned())]]);
}

/// Orders of which one makes the handler panic.
struct Panics(Arc<dyn Orders>);

impl Orders for Panics {
    fn store<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
        order: &'a StoredOrder,
    ) -> Io<'a, StoreResult> {
        self.0.store(bucket, key, order)
    }

    fn fetch<'a>(&'a self, place: &'a OrderLocation) -> Io<'a, Option<StoredOrder>> {
        assert!(!place.key.contains("panics"), "a bug");
        self.0.fetch(place)
    }

    fn list<'a>(&'a self, bucket: &'a str, after: Option<&'a str>) -> Io<'a, Vec<ListedOrder>> {
        self.0.list(bucket, after)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_parks_its_order_and_no_other_one_of_the_event() {
    let Some(shop) = Shop::open().await else { return };
    let (key, body) = order();
    shop.intake().put(&key, &body).await;
    let bill = shop.branch_of("initiate-billing", Arc::new(Panics(shop.objects())));
    let batch = [received("panics"), received(&key)].concat();
    let answer = bill.event(&batch, distant_deadline()).await;
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    assert_eq!(shop.ask("select order_id from billing_data").await, [[Some(key)]]);
    assert_eq!(shop.dead_letter().await.unwrap().1, "panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_contains_its_reason_and_can_be_moved_back() {
    let Some(shop) = Shop::open().await else { return };
    let (key, body) = order();
    shop.intake().put(&key, &body).await;
    shop.ask("delete from customer_contact_info").await;
    let confirm = shop.branch("customer-communications");
    let answer = confirm.event(&received(&key), distant_deadline()).await;
    assert_eq!(answer, json!({ "batchItemFailures": [] }), "the order is in the dead letters");
    let (body, cause) = shop.dead_letter().await.unwrap();
    assert_eq!(cause, "no_row");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["oms"]["handler"], "customer-communications");
    // Moved back to the queue, the message names the same order.
    let moved = json!({ "Records": [{ "eventSource": "aws:sqs", "messageId": "m2", "body": body.to_string() }] });
    assert_eq!(messages(&moved)[0].places, received(&key)[0].places);
    assert_eq!(shop.mails(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn temporary_failures_are_retried_and_no_order_is_lost() {
    let Some(shop) = Shop::open().await else { return };
    let (key, body) = order();
    shop.intake().put(&key, &body).await;
    let bill = shop.branch("initiate-billing");
    let failures = json!({ "batchItemFailures": [{ "itemIdentifier": "m1" }] });
    shop.api.resume_in(Duration::from_secs(600)).await;
    let soon = SystemClock.now() + Duration::from_secs(4);
    assert_eq!(bill.event(&received(&key), soon).await, failures);
    let past = SystemClock.now();
    assert_eq!(bill.event(&received(&key), past).await, failures, "no time was left");
    shop.api.resume_in(Duration::ZERO).await;
    shop.ask("alter table billing_data rename to elsewhere").await;
    assert_eq!(
        bill.event(&received(&key), distant_deadline()).await,
        failures,
        "a failure of the environment does not park an order"
    );
    shop.ask("alter table elsewhere rename to billing_data").await;
    assert_eq!(
        bill.event(&received(&key), distant_deadline()).await,
        json!({ "batchItemFailures": [] })
    );
    assert_eq!(shop.ask("select order_id from billing_data").await, [[Some(key)]]);
    assert_eq!(shop.dead_letter().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_not_a_valid_order_is_parked() {
    let Some(shop) = Shop::open().await else { return };
    let body = aws_sdk_s3::primitives::ByteStream::from_static(b"no order");
    shop.s3.put_object().bucket("shop-orders").key("x.json").body(body).send().await.unwrap();
    let bill = shop.branch("initiate-billing");
    let place = |key: &str| OrderLocation {
        bucket: "shop-orders".to_owned(),
        key: key.to_owned(),
        version: None,
    };
    // An order under a wrong name, which could be stored twice.
    let (key, body) = order();
    let copies = [format!("copy-of-{key}.json"), format!("folder/{key}.json"), key.clone()];
    for copy in &copies {
        let body = aws_sdk_s3::primitives::ByteStream::from(body.clone());
        shop.s3.put_object().bucket("shop-orders").key(copy).body(body).send().await.unwrap();
    }
    for key in copies.iter().map(String::as_str).chain(["x.json", "gone.json"]) {
        let outcome = bill.order(&place(key), distant_deadline(), 1).await;
        assert!(matches!(outcome, Outcome::Parked { .. }), "{key}: {outcome:?}");
    }
    assert_eq!(shop.ask("select order_id from billing_data").await.len(), 0);
    // Under the right name it is valid, whoever stored it.
    let (object, body) = (format!("{key}.json"), aws_sdk_s3::primitives::ByteStream::from(body));
    shop.s3.put_object().bucket("shop-orders").key(&object).body(body).send().await.unwrap();
    let outcome = bill.order(&place(&object), distant_deadline(), 1).await;
    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
}

/// Receives messages from a queue as Lambda does, until there is one.
async fn deliver(queue: &dyn Queue, count: u32) -> (Vec<Message>, String) {
    loop {
        let Some(message) = queue.receive().await.unwrap().pop() else { continue };
        let event = json!({ "Records": [{
            "eventSource": "aws:sqs", "messageId": message.id, "receiptHandle": message.receipt,
            "body": message.body, "attributes": { "ApproximateReceiveCount": count.to_string() },
        }] });
        return (messages(&event), message.receipt);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_returns_when_its_next_attempt_is_due() {
    let Some(shop) = Shop::open().await else { return };
    let (key, body) = order();
    shop.intake().put(&key, &body).await;
    let (queue, _) = shop.queue("orders").await;
    queue.send(notification(&key), None).await.unwrap();
    // A missing table is not counted as an attempt, and the message returns after a second.
    let confirm = shop.branch("customer-communications").with_queue(Arc::clone(&queue));
    shop.ask("alter table customer_contact_info rename to elsewhere").await;
    let (message, _) = deliver(&*queue, 1).await;
    let again = confirm.event(&message, distant_deadline()).await;
    assert_eq!(again["batchItemFailures"].as_array().unwrap().len(), 1);
    // The message returns long before the minute for which `receive` makes it invisible.
    shop.ask("alter table elsewhere rename to customer_contact_info").await;
    let (message, receipt) = deliver(&*queue, 2).await;
    assert_eq!(
        confirm.event(&message, distant_deadline()).await,
        json!({ "batchItemFailures": [] })
    );
    queue.delete(&receipt).await.unwrap();
    assert_eq!(shop.mails(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_e_mail_beyond_the_rate_is_delayed_without_an_attempt() {
    let Some(shop) = Shop::open().await else { return };
    let (key, body) = order();
    shop.intake().put(&key, &body).await;
    let confirm = shop.branch("customer-communications");
    shop.ask("insert into oms_slots values ('mail', now() + interval '1 hour', 100)").await;
    let mut message = received(&key);
    for count in 1..6 {
        message[0].delivery = Some(Delivery { receipt: "r".to_owned(), count });
        let again = confirm.event(&message, distant_deadline()).await;
        assert_eq!(again, json!({ "batchItemFailures": [{ "itemIdentifier": "m1" }] }));
        let waiting =
            "select state, cast(attempts like '%\"attempts\":0%' as text) from oms_branches";
        let expected = [[Some("waiting".to_owned()), Some("true".to_owned())]];
        assert_eq!(shop.ask(waiting).await, expected);
    }
    assert_eq!((shop.mails(), shop.dead_letter().await), (0, None));
    shop.ask("update oms_claims set slot_at = now()").await;
    shop.ask("update oms_branches set attempts = null").await;
    assert_eq!(
        confirm.event(&message, distant_deadline()).await,
        json!({ "batchItemFailures": [] })
    );
    assert_eq!(shop.mails(), 1);
}

/// Tables that are never available for inserts.
struct Busy(Arc<dyn Tables>, AtomicU32);

impl Tables for Busy {
    fn insert<'a>(&'a self, _: &'a Call, _: &'a Arc<TableDef>, _: Value) -> Io<'a, InsertResult> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Err(StepError::transient(cause::UNAVAILABLE, "the table is busy")) })
    }

    fn upsert<'a>(&'a self, call: &'a Call, table: &'a Arc<TableDef>, row: Value) -> Io<'a, ()> {
        self.0.upsert(call, table, row)
    }

    fn update<'a>(
        &'a self,
        call: &'a Call,
        table: &'a Arc<TableDef>,
        update: Update,
    ) -> Io<'a, bool> {
        self.0.update(call, table, update)
    }

    fn get<'a>(
        &'a self,
        call: &'a Call,
        table: &'a Arc<TableDef>,
        key: Vec<Value>,
    ) -> Io<'a, Option<Value>> {
        self.0.get(call, table, key)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_continue_the_attempts_of_a_step_until_it_is_parked() {
    let Some(shop) = Shop::open().await else { return };
    let (key, body) = order();
    shop.intake().put(&key, &body).await;
    let policy = "retry: { attempts: 3, initial_ms: 60000, jitter: none }";
    let bundle = bundle("storefront");
    let files = bundle.files.iter().map(|(path, bytes)| match *path == bundle.pipeline {
        true => {
            let text = std::str::from_utf8(bytes).unwrap();
            let retry = "retry: { attempts: 5, initial_ms: 200, max_ms: 30000, multiplier: 2.0, jitter: full }";
            assert_eq!(text.matches(retry).count(), 1);
            let text = text.replace(retry, policy);
            (*path, &*text.into_bytes().leak())
        }
        false => (*path, *bytes),
    });
    let files: Vec<(&'static str, &'static [u8])> = files.collect();
    let plan = Bundle { files: files.leak(), ..bundle }.plan().unwrap();
    let world = shop.world();
    let busy = Arc::new(Busy(world.tables.clone().unwrap(), AtomicU32::new(0)));
    let world = World { tables: Some(Arc::clone(&busy) as _), ..world };
    let bill = shop.handler("initiate-billing", &plan, shop.objects(), world);
    let place = received(&key)[0].places[0].clone();
    let mut inserts = Vec::new();
    let mut outcomes = Vec::new();
    for count in 1..=5 {
        let before = SystemClock.now();
        let outcome = bill.order(&place, distant_deadline(), count).await;
        inserts.push(busy.1.load(Ordering::Relaxed));
        match outcome {
            Outcome::Retry { due: Some(due), cause, .. } => {
                assert_eq!(cause, "unavailable");
                outcomes.push(due > before + Duration::from_secs(30));
            }
            Outcome::Parked { cause, .. } => {
                assert_eq!((cause.as_str(), count), ("unavailable", 5))
            }
            other => panic!("{other:?}"),
        }
        // Every second delivery is too early, and makes no attempt.
        if count % 2 == 0 {
            let due = "update oms_branches set attempts = regexp_replace(attempts, '\"until\":[0-9]+', '\"until\":0')";
            shop.ask(due).await;
        }
    }
    assert_eq!((inserts, outcomes), (vec![1, 1, 2, 2, 3], vec![true; 4]));
}
