//! The object store on S3.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use jiff::Timestamp;
use oms_core::effects::{Call, Io, ObjectStore, Put, StepError, cause};

use crate::failure::classify;
use crate::session::Session;

/// The metadata with the digest of the order for which an object was stored.
pub(crate) const ORDER: &str = "oms-order";

/// Buckets on S3.
pub struct S3Objects {
    pub(crate) client: Client,
    /// The bucket on AWS for each name in the pipeline. A name without an entry is used as it is.
    buckets: BTreeMap<String, String>,
}

impl S3Objects {
    /// Returns an object store for the given buckets.
    pub fn new(session: &Session, buckets: BTreeMap<String, String>) -> Self {
        // With a custom endpoint, the bucket name is part of the path, because an emulator has no
        // DNS names for buckets.
        let own = session.0.endpoint_url().is_some();
        let config = aws_sdk_s3::config::Builder::from(&session.0).force_path_style(own).build();
        Self { client: Client::from_conf(config), buckets }
    }

    pub(crate) fn bucket<'a>(&'a self, name: &'a str) -> &'a str {
        self.buckets.get(name).map_or(name, String::as_str)
    }

    async fn read(&self, bucket: &str, key: &str) -> Result<Option<Arc<[u8]>>, StepError> {
        let found = read(&self.client, self.bucket(bucket), key, None).await?;
        Ok(found.map(|found| found.bytes))
    }
}

/// An object with its content.
pub(crate) struct StoredObject {
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) metadata: HashMap<String, String>,
    /// The time when the object was stored.
    pub(crate) stored_at: Option<Timestamp>,
}

/// Reads a version of an object, or the current one. Returns `None` if the object does not exist.
pub(crate) async fn read(
    client: &Client,
    bucket: &str,
    key: &str,
    version: Option<&str>,
) -> Result<Option<StoredObject>, StepError> {
    let get = client.get_object().bucket(bucket).key(key);
    let object = match get.set_version_id(version.map(str::to_owned)).send().await {
        Ok(object) => object,
        Err(error) => {
            let code = error.as_service_error().and_then(|error| error.meta().code());
            return match code {
                Some("NoSuchKey" | "NoSuchVersion") => Ok(None),
                _ => Err(classify("S3", error)),
            };
        }
    };
    let metadata = object.metadata.unwrap_or_default();
    let stored_at = object.last_modified.map(|at| at.secs());
    let stored_at = stored_at.and_then(|at| Timestamp::from_second(at).ok());
    let body = object.body.collect().await.map_err(|error| {
        StepError::transient(
            cause::UNAVAILABLE,
            "the connection to S3 was lost while an object was being read",
        )
        .caused_by(error)
    })?;
    Ok(Some(StoredObject { bytes: Arc::from(body.to_vec()), metadata, stored_at }))
}

impl ObjectStore for S3Objects {
    /// Stores the object if the key is free (`If-None-Match: *`). Otherwise, compares it with the
    /// existing object.
    fn put<'a>(&'a self, call: &'a Call, object: Put) -> Io<'a, ()> {
        Box::pin(async move {
            let Put { bucket, key, body, content_type } = object;
            let stored = self
                .client
                .put_object()
                .bucket(self.bucket(&bucket))
                .key(&*key)
                .if_none_match("*")
                .content_type(content_type)
                .metadata("oms-run", &*call.run.id)
                .metadata(ORDER, call.run.digest.to_string())
                .body(ByteStream::from(body.to_vec()))
                .send()
                .await;
            let error = match stored {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            let status = error.raw_response().map(|response| response.status().as_u16());
            match status {
                Some(412) => match self.read(&bucket, &key).await? {
                    Some(there) if there == body => Ok(()),
                    Some(_) => {
                        let message =
                            format!("different content is stored under this key in `{bucket}`");
                        Err(StepError::permanent(cause::CONFLICT, message))
                    }
                    // The object was deleted in the meantime.
                    None => Err(StepError::transient(cause::UNAVAILABLE, "the object was deleted")),
                },
                // Two clients wrote at the same time, and S3 asks for a retry.
                Some(409) => Err(StepError::transient(cause::UNAVAILABLE, "S3 requested a retry")),
                _ => Err(classify("S3", error)),
            }
        })
    }

    fn get<'a>(&'a self, _: &'a Call, bucket: &'a str, key: &'a str) -> Io<'a, Option<Arc<[u8]>>> {
        Box::pin(self.read(bucket, key))
    }
}
