//! A mail server for tests, and a pipeline that sends mail to it.

use std::io::BufRead as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::harness::{Output, Scratch, TestPipeline, finish, root, setting};

/// Number of times to poll another process before the test fails.
pub(super) const POLLS_MAX: u32 = 4_000;
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Returns the Python interpreter with the server's packages, or reports that the test is skipped.
fn python(test: &str) -> Option<PathBuf> {
    let python = root().join("target/python/bin/python3");
    if python.exists() {
        return Some(python);
    }
    assert_ne!(
        setting("CI").as_deref(),
        Some("true"),
        "{} is missing; `cargo xtask check` creates it",
        python.display()
    );
    eprintln!("{test}: skipped because target/python is missing (`cargo xtask check` creates it)");
    None
}

/// A running mail server. Dropping it kills the process.
pub(super) struct Server {
    process: Child,
    pub(super) folder: PathBuf,
    pub(super) port: u64,
}

impl Drop for Server {
    fn drop(&mut self) {
        // The server may have exited already because of an injected fault.
        let _ended = self.process.kill();
        let _status = self.process.wait();
    }
}

impl Server {
    pub(super) fn start(python: &PathBuf, folder: PathBuf, options: &[&str]) -> Self {
        std::fs::create_dir_all(&folder).unwrap();
        let mut command = Command::new(python);
        command.arg(root().join("tests/smtp/server.py")).arg("--folder").arg(&folder);
        command.arg("--faults").arg(folder.join("faults")).args(options);
        // The server writes a long message about every handshake that a test aborts.
        let stderr = std::fs::File::create(folder.join("stderr")).unwrap();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr);
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        std::io::BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Json = serde_json::from_str(&line).unwrap();
        Self { process, folder, port: ready["port"].as_u64().unwrap() }
    }

    /// Sets the faults that the server injects from now on.
    pub(super) fn fail(&self, faults: &[Json]) {
        let text: String = faults.iter().map(|fault| format!("{fault}\n")).collect();
        let written = self.folder.join("faults.new");
        std::fs::write(&written, text).unwrap();
        std::fs::rename(written, self.folder.join("faults")).unwrap();
    }

    /// Returns the accepted e-mails in order.
    pub(super) fn accepted(&self) -> Vec<Json> {
        let Ok(entries) = std::fs::read_dir(self.folder.join("accepted")) else {
            return Vec::new();
        };
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|suffix| suffix == "json"))
            .collect();
        paths.sort();
        let read =
            |path: &PathBuf| serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        paths.iter().map(read).collect()
    }

    pub(super) fn connections(&self) -> u32 {
        std::fs::read_to_string(self.folder.join("connections")).unwrap().trim().parse().unwrap()
    }
}

/// A pipeline that sends one e-mail per order, and its mail server.
pub(super) struct SmtpTest {
    pub(super) scratch: Scratch,
    pub(super) site: TestPipeline,
    pub(super) server: Server,
    pub(super) password: &'static str,
}

const PIPELINE: &str = r#"
oms: 1
name: post
order:
  schema:
    type: object
    required: [id, to]
    properties:
      id: { type: string }
      to: { type: string, format: email, x-pii: true }
  key: ${{ order.id }}
mail:
  from: "Orders <orders@example.com>"
  templates: mail
  smtp: { host: localhost, port: PORT, MORE }
tables:
  told: { key: [id], columns: { id: text, message: text } }
steps:
  confirm:
    uses: email.send
    with: { template: hello, to: "${{ order.to }}", data: { id: "${{ order.id }}" } }
    retry: { attempts: 4, initial_ms: 1, max_ms: 5 }
  tell:
    uses: table.insert
    with: { table: told, row: { id: "${{ order.id }}", message: "${{ steps.confirm.message_id }}" } }
"#;

impl SmtpTest {
    pub(super) fn new(test: &str, options: &[&str], more: &str) -> Option<Self> {
        let python = python(test)?;
        let scratch = Scratch::new();
        let server = Server::start(&python, scratch.path("server"), options);
        std::fs::create_dir_all(scratch.path("mail/hello")).unwrap();
        scratch.write("mail/hello/subject.hbs", "Order {{id}}\n");
        scratch.write("mail/hello/body.html.hbs", "<p>Hello, your order is {{id}}.</p>\n");
        let text = PIPELINE.replace("PORT", &server.port.to_string()).replace("MORE", more);
        let pipeline = scratch.write("post.yaml", text);
        let site = TestPipeline { pipeline, state: scratch.path("state") };
        Some(Self { scratch, site, server, password: "secret of the test" })
    }

    /// Starts a server without encryption.
    pub(super) fn plain(test: &str) -> Option<Self> {
        Self::new(test, &[], "security: none")
    }

    pub(super) fn command(&self, words: &[&str], others: &[&str]) -> Command {
        let mut command = self.site.command(words, others);
        command.env("SSL_CERT_FILE", self.server.folder.join("ca.pem"));
        command.env("POST_PASSWORD", self.password);
        command
    }

    pub(super) fn call(&self, words: &[&str], others: &[&str]) -> Output {
        finish(&mut self.command(words, others))
    }

    /// Runs the orders, each with its recipient, and returns the exit code and the summary.
    #[track_caller]
    pub(super) fn send(&self, orders: &[(&str, &str)]) -> (i32, Json) {
        let lines: String =
            orders.iter().map(|(id, to)| format!("{}\n", json!({ "id": id, "to": to }))).collect();
        let input = self.scratch.write("orders.ndjson", lines);
        let words = ["--mail", "smtp", "--format", "json", "--input", &input.to_string_lossy()];
        let output = self.call(&["run"], &words);
        (output.code, output.json())
    }

    /// Returns the cause for which the order `A` is parked.
    #[track_caller]
    pub(super) fn cause(&self) -> String {
        let shown = self.call(&["runs", "show"], &["A", "--format", "json"]).exits(0).json();
        assert_eq!(shown["state"], "parked", "{shown}");
        shown["cause"].as_str().unwrap().to_owned()
    }

    /// Runs `runs retry` and returns the exit code and the summary.
    pub(super) fn retry(&self, held: &[&str]) -> (i32, Json) {
        let words = [&["--all", "--mail", "smtp", "--format", "json"], held].concat();
        let output = self.call(&["runs", "retry"], &words);
        (output.code, output.json())
    }
}
