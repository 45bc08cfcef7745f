//! The handler that updates exchange rates, with a loopback server instead of the European Central
//! Bank.

use std::io::{Cursor, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use oms_engine::effects::{Io, RateFile};
use oms_lambda::RefreshHandler;
use serde_json::json;
use zip::write::{SimpleFileOptions, ZipWriter};

const OLD: &str = "Date,USD,\n2025-06-02,1.1419,\n";
const NEW: &str = "Date,USD,\n2025-06-03,1.1386,\n2025-06-02,1.1419,\n";

/// A file of exchange rates in memory.
#[derive(Default)]
struct InMemory(Mutex<Option<Arc<[u8]>>>);

impl InMemory {
    fn text(&self) -> String {
        let content = self.0.lock().unwrap().clone();
        String::from_utf8(content.as_deref().unwrap_or_default().to_vec()).unwrap()
    }
}

impl RateFile for InMemory {
    fn version(&self) -> Io<'_, Option<String>> {
        let version = self.0.lock().unwrap().as_ref().map(|_| "1".to_owned());
        Box::pin(async { Ok(version) })
    }

    fn read<'a>(&'a self, _: &'a str) -> Io<'a, Option<Arc<[u8]>>> {
        let content = self.0.lock().unwrap().clone();
        Box::pin(async { Ok(content) })
    }

    fn write(&self, content: Arc<[u8]>) -> Io<'_, ()> {
        *self.0.lock().unwrap() = Some(content);
        Box::pin(async { Ok(()) })
    }
}

/// Answers one request with a status and a body, and returns the URL.
fn serve(status: &str, body: &[u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/rates", listener.local_addr().unwrap());
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
    let answer = [head.as_bytes(), body].concat();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _request = stream.read(&mut [0; 4_096]).unwrap();
        stream.write_all(&answer).unwrap();
    });
    url
}

fn zipped(text: &str) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("eurofxref-hist.csv", SimpleFileOptions::default()).unwrap();
    archive.write_all(text.as_bytes()).unwrap();
    archive.finish().unwrap().into_inner()
}

#[tokio::test]
async fn only_newer_rates_are_stored() {
    let file = Arc::new(InMemory::default());
    for (sent, newest, is_stored, kept) in [
        (OLD.as_bytes().to_vec(), "2025-06-02", true, OLD),
        (zipped(NEW), "2025-06-03", true, NEW),
        (NEW.as_bytes().to_vec(), "2025-06-03", false, NEW),
        (OLD.as_bytes().to_vec(), "2025-06-02", false, NEW),
    ] {
        let handler = RefreshHandler::new(serve("200 OK", &sent), Arc::clone(&file) as _);
        let result = handler.event().await.unwrap();
        assert_eq!(result, json!({ "newest": newest, "stored": is_stored }));
        assert_eq!(file.text(), kept);
    }
}

#[tokio::test]
async fn a_failed_download_keeps_the_stored_rates() {
    let file = Arc::new(InMemory::default());
    let damaged = zipped(NEW)[..20].to_vec();
    for (status, body, message) in [
        ("503 Service Unavailable", NEW.as_bytes(), "the server returned 503"),
        ("200 OK", b"<html>", "is not a valid file of exchange rates"),
        ("200 OK", b"\xff", "is not a valid file of exchange rates"),
        ("200 OK", &damaged, "is not a valid file of exchange rates"),
        ("200 OK", b"Date,USD,\n", "is not a valid file of exchange rates"),
    ] {
        *file.0.lock().unwrap() = Some(Arc::from(OLD.as_bytes()));
        let handler = RefreshHandler::new(serve(status, body), Arc::clone(&file) as _);
        let error = handler.event().await.unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
        assert_eq!(file.text(), OLD);
    }
}
