//! Updates a file of exchange rates: downloads it from the European Central Bank, checks it, and
//! stores it if it is newer.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use oms_engine::effects::RateFile;
use oms_engine::money::RateTable;
use serde_json::{Value as Json, json};

use crate::log;

/// Timeout of the download.
const FETCH_MAX: Duration = Duration::from_secs(30);
/// Maximum size of the file in bytes, compressed and uncompressed. The whole history is about a
/// tenth of this size.
const BYTES_MAX: usize = 16 << 20;

/// A handler that updates exchange rates.
pub struct RefreshHandler {
    url: String,
    file: Arc<dyn RateFile>,
}

/// A reason why the rates were not updated.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The download failed.
    #[error("cannot download `{0}`: {1}")]
    Fetch(String, String),
    /// The downloaded file is not a valid file of exchange rates.
    #[error("`{0}` is not a valid file of exchange rates: {1}")]
    Content(String, String),
    /// The stored rates cannot be read or written.
    #[error("cannot read or write the stored rates: {0}")]
    Store(#[from] oms_engine::effects::StepError),
}

impl RefreshHandler {
    /// Creates a handler for a URL with the ECB's history as CSV, optionally in a ZIP archive.
    pub fn new(url: String, file: Arc<dyn RateFile>) -> Self {
        Self { url, file }
    }

    /// Downloads the file, and stores it if its newest day is later than the stored one.
    ///
    /// # Errors
    /// Returns an error if the file cannot be downloaded, is invalid, or cannot be stored. The
    /// stored rates then stay unchanged.
    pub async fn event(&self) -> Result<Json, RefreshError> {
        let bytes = self.fetch().await?;
        let content = |why: String| RefreshError::Content(self.url.clone(), why);
        let text = unpack(&bytes).map_err(|error| content(error.to_string()))?;
        let table = RateTable::ecb(&text).map_err(|error| content(error.to_string()))?;
        let newest = table.last_date().ok_or_else(|| content("it contains no rates".to_owned()))?;
        let stored = match self.file.version().await? {
            Some(version) => self.file.read(&version).await?,
            None => None,
        };
        let stored = stored.and_then(|bytes| RateTable::ecb(&String::from_utf8_lossy(&bytes)).ok());
        let known = stored.and_then(|table| table.last_date());
        let newer = known.is_none_or(|known| known < newest);
        if newer {
            self.file.write(Arc::from(text.into_bytes())).await?;
        }
        let newest = newest.to_string();
        let state = if newer { "stored" } else { "unchanged" };
        log::log_line(
            "info",
            "checked the exchange rates",
            &[("newest", &newest), ("state", state)],
        );
        Ok(json!({ "newest": newest, "stored": newer }))
    }

    async fn fetch(&self) -> Result<Vec<u8>, RefreshError> {
        let failed = |why: String| RefreshError::Fetch(self.url.clone(), why);
        let uri = self.url.parse().map_err(|_| failed("invalid URL".to_owned()))?;
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(|error| failed(error.to_string()))?
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build::<_, Empty<&[u8]>>(connector);
        let work = async {
            let response = client.get(uri).await.map_err(|error| failed(error.to_string()))?;
            let status = response.status();
            if !status.is_success() {
                return Err(failed(format!("the server returned {status}")));
            }
            let body = Limited::new(response.into_body(), BYTES_MAX).collect().await;
            let body = body.map_err(|error| failed(error.to_string()))?;
            Ok(body.to_bytes().to_vec())
        };
        match tokio::time::timeout(FETCH_MAX, work).await {
            Ok(fetched) => fetched,
            Err(_) => Err(failed("timeout".to_owned())),
        }
    }
}

/// Why the text of a downloaded file cannot be read.
#[derive(Debug, thiserror::Error)]
enum UnpackError {
    #[error(transparent)]
    Archive(#[from] zip::result::ZipError),
    #[error(transparent)]
    Read(#[from] std::io::Error),
    #[error("the unpacked file is larger than {BYTES_MAX} bytes")]
    TooLarge,
    #[error("the file is not valid UTF-8")]
    NotUtf8(#[from] std::string::FromUtf8Error),
}

/// Returns the text of a file, or of the first file in a ZIP archive.
fn unpack(bytes: &[u8]) -> Result<String, UnpackError> {
    let mut text = Vec::new();
    if bytes.starts_with(b"PK") {
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes))?;
        archive.by_index(0)?.take(BYTES_MAX as u64 + 1).read_to_end(&mut text)?;
        if text.len() > BYTES_MAX {
            return Err(UnpackError::TooLarge);
        }
    } else {
        text = bytes.to_vec();
    }
    Ok(String::from_utf8(text)?)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use super::*;

    fn archive(content: &[u8]) -> Vec<u8> {
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        archive.start_file("rates.csv", zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
        archive.finish().unwrap().into_inner()
    }

    #[test]
    fn an_archive_is_unpacked_or_rejected_but_never_cut() {
        let whole = "x".repeat(BYTES_MAX);
        assert!(unpack(&archive(whole.as_bytes())).unwrap() == whole);
        let error = unpack(&archive((whole + "x").as_bytes())).unwrap_err();
        assert_eq!(error.to_string(), "the unpacked file is larger than 16777216 bytes");
        assert_eq!(unpack(b"Date,USD\n").unwrap(), "Date,USD\n");
    }
}
