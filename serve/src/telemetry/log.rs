//! The access log: lines of JSON on standard error. A separate thread writes them, so that a slow
//! reader does not delay requests.

use std::io::Write as _;
use std::sync::Mutex;
use std::sync::mpsc::{SyncSender, sync_channel};

use oms_clock::SystemClock;
use oms_engine::effects::Clock as _;
use oms_engine::value::format_timestamp;
use serde_json::{Value as Json, json};

/// Maximum number of queued lines. Further lines are dropped, and the log reports how many.
const LINES_MAX: usize = 4_096;

/// The queue of the log.
pub(crate) struct Log {
    lines: SyncSender<String>,
    dropped: Mutex<u64>,
}

impl Log {
    /// Starts the thread. Returns `None` if it cannot be created.
    pub(crate) fn start() -> Option<Self> {
        let (lines, queue) = sync_channel::<String>(LINES_MAX);
        let write_lines = move || {
            for line in queue {
                // The server continues if standard error is closed.
                let _closed = writeln!(std::io::stderr().lock(), "{line}");
            }
        };
        std::thread::Builder::new().name("oms-log".to_owned()).spawn(write_lines).ok()?;
        Some(Self { lines, dropped: Mutex::new(0) })
    }

    /// Writes a line, or counts it as dropped if the queue is full.
    pub(crate) fn write(&self, line: &Json) {
        let Ok(mut dropped) = self.dropped.lock() else { return };
        if *dropped > 0 {
            let message = format!("{dropped} lines were dropped");
            let warning = json!({ "timestamp": timestamp(), "level": "warn", "message": message });
            if self.lines.try_send(warning.to_string()).is_ok() {
                *dropped = 0;
            }
        }
        if self.lines.try_send(line.to_string()).is_err() {
            *dropped += 1;
        }
    }
}

/// Returns the current time for a log line: RFC 3339 in UTC with milliseconds.
pub(crate) fn timestamp() -> String {
    format_timestamp(SystemClock.now())
}
