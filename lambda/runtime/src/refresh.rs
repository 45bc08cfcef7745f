//! Brings a file of exchange rates up to date: reads it where the European Central Bank puts it, proves it right, and stores it if it is newer.

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

/// How long the file may take to come.
const FETCH_MAX: Duration = Duration::from_secs(30);
/// Bytes of the file at the most, packed and not: the whole history has less than a tenth.
const BYTES_MAX: usize = 16 << 20;

/// A handler that brings rates up to date.
pub struct RefreshHandler {
    url: String,
    file: Arc<dyn RateFile>,
}

/// Why rates are as they were.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The file did not come.
    #[error("`{0}` cannot be read: {1}")]
    Fetch(String, String),
    /// What came is no file of rates.
    #[error("`{0}` has no rates: {1}")]
    Content(String, String),
    /// The stored rates cannot be read or written.
    #[error("the stored rates: {0}")]
    Store(#[from] oms_engine::effects::StepError),
}

impl RefreshHandler {
    /// Gets ready to read the file at an address: ECB's history as CSV, alone or in a ZIP archive.
    pub fn new(url: String, file: Arc<dyn RateFile>) -> Self {
        Self { url, file }
    }

    /// Reads the file, and stores it if it has a newer day than what is stored.
    ///
    /// # Errors
    /// When it does not come, is no file of rates, or cannot be stored. Then the rates are as they were.
    pub async fn event(&self) -> Result<Json, RefreshError> {
        let bytes = self.fetch().await?;
        let content = |why: String| RefreshError::Content(self.url.clone(), why);
        let text = unpacked(&bytes).map_err(content)?;
        let table = RateTable::ecb(&text).map_err(|error| content(error.to_string()))?;
        let newest = table.last_date().ok_or_else(|| content("it has no day".to_owned()))?;
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
        let state = if newer { "stored" } else { "known already" };
        log::line("info", "exchange rates", &[("newest", &newest), ("state", state)]);
        Ok(json!({ "newest": newest, "stored": newer }))
    }

    async fn fetch(&self) -> Result<Vec<u8>, RefreshError> {
        let failed = |why: String| RefreshError::Fetch(self.url.clone(), why);
        let uri = self.url.parse().map_err(|_| failed("it is no address".to_owned()))?;
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(|error| failed(error.to_string()))?
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build::<_, Empty<&[u8]>>(connector);
        let work = async {
            let answer = client.get(uri).await.map_err(|error| failed(error.to_string()))?;
            let status = answer.status();
            if !status.is_success() {
                return Err(failed(format!("the answer is {status}")));
            }
            let body = Limited::new(answer.into_body(), BYTES_MAX).collect().await;
            let body = body.map_err(|error| failed(error.to_string()))?;
            Ok(body.to_bytes().to_vec())
        };
        match tokio::time::timeout(FETCH_MAX, work).await {
            Ok(fetched) => fetched,
            Err(_) => Err(failed("it takes too long".to_owned())),
        }
    }
}

/// Returns the text of a file, or of the first one in a ZIP archive.
fn unpacked(bytes: &[u8]) -> Result<String, String> {
    let mut text = Vec::new();
    if bytes.starts_with(b"PK") {
        let mut archive =
            zip::ZipArchive::new(std::io::Cursor::new(bytes)).map_err(|error| error.to_string())?;
        let file = archive.by_index(0).map_err(|error| error.to_string())?;
        file.take(BYTES_MAX as u64).read_to_end(&mut text).map_err(|error| error.to_string())?;
    } else {
        text = bytes.to_vec();
    }
    String::from_utf8(text).map_err(|_| "it is no text".to_owned())
}
