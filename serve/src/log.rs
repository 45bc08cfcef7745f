//! The log of requests: lines of JSON on standard error, written by a thread of its own so that no request waits for a reader.

use std::io::Write as _;
use std::sync::Mutex;
use std::sync::mpsc::{SyncSender, sync_channel};

use oms_clock::SystemClock;
use oms_engine::effects::Clock as _;
use oms_engine::value::format_timestamp;
use serde_json::{Value as Json, json};

/// Lines that wait to be written at the most; what comes then is left out, and that is said.
const LINES_MAX: usize = 4_096;

/// The way to the log.
pub(crate) struct Log {
    lines: SyncSender<String>,
    left_out: Mutex<u64>,
}

impl Log {
    /// Begins to write; nothing if no thread can be made.
    pub(crate) fn start() -> Option<Self> {
        let (lines, queue) = sync_channel::<String>(LINES_MAX);
        let writes = move || {
            for line in queue {
                // A log that nobody reads any more is no reason to stop.
                let _unread = writeln!(std::io::stderr().lock(), "{line}");
            }
        };
        std::thread::Builder::new().name("oms-log".to_owned()).spawn(writes).ok()?;
        Some(Self { lines, left_out: Mutex::new(0) })
    }

    /// Writes a line, or counts it as dropped if the queue is full.
    pub(crate) fn line(&self, line: &Json) {
        let Ok(mut left_out) = self.left_out.lock() else { return };
        if *left_out > 0 {
            let message = format!("{left_out} lines were dropped");
            let said = json!({ "timestamp": now(), "level": "warn", "message": message });
            if self.lines.try_send(said.to_string()).is_ok() {
                *left_out = 0;
            }
        }
        if self.lines.try_send(line.to_string()).is_err() {
            *left_out += 1;
        }
    }
}

/// Returns the current time for a log line: RFC 3339 in UTC with milliseconds.
pub(crate) fn now() -> String {
    format_timestamp(SystemClock.now())
}
