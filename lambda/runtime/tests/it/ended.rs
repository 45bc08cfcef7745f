//! Tests of orders that an operator has ended: no further step runs, and their keys stay in use.

use std::sync::Arc;
use std::time::Duration;

use oms_engine::effects::{CANCEL_AGE, Clock as _, OrderLocation, Orders as _, StoredOrder};
use oms_lambda::{Outcome, SystemClock};
use oms_sql::{CancelResult, CancelledOrder, cancel};
use serde_json::{Value as Json, json};

use crate::branch::received;
use crate::shop::{Shop, distant_deadline, order};

fn place(key: &str) -> OrderLocation {
    OrderLocation { bucket: "shop-orders".into(), key: format!("{key}.json"), version: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_order_runs_no_further_step_however_it_is_delivered() {
    let Some(shop) = Shop::open().await else { return };
    let (key, body) = order();
    let accepted_at = SystemClock.now() - Duration::from_secs(120);
    let stored = StoredOrder {
        body: body.into(),
        digest: None,
        name: Some(key.as_str().into()),
        accepted_at,
        rates: None,
        is_erased: false,
    };
    shop.objects().store("orders", &format!("{key}.json"), &stored).await.unwrap();
    let customers = shop.ask("delete from customer_contact_info returning customer_id").await;
    let (bill, confirm) = (shop.branch("initiate-billing"), shop.branch("customer-communications"));
    let outcome = confirm.order(&place(&key), distant_deadline(), 1).await;
    assert!(matches!(outcome, Outcome::Parked { .. }), "{outcome:?}");
    confirm.event(&received(&key), distant_deadline()).await;
    let object = format!("{key}.json");
    let order = CancelledOrder { key: &key, object: &object, accepted_at };
    let handlers = ["initiate-billing", "customer-communications"];
    let result = cancel(&*shop.database, "storefront", &handlers, order, CANCEL_AGE).await.unwrap();
    assert_eq!(result, CancelResult::Cancelled);
    // The cause is fixed, but the order is cancelled. The other handler has not received it yet.
    let insert = "insert into customer_contact_info (customer_id, name, email, locale) values ('VINET', 'a', 'a@example.com', 'en')";
    assert!(!customers.is_empty());
    shop.ask(insert).await;
    for (handler, count) in [(&bill, 1), (&bill, 2), (&confirm, 1), (&confirm, 2)] {
        let outcome = handler.order(&place(&key), distant_deadline(), count).await;
        assert_eq!(outcome, Outcome::Cancelled);
    }
    assert_eq!(shop.ask("select order_id from billing_data").await.len(), 0);
    assert_eq!(shop.mails(), 0);
    let states = shop.ask("select distinct state from oms_branches").await;
    assert_eq!(states, [[Some("cancelled".to_owned())]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_order_runs_no_step_and_keeps_its_key() {
    let Some(shop) = Shop::open().await else { return };
    let (key, body) = order();
    let intake = shop.intake();
    assert_eq!(intake.put(&key, &body).await.status, 201);
    let (objects, object) = (shop.objects(), format!("{key}.json"));
    let versioning = aws_sdk_s3::types::VersioningConfiguration::builder()
        .status(aws_sdk_s3::types::BucketVersioningStatus::Enabled);
    let versioned = shop.s3.put_bucket_versioning().bucket("shop-orders");
    versioned.versioning_configuration(versioning.build()).send().await.unwrap();
    // Another program overwrites the object, and one whose key begins with the same text remains.
    for name in [&object, &format!("{object}-other")] {
        let put = shop.s3.put_object().bucket("shop-orders").key(name).body(body.clone().into());
        let head = shop.s3.head_object().bucket("shop-orders").key(&object).send().await.unwrap();
        put.set_metadata(head.metadata).send().await.unwrap();
    }
    objects.erase("orders", &object).await.unwrap();
    // A call was interrupted before it deleted this version.
    let erased = shop.s3.head_object().bucket("shop-orders").key(&object).send().await.unwrap();
    let put = shop.s3.put_object().bucket("shop-orders").key(&object);
    put.set_metadata(erased.metadata).send().await.unwrap();
    objects.erase("orders", &object).await.unwrap();
    let versions = shop.s3.list_object_versions().bucket("shop-orders").send().await.unwrap();
    let sizes: Vec<_> = versions.versions().iter().map(|one| (one.key(), one.size())).collect();
    let other = format!("{object}-other");
    let size = i64::try_from(body.len()).unwrap();
    assert_eq!(sizes, [(Some(&*object), Some(0)), (Some(&*other), Some(size))]);
    assert_eq!(versions.delete_markers().len(), 0);

    for name in ["initiate-billing", "customer-communications"] {
        let outcome = shop.branch(name).order(&place(&key), distant_deadline(), 1).await;
        assert_eq!(outcome, Outcome::Erased);
    }
    assert_eq!((shop.ask("select 1 from billing_data").await.len(), shop.mails()), (0, 0));
    assert_eq!(intake.put(&key, &body).await.status, 200);
    let mut changed: Json = serde_json::from_slice(&body).unwrap();
    changed["customer_id"] = json!("other");
    let reply = intake.put(&key, changed.to_string().as_bytes()).await;
    let why = reply.body["detail"].as_str().unwrap_or_default();
    assert!(reply.status == 409 && why.contains("no longer stored"), "{} {why}", reply.status);
    let stored = objects.fetch(&place(&key)).await.unwrap().unwrap();
    let shown: Arc<str> = Arc::from(key.as_str());
    assert_eq!((stored.is_erased, stored.body.len(), stored.name), (true, 0, Some(shown)));
}
