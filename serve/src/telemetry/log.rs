//! The request log: lines of JSON on standard error. A separate thread writes them, so that a slow reader does not delay requests.

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
    left_out: Mutex<u64>,
}

impl Log {
    /// Starts the thread. Returns `None` if it cannot be created.
    pub(crate) fn start() -> Option<Self> {
        let (lines, queue) = sync_channel::<String>(LINES_MAX);
        let writes = move || {
            for line in queue {
                // The server continues if standard error is closed.
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
