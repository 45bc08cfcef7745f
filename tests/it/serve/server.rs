//! A server for a test, and a client that sends exact bytes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value as Json;

use crate::harness::{Output, TestPipeline};

/// Timeout for a response.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// A running server. Dropping it kills the process.
pub(crate) struct Server {
    pub(crate) site: TestPipeline,
    child: Child,
    pub(crate) address: String,
}

/// An HTTP response.
#[derive(Debug)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl HttpResponse {
    #[track_caller]
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts the status.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Server {
    pub(crate) fn start(site: TestPipeline, more: &[&str]) -> Self {
        Self::start_with_env(site, more, &[])
    }

    /// Starts the server with additional environment variables.
    pub(crate) fn start_with_env(
        site: TestPipeline,
        more: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let words = [&["--listen", "127.0.0.1:0"], more].concat();
        let mut command = site.command(&["serve"], &words);
        command.envs(variables.iter().copied());
        Self::started(site, command)
    }

    /// Starts the server with several pipelines, each with its own state directory.
    pub(crate) fn of(pipelines: &[&Path]) -> Self {
        let mut command = crate::harness::command();
        command.arg("serve").args(pipelines).args(["--listen", "127.0.0.1:0"]);
        let none = TestPipeline { pipeline: PathBuf::new(), state: PathBuf::new() };
        Self::started(none, command)
    }

    fn started(site: TestPipeline, mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let address = line.split("://").nth(1).and_then(|rest| rest.split('/').next());
        let address = address.unwrap_or_else(|| panic!("the server did not start: {line:?}"));
        Self { site, address: address.to_owned(), child }
    }

    /// Sends bytes on a new connection, and reads until a response is complete or the server closes
    /// the connection.
    pub(crate) fn raw(&self, bytes: &[u8]) -> HttpResponse {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        // The server may close the connection before it has received everything.
        let _unheard = stream.write_all(bytes);
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let mut response = HttpResponse { status, head, body: String::new() };
        let length = response.header("content-length").and_then(|length| length.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body).unwrap();
        response.body = String::from_utf8(body).unwrap();
        response
    }

    pub(crate) fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[&str],
        body: &[u8],
    ) -> HttpResponse {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.address);
        for header in headers {
            request.push_str(header);
            request.push_str("\r\n");
        }
        request.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        self.raw(&[request.as_bytes(), body].concat())
    }

    pub(crate) fn put(&self, key: &str, order: &[u8]) -> HttpResponse {
        let path = format!("/storefront/order/{key}");
        self.call("PUT", &path, &["content-type: application/json"], order)
    }

    pub(crate) fn get(&self, path: &str) -> HttpResponse {
        self.call("GET", path, &[], b"")
    }

    /// Stops the server with SIGTERM and returns its output.
    pub(crate) fn end(mut self) -> Output {
        let id = self.child.id().to_string();
        std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap();
        let status = self.child.wait().unwrap();
        let read = |stream: Option<&mut dyn std::io::Read>| {
            let mut text = String::new();
            stream.map(|stream| stream.read_to_string(&mut text).unwrap());
            text
        };
        let stdout = read(self.child.stdout.as_mut().map(|stream| stream as _));
        let stderr = read(self.child.stderr.as_mut().map(|stream| stream as _));
        Output { code: status.code().unwrap_or(-1), stdout, stderr }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The server may have exited already.
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}
