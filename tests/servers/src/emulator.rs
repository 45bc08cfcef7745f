//! The emulator of AWS (`tests/emulator`) for one test, on a free port of loopback, gone when it is dropped.

use std::io::BufRead as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// An emulator.
pub struct Emulator {
    process: Child,
    port: u16,
    log: PathBuf,
    _folder: tempfile::TempDir,
}

/// The project's folder.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().and_then(Path::parent).unwrap_or(here)
}

impl Emulator {
    /// Starts one; nothing where `cargo xtask check` did not make its Python, but not in CI.
    #[expect(
        clippy::disallowed_methods,
        clippy::print_stderr,
        reason = "CI must not skip, and a skipped test says so"
    )]
    pub fn start(options: &[&str]) -> Option<Self> {
        let python = root().join("target/python/bin/python3");
        if !python.exists() {
            let ci = std::env::var("CI").is_ok_and(|value| value == "true");
            assert!(!ci, "`cargo xtask check` makes target/python");
            eprintln!("skipped: there is no target/python (`cargo xtask check` makes it)");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("calls.jsonl");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let said = std::fs::File::create(folder.path().join("stderr")).unwrap();
        let mut process = Command::new(python)
            .arg(root().join("tests/emulator/emulator.py"))
            .args(["--with-parent", "--port", &port.to_string(), "--log"])
            .arg(&log)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(said)
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = std::io::BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        assert!(line.starts_with("ready"), "the emulator did not start: {line}");
        // Nobody reads on, and it must not stop for that.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Some(Self { process, port, log, _folder: folder })
    }

    /// Returns the address that the SDKs find it at.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Returns the calls so far, a line of JSON each.
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
