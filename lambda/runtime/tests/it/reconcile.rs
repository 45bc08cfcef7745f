//! Tests of the search for lost orders: only handlers without a note receive an order again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use oms_engine::effects::{Branches, Clock as _, Queue};
use oms_lambda::{Comparison, ReconcileHandler, SystemClock, Window, messages};
use oms_sql::SqlBranches;
use serde_json::json;

use crate::branch::received;
use crate::shop::{Shop, distant_deadline, order};

async fn search(shop: &Shop, age: Duration) -> (ReconcileHandler, BTreeMap<String, String>) {
    let mut urls = BTreeMap::new();
    let mut queues: BTreeMap<String, Arc<dyn Queue>> = BTreeMap::new();
    for name in ["initiate-billing", "customer-communications"] {
        let (queue, url) = shop.queue(name).await;
        queues.insert(name.to_owned(), queue);
        urls.insert(name.to_owned(), url);
    }
    let branches: Arc<dyn Branches> = Arc::new(SqlBranches::new(Arc::clone(&shop.database)));
    let real = "shop-orders".to_owned();
    let orders = shop.objects();
    let window = Window { min_age: age, max_age: Duration::from_secs(86_400) };
    let mut letters: BTreeMap<String, Arc<dyn Queue>> = BTreeMap::new();
    for name in ["initiate-billing", "customer-communications"] {
        let (queue, url) = shop.queue(&format!("{name}-dead")).await;
        letters.insert(name.to_owned(), queue);
        urls.insert(format!("{name}-dead"), url);
    }
    let handler =
        ReconcileHandler::new(&shop.plan, real, window, orders, branches, queues, letters);
    (handler, urls)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_without_a_note_receives_an_order_again() {
    let Some(shop) = Shop::open().await else { return };
    let (key, body) = order();
    shop.intake().put(&key, &body).await;
    let (search_now, urls) = search(&shop, Duration::ZERO).await;
    let (search_old, _) = search(&shop, Duration::from_secs(3600)).await;
    let nothing = Comparison { all: true, ..Comparison::default() };
    assert_eq!(
        search_old.compare(distant_deadline()).await.unwrap(),
        nothing,
        "the order may be in progress"
    );
    shop.branch("initiate-billing").event(&received(&key), distant_deadline()).await;
    let found = Comparison { orders: 1, missing: 1, all: true };
    assert_eq!(search_now.compare(distant_deadline()).await.unwrap(), found);
    assert_eq!(
        shop.take(&urls["initiate-billing"]).await,
        None,
        "the handler is done with the order"
    );
    let body = shop.take(&urls["customer-communications"]).await.unwrap();
    let event =
        json!({ "Records": [{ "eventSource": "aws:sqs", "messageId": "m", "body": body }] });
    let sent = messages(&event);
    assert_eq!(sent[0].places, received(&key)[0].places);
    shop.branch("customer-communications").event(&sent, distant_deadline()).await;
    assert_eq!(shop.mails(), 1);
    let done = Comparison { orders: 1, missing: 0, all: true };
    assert_eq!(search_now.compare(distant_deadline()).await.unwrap(), done);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_order_is_not_lost() {
    let Some(shop) = Shop::open().await else { return };
    let (key, body) = order();
    shop.intake().put(&key, &body).await;
    let (search, _) = search(&shop, Duration::ZERO).await;
    shop.objects().erase("orders", &format!("{key}.json")).await.unwrap();
    let nothing = Comparison { all: true, ..Comparison::default() };
    assert_eq!(search.compare(distant_deadline()).await.unwrap(), nothing);
}

#[tokio::test(flavor = "multi_thread")]
async fn parked_orders_and_skipped_steps_are_not_lost() {
    let Some(shop) = Shop::open().await else { return };
    let (key, body) = order();
    shop.intake().put(&key, &body).await;
    let (search, urls) = search(&shop, Duration::ZERO).await;
    shop.branch("initiate-billing").event(&received(&key), distant_deadline()).await;
    shop.ask("update customer_contact_info set email = null").await;
    shop.branch("customer-communications").event(&received(&key), distant_deadline()).await;
    assert_eq!(shop.mails(), 0, "the customer has no e-mail address");
    let done = Comparison { orders: 1, missing: 0, all: true };
    assert_eq!(search.compare(distant_deadline()).await.unwrap(), done);

    let mut other: serde_json::Value = serde_json::from_slice(&body).unwrap();
    other["order_id"] = "without-a-customer".into();
    other["customer_id"] = "nobody".into();
    let (key, body) = ("without-a-customer", other.to_string());
    assert_eq!(shop.intake().put(key, body.as_bytes()).await.status, 201);
    shop.branch("customer-communications").event(&received(key), distant_deadline()).await;
    let parked =
        shop.ask("select key, handler, cause from oms_branches where state = 'parked'").await;
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(parked, [[text(key), text("customer-communications"), text("no_row")]]);
    let found = Comparison { orders: 2, missing: 1, all: true };
    assert_eq!(search.compare(distant_deadline()).await.unwrap(), found);
    assert_eq!(shop.take(&urls["customer-communications"]).await, None);
    assert!(shop.take(&urls["initiate-billing"]).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_timeout_the_next_comparison_continues_after_the_last_order() {
    let Some(shop) = Shop::open().await else { return };
    let (key, body) = order();
    shop.intake().put(&key, &body).await;
    let (search, _) = search(&shop, Duration::ZERO).await;
    let soon = SystemClock.now() + Duration::from_secs(1);
    let some = Comparison { orders: 1, missing: 2, all: false };
    assert_eq!(search.compare(soon).await.unwrap(), some);
    let rest = Comparison { orders: 0, missing: 0, all: false };
    assert_eq!(search.compare(distant_deadline()).await.unwrap(), rest);
    let all = Comparison { orders: 1, missing: 2, all: true };
    assert_eq!(search.compare(distant_deadline()).await.unwrap(), all);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_sqs_gave_up_on_is_parked() {
    let Some(shop) = Shop::open().await else { return };
    let (key, body) = order();
    shop.intake().put(&key, &body).await;
    let (search, urls) = search(&shop, Duration::from_secs(3600)).await;
    let url = &urls["initiate-billing-dead"];
    let queue = shop.queue("initiate-billing-dead").await.0;
    // A message in the form of S3 without a cause, and one of a handler.
    let given_up = crate::branch::notification(&key);
    let noted = json!({ "objects": [], "oms": { "cause": "no_row" } }).to_string();
    queue.send(given_up.clone(), None).await.unwrap();
    queue.send(noted.clone(), None).await.unwrap();
    let found = search.event(distant_deadline()).await.unwrap();
    assert_eq!(found["parked"], 1);
    let parked = "select key, handler, cause from oms_branches where state = 'parked'";
    let text = |text: &str| Some(text.to_owned());
    let expected = [[text(&key), text("initiate-billing"), text("deliveries")]];
    assert_eq!(shop.ask(parked).await, expected);
    // The dead letter now names its cause, and is not replaced again.
    assert_eq!(search.event(distant_deadline()).await.unwrap()["parked"], 0);
    let mut letters = [shop.take(url).await.unwrap(), shop.take(url).await.unwrap()];
    letters.sort_by_key(|letter| *letter == noted);
    let letter: serde_json::Value = serde_json::from_str(&letters[0]).unwrap();
    assert_eq!(letter["oms"]["cause"], "deliveries");
    assert_eq!(letters[1], noted);
    assert_eq!(shop.take(url).await, None);
    // If the handler is done with the order, the dead letter is deleted.
    shop.branch("initiate-billing").event(&received(&key), distant_deadline()).await;
    queue.send(given_up, None).await.unwrap();
    assert_eq!(search.event(distant_deadline()).await.unwrap()["parked"], 0);
    assert_eq!((shop.ask(parked).await.len(), shop.take(url).await), (0, None));
}
