//! Calls of the program under test, scratch folders, and the folder of large test data.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::Connection;

/// The result of an invocation of the program.
#[derive(Debug)]
pub(crate) struct Output {
    /// The exit code, or -1 if a signal ended the process.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// Asserts the exit code, and shows both streams if it differs.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Reads standard output as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!("{error}\nstdout:\n{}\nstderr:\n{}", self.stdout, self.stderr)
        })
    }
}

/// Returns the root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[expect(clippy::disallowed_methods, reason = "tests are configured by environment variables")]
pub(crate) fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns the folder of large test data, or reports that the test is skipped.
pub(crate) fn test_data(test: &str) -> Option<PathBuf> {
    let folder = setting("OMS_SHARED").map(|folder| Path::new(&folder).join("data"));
    if folder.is_none() {
        eprintln!("{test}: skipped because OMS_SHARED is not set");
    }
    folder
}

/// Memory limit of a call in kibibytes. No call may exceed it, however hostile its input.
const MEMORY_KIB: u32 = 300 * 1024;

/// Returns a command that calls the program. `OMS_BINARY` names another build to test.
pub(crate) fn command() -> Command {
    let binary = setting("OMS_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_oms").to_owned());
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -d {MEMORY_KIB} && exec \"$0\" \"$@\""), &binary]);
    command.current_dir(root()).env("NO_COLOR", "1").env_remove("CLICOLOR_FORCE");
    command
}

/// Calls the program in the root of the workspace.
pub(crate) fn oms<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    finish(command().args(args))
}

/// Runs a command until it exits.
pub(crate) fn finish(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A temporary folder that is removed after the test.
pub(crate) struct Scratch {
    folder: tempfile::TempDir,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// Creates a scratch project with copies of the shipped `pipelines/` and `templates/`.
    pub(crate) fn with_pipelines() -> Self {
        let scratch = Self::new();
        std::fs::create_dir(scratch.path(".git")).unwrap();
        for name in ["pipelines", "templates"] {
            copy(&root().join(name), &scratch.path(name));
        }
        scratch
    }

    /// Returns a path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file and returns its path.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Replaces text in a file of the folder. Panics if the file does not contain it.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "`{name}` does not contain `{from}`");
        self.write(name, text.replace(from, to));
    }
}

/// Copies a folder without the state of earlier runs.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name() == ".oms" {
            continue;
        }
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A pipeline and its state directory.
pub(crate) struct TestPipeline {
    pub(crate) pipeline: PathBuf,
    pub(crate) state: PathBuf,
}

impl TestPipeline {
    /// The shipped storefront pipeline.
    pub(crate) fn storefront(state: PathBuf) -> Self {
        Self { pipeline: root().join("pipelines/storefront.yaml"), state }
    }

    /// The shipped `order-management` pipeline.
    pub(crate) fn order_management(state: PathBuf) -> Self {
        Self { pipeline: root().join("pipelines/order-management.yaml"), state }
    }

    /// Returns a command for this state: `words`, the pipeline, then `others`.
    pub(crate) fn command(&self, words: &[&str], others: &[&str]) -> Command {
        let mut command = command();
        command.args(words).arg(&self.pipeline).args(others).arg("--state-dir").arg(&self.state);
        command
    }

    pub(crate) fn call(&self, words: &[&str], others: &[&str]) -> Output {
        finish(&mut self.command(words, others))
    }

    /// Runs a file of orders and returns the exit code and the summary as JSON.
    #[track_caller]
    pub(crate) fn run(&self, input: &Path) -> (i32, serde_json::Value) {
        let output =
            self.call(&["run"], &["--format", "json", "--input", &input.to_string_lossy()]);
        (output.code, output.json())
    }

    pub(crate) fn connection(&self) -> Connection {
        Connection::open(self.state.join("oms.db")).unwrap()
    }

    /// Returns the rows of a table as `db export` writes them.
    #[track_caller]
    pub(crate) fn export(&self, table: &str) -> Vec<serde_json::Value> {
        let output = self.call(&["db", "export"], &[table]).exits(0);
        output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Returns the number that a query selects.
    pub(crate) fn count(&self, sql: &str) -> i64 {
        self.connection().query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

/// Returns the bytes of a database file and of its write-ahead log, if it has one.
pub(crate) fn database_bytes(path: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(path).unwrap();
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    match std::fs::read(log) {
        Ok(log) => bytes.extend(log),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
    }
    bytes
}

/// Returns every row of every table as text, one line per row, sorted.
pub(crate) fn dump(connection: &Connection) -> String {
    let mut names = connection
        .prepare("select name from sqlite_schema where type = 'table' and name not like 'sqlite%' order by name")
        .unwrap();
    let names: Vec<String> =
        names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut text = String::new();
    for name in names {
        let mut lines = rows(connection, &format!("select * from \"{name}\""));
        lines.sort();
        for line in lines {
            writeln!(text, "{name} {line}").unwrap();
        }
    }
    text
}

/// Returns the rows of a query as text.
pub(crate) fn rows(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let width = statement.column_count();
    let mut rows = statement.query([]).unwrap();
    let mut lines = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let values: Vec<String> =
            (0..width).map(|at| format!("{:?}", row.get_ref(at).unwrap())).collect();
        lines.push(values.join(" | "));
    }
    lines
}

/// Returns the lines of a file that are not blank.
pub(crate) fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

/// Runs a check with the stack size of the program's main thread. A test thread has a quarter of
/// it.
pub(crate) fn with_stack(check: fn()) {
    let thread = std::thread::Builder::new().stack_size(8 << 20).spawn(check).unwrap();
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Returns the files of a folder whose names end with `ending`, sorted.
pub(crate) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file() && path.to_string_lossy().ends_with(ending))
        .collect();
    found.sort();
    found
}
