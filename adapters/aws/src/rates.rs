//! Exchange rates in an object on S3, in a bucket with versioning.

use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use oms_core::effects::{Io, RateFile};

use crate::failure::classify;
use crate::objects::{self, S3Objects};

/// A file of exchange rates on S3.
pub struct S3Rates {
    client: Client,
    bucket: String,
    key: String,
}

impl S3Rates {
    /// Returns the rates in the object `key` of a bucket.
    pub fn new(objects: &S3Objects, bucket: &str, key: &str) -> Self {
        let (bucket, key) = (objects.bucket(bucket).to_owned(), key.to_owned());
        Self { client: objects.client.clone(), bucket, key }
    }
}

impl RateFile for S3Rates {
    fn version(&self) -> Io<'_, Option<String>> {
        Box::pin(async move {
            let found = self.client.head_object().bucket(&self.bucket).key(&self.key).send().await;
            match found {
                Ok(found) => Ok(found.version_id),
                Err(error)
                    if error.as_service_error().is_some_and(|error| error.is_not_found()) =>
                {
                    Ok(None)
                }
                Err(error) => Err(classify("S3", error)),
            }
        })
    }

    fn read<'a>(&'a self, version: &'a str) -> Io<'a, Option<Arc<[u8]>>> {
        Box::pin(async move {
            let found = objects::read(&self.client, &self.bucket, &self.key, Some(version)).await?;
            Ok(found.map(|found| found.bytes))
        })
    }

    fn write<'a>(&'a self, bytes: Arc<[u8]>) -> Io<'a, ()> {
        Box::pin(async move {
            let put = self.client.put_object().bucket(&self.bucket).key(&self.key);
            let body = ByteStream::from(bytes.to_vec());
            let stored = put.content_type("text/csv").body(body).send().await;
            stored.map(drop).map_err(|error| classify("S3", error))
        })
    }
}
