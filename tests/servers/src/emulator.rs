//! The AWS emulator (`tests/emulator`) for one test, on a free loopback port. It stops when it
//! is dropped.

use std::io::BufRead as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running emulator.
pub struct Emulator {
    process: Child,
    port: u16,
    log: PathBuf,
    _folder: tempfile::TempDir,
}

/// Returns the project's folder.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().and_then(Path::parent).unwrap_or(here)
}

impl Emulator {
    /// Starts an emulator. Returns `None` if `cargo xtask check` has not created its Python
    /// environment, which is an error in CI.
    #[expect(
        clippy::disallowed_methods,
        clippy::print_stderr,
        reason = "CI must not skip tests, and a skipped test is reported"
    )]
    pub fn start(options: &[&str]) -> Option<Self> {
        let python = root().join("target/python/bin/python3");
        if !python.exists() {
            let ci = std::env::var("CI").is_ok_and(|value| value == "true");
            assert!(!ci, "run `cargo xtask check` to create target/python");
            eprintln!("skipped: target/python is missing; run `cargo xtask check` to create it");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("calls.jsonl");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let stderr = std::fs::File::create(folder.path().join("stderr")).unwrap();
        let mut process = Command::new(python)
            .arg(root().join("tests/emulator/emulator.py"))
            .args(["--with-parent", "--port", &port.to_string(), "--log"])
            .arg(&log)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = std::io::BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        assert!(line.starts_with("ready"), "the emulator did not start: {line}");
        // The output must be drained, or the emulator blocks when the pipe is full.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Some(Self { process, port, log, _folder: folder })
    }

    /// Returns the endpoint for SDKs.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Returns the calls so far, one JSON object per line of the log.
    pub fn calls(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}
