//! Tests of branches: a stored order is billed once and confirmed once, however often and in
//! whatever form a handler receives it.

use std::sync::Arc;
use std::time::Duration;

use oms_engine::effects::{
    Clock as _, Io, ListedOrder, OrderLocation, Orders, StoreResult, StoredOrder,
};
use oms_lambda::{Message, Outcome, SystemClock, messages};
use serde_json::json;

use crate::shop::{Shop, distant_deadline, order};

/// Returns S3's notification about an object, raw in SQS.
fn event(key: &str) -> serde_json::Value {
    let record = json!({ "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
        "s3": { "bucket": { "name": "shop-orders" }, "object": { "key": format!("{key}.json") } } });
    let body = json!({ "Records": [record] }).to_string();
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
        let outcome = bill.order(&place(key), distant_deadline()).await;
        assert!(matches!(outcome, Outcome::Parked { .. }), "{key}: {outcome:?}");
    }
    assert_eq!(shop.ask("select order_id from billing_data").await.len(), 0);
    // Under the right name it is valid, whoever stored it.
    let (object, body) = (format!("{key}.json"), aws_sdk_s3::primitives::ByteStream::from(body));
    shop.s3.put_object().bucket("shop-orders").key(&object).body(body).send().await.unwrap();
    assert_eq!(bill.order(&place(&object), distant_deadline()).await, Outcome::Done);
}
