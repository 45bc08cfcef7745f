//! Stored orders on S3. The intake stores its data about an order in the metadata of the object.

use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use jiff::Timestamp;
use oms_core::effects::{
    Io, ListedOrder, OrderLocation, Orders, StepError, StoreResult, StoredOrder, cause,
};
use oms_core::value::Digest;

use crate::failure::classify;
use crate::objects::{self, S3Objects, StoredObject};

const DIGEST: &str = "oms-digest";
const NAME: &str = "oms-name";
const ACCEPTED_AT: &str = "oms-accepted-at";
const RATES: &str = "oms-rates";
const ERASED: &str = "oms-erased";

impl S3Objects {
    async fn put_order(
        &self,
        bucket: &str,
        key: &str,
        order: &StoredOrder,
    ) -> Result<StoreResult, StepError> {
        let digest = order.digest.map(|digest| digest.to_string()).unwrap_or_default();
        let stored = self
            .client
            .put_object()
            .bucket(self.bucket(bucket))
            .key(key)
            .if_none_match("*")
            .content_type("application/json")
            .metadata(DIGEST, &digest)
            .metadata(NAME, order.name.as_deref().unwrap_or_default())
            .metadata(ACCEPTED_AT, order.accepted_at.to_string())
            .body(ByteStream::from(order.body.to_vec()));
        let stored = match &order.rates {
            Some(version) => stored.metadata(RATES, &**version),
            None => stored,
        };
        let error = match stored.send().await {
            Ok(_) => return Ok(StoreResult::New),
            Err(error) => error,
        };
        match error.raw_response().map(|response| response.status().as_u16()) {
            Some(412) => {}
            // Two clients wrote at the same time, and S3 asks for a retry.
            Some(409) => {
                return Err(StepError::transient(cause::UNAVAILABLE, "S3 requested a retry"));
            }
            _ => return Err(classify("S3", error)),
        }
        // The order already exists, for example because a client sent it again after a lost
        // response.
        let there = self.client.head_object().bucket(self.bucket(bucket)).key(key).send().await;
        let there = there.map_err(|error| classify("S3", error))?;
        let same = there.metadata().and_then(|metadata| metadata.get(DIGEST)) == Some(&digest);
        if same {
            return Ok(StoreResult::Same);
        }
        let other = objects::read(&self.client, self.bucket(bucket), key, None).await?;
        let other = other.filter(|found| !found.metadata.contains_key(ERASED));
        Ok(StoreResult::Other(other.map(|found| found.bytes)))
    }

    async fn list_orders(
        &self,
        bucket: &str,
        after: Option<&str>,
    ) -> Result<Vec<ListedOrder>, StepError> {
        let found = self
            .client
            .list_objects_v2()
            .bucket(self.bucket(bucket))
            .set_start_after(after.map(str::to_owned))
            .send()
            .await
            .map_err(|error| classify("S3", error))?;
        let listed = found.contents.unwrap_or_default().into_iter().filter_map(|object| {
            let stored_at = Timestamp::from_second(object.last_modified?.secs()).ok()?;
            let is_empty = object.size == Some(0);
            Some(ListedOrder { object: object.key?, stored_at, is_empty })
        });
        Ok(listed.collect())
    }

    async fn get_order(&self, place: &OrderLocation) -> Result<Option<StoredOrder>, StepError> {
        let OrderLocation { bucket, key, version } = place;
        let found = objects::read(&self.client, bucket, key, version.as_deref()).await?;
        let Some(StoredObject { bytes, metadata, stored_at }) = found else { return Ok(None) };
        let accepted_at = metadata.get(ACCEPTED_AT).and_then(|text| text.parse().ok());
        let accepted_at = accepted_at.or(stored_at);
        Ok(Some(StoredOrder {
            body: bytes,
            digest: metadata.get(DIGEST).and_then(|text| Digest::parse(text)),
            name: metadata.get(NAME).map(|name| Arc::from(name.as_str())),
            accepted_at: accepted_at.unwrap_or(Timestamp::UNIX_EPOCH),
            rates: metadata.get(RATES).map(|version| Arc::from(version.as_str())),
            is_erased: metadata.contains_key(ERASED),
        }))
    }

    /// Erases an order: replaces its object with an empty one that has the order's digest and name,
    /// so that the same order is still recognized as a duplicate, and deletes all earlier versions.
    /// `bucket` is its name in the pipeline.
    ///
    /// # Errors
    /// Returns an error if S3 fails. The call can be repeated.
    pub async fn erase(&self, bucket: &str, key: &str) -> Result<(), StepError> {
        let bucket = self.bucket(bucket);
        let head = self.client.head_object().bucket(bucket).key(key).send().await;
        let head = head.map_err(|error| classify("S3", error))?;
        let mut metadata = head.metadata.unwrap_or_default();
        // `oms run --target aws` stored the order.
        if let Some(digest) = metadata.get(objects::ORDER).cloned() {
            metadata.entry(DIGEST.to_owned()).or_insert(digest);
        }
        if metadata.insert(ERASED.to_owned(), "true".to_owned()).is_none() {
            let empty = self.client.put_object().bucket(bucket).key(key);
            let empty = empty.content_type("application/json").set_metadata(Some(metadata));
            empty.send().await.map_err(|error| classify("S3", error))?;
        }
        self.delete_earlier_versions(bucket, key).await
    }

    /// Deletes all versions of an object except the current one.
    async fn delete_earlier_versions(&self, bucket: &str, key: &str) -> Result<(), StepError> {
        let mut next = (None, None);
        loop {
            let page = self.client.list_object_versions().bucket(bucket).prefix(key);
            let page = page.set_key_marker(next.0).set_version_id_marker(next.1);
            let page = page.send().await.map_err(|error| classify("S3", error))?;
            let objects = page.versions.unwrap_or_default().into_iter();
            let objects = objects.map(|found| (found.key, found.version_id, found.is_latest));
            let markers = page.delete_markers.unwrap_or_default().into_iter();
            let markers = markers.map(|found| (found.key, found.version_id, found.is_latest));
            // S3 lists versions in the order of their keys, and this key comes before all others
            // that begin with it.
            let mut is_last = page.is_truncated != Some(true);
            for (of, version, is_latest) in objects.chain(markers) {
                if of.as_deref() != Some(key) {
                    is_last = true;
                } else if is_latest != Some(true) {
                    let delete = self.client.delete_object().bucket(bucket).key(key);
                    let deleted = delete.set_version_id(version).send().await;
                    deleted.map_err(|error| classify("S3", error))?;
                }
            }
            if is_last {
                return Ok(());
            }
            next = (page.next_key_marker, page.next_version_id_marker);
        }
    }
}

impl Orders for S3Objects {
    fn store<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
        order: &'a StoredOrder,
    ) -> Io<'a, StoreResult> {
        Box::pin(self.put_order(bucket, key, order))
    }

    fn fetch<'a>(&'a self, place: &'a OrderLocation) -> Io<'a, Option<StoredOrder>> {
        Box::pin(self.get_order(place))
    }

    fn list<'a>(&'a self, bucket: &'a str, after: Option<&'a str>) -> Io<'a, Vec<ListedOrder>> {
        Box::pin(self.list_orders(bucket, after))
    }
}
