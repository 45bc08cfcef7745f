//! Tests of the intake: each reply, and the stored orders.

use crate::shop::{Shop, order};

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_stored_once_and_every_reply_has_its_status() {
    let Some(shop) = Shop::open().await else { return };
    let intake = shop.intake();
    let (key, body) = order();
    assert_eq!(intake.put(&key, &body).await.status, 201);
    assert_eq!(intake.put(&key, &body).await.status, 200);
    let text = String::from_utf8(body.clone()).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    // The same order in another notation.
    assert_eq!(intake.put(&key, value.to_string().as_bytes()).await.status, 200);
    let mut other = value.clone();
    other["customer_id"] = "somebody-else".into();
    let conflict = intake.put(&key, other.to_string().as_bytes()).await;
    assert_eq!((conflict.status, conflict.body["type"].as_str()), (409, Some("urn:oms:OMS0604")));
    assert_eq!(conflict.body["key"], *key);
    assert_eq!(conflict.body["pointers"], serde_json::json!(["/customer_id"]));
    let stored = shop.s3.get_object().bucket("shop-orders").key(format!("{key}.json")).send().await;
    let stored = stored.unwrap();
    assert_eq!(stored.metadata().unwrap()["oms-name"], key);
    assert_eq!(stored.body.collect().await.unwrap().to_vec(), body, "the first order is kept");

    let broken = intake.put("broken", b"{\"order_id\": \"broken\",\n \"amount\": }").await;
    assert_eq!((broken.status, broken.body["problems"][0]["line"].as_u64()), (400, Some(2)));
    assert_eq!(intake.put("another-key", &body).await.status, 400, "the path names another order");
    for hostile in ["..", "a/b", "", "a b", "\0"] {
        assert_eq!(intake.put(hostile, &body).await.status, 400, "{hostile:?}");
    }
    let large = format!("{{\"order_id\": \"{}\"}}", "x".repeat(6 << 20));
    let large = intake.put("large", large.as_bytes()).await;
    assert_eq!(large.status, 413);
    let detail = large.body["detail"].as_str().unwrap_or_default();
    assert!(detail.starts_with("the order is larger than "), "{}", large.body);
    let listed = shop.s3.list_objects_v2().bucket("shop-orders").send().await.unwrap();
    assert_eq!(listed.key_count(), Some(1), "rejected orders are not stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_one_of_two_equal_concurrent_orders_is_new() {
    let Some(shop) = Shop::open().await else { return };
    let intake = shop.intake();
    let (key, body) = order();
    let (a, b) = tokio::join!(intake.put(&key, &body), intake.put(&key, &body));
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 201]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_store_is_reported_as_unavailable() {
    let Some(shop) = Shop::open().await else { return };
    shop.s3.delete_bucket().bucket("shop-orders").send().await.unwrap();
    let (key, body) = order();
    let event = serde_json::json!({ "pathParameters": { "key": key }, "body": String::from_utf8(body).unwrap() });
    let answer = shop.intake().event(&event).await;
    assert_eq!(answer["statusCode"], 503);
    assert_eq!(answer["headers"]["Retry-After"], "1");
}
