//! The project's folder, and running other programs in it.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;

/// Returns the project's folder.
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Returns a folder for temporary files.
pub fn scratch(name: &str) -> PathBuf {
    root().join("target").join(name)
}

/// Returns an environment variable.
#[expect(
    clippy::disallowed_methods,
    reason = "project tasks are also configured by environment variables"
)]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Writes a line to standard error.
pub fn say(line: &str) {
    // If standard error is closed, the line is lost.
    let _unheard = writeln!(std::io::stderr(), "{line}");
}

/// Returns a command that runs in the project's folder.
pub fn command<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    if LINTS.load(Ordering::Relaxed) {
        command.envs(LINTING);
    }
    if BUILT.load(Ordering::Relaxed) {
        command.env(IS_BUILT, "1");
    }
    command
}

/// Whether builds also lint the workspace.
static LINTS: AtomicBool = AtomicBool::new(false);
/// The environment with which `cargo clippy` starts Cargo. Warnings are errors.
pub const LINTING: [(&str, &str); 2] = [
    ("RUSTC_WORKSPACE_WRAPPER", "clippy-driver"),
    ("CLIPPY_ARGS", "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__"),
];

/// Makes the builds of all later commands also lint the workspace. `cargo clippy` would check all
/// dependencies in addition to building them, which takes five minutes on two cores.
///
/// # Errors
/// Returns an error if clippy does not turn warnings into errors. The variables of [`LINTING`] are
/// those of the pinned version of clippy, and another version may ignore them.
pub fn lint_builds() -> anyhow::Result<()> {
    LINTS.store(true, Ordering::Relaxed);
    let folder = scratch("clippy");
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("warned.rs");
    std::fs::write(&file, "pub fn length(list: &Vec<u8>) -> usize { list.len() }\n")?;
    let (file, folder) = (file.to_string_lossy(), folder.to_string_lossy());
    // Cargo calls the wrapper like this: with the compiler as the first argument.
    let words = ["rustc", "--crate-type", "lib", "--emit", "metadata", "--out-dir", &folder, &file];
    let output = command("clippy-driver", &words).output().context("clippy is not installed")?;
    let shown = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(
        !output.status.success() && shown.contains("clippy::ptr-arg"),
        "clippy does not turn warnings into errors:\n{shown}"
    );
    Ok(())
}

/// Prints and runs a command. Returns an error if the command fails.
pub fn run(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let shown = format!("{program} {}", arguments.join(" "));
    say(&format!("$ {shown}"));
    let status = command(program, arguments)
        .status()
        .with_context(|| format!("`{program}` cannot be started"))?;
    anyhow::ensure!(status.success(), "`{shown}` failed");
    Ok(())
}

/// All features: the failpoints of tests, AWS, and the refresh of exchange rates on AWS Lambda.
pub const FEATURES: [&str; 2] = ["--features", "oms/failpoints,oms/aws,oms-lambda/refresh"];

/// Builds the whole workspace, always with the same features and targets, so that no crate is built
/// twice: the tests enable further features of some dependencies. Returns the path of the program.
pub fn build() -> anyhow::Result<&'static str> {
    // Skip a repeated build: Cargo would wait for the background check, which compiles handlers.
    if !BUILT.load(Ordering::Relaxed) && variable(IS_BUILT).is_none() {
        run("cargo", &[&["build", "--workspace", "--all-targets"][..], &FEATURES].concat())?;
    }
    Ok("target/debug/oms")
}

/// Whether the workspace is built and its files do not change.
static BUILT: AtomicBool = AtomicBool::new(false);
/// Set for the programs of a `cargo xtask check` that has built the workspace.
const IS_BUILT: &str = "OMS_XTASK_BUILT";

/// Builds the whole workspace. Later calls to [`build`] do nothing, including calls in programs
/// that this program starts.
///
/// # Errors
/// Returns an error if the build fails.
pub fn build_once() -> anyhow::Result<()> {
    build()?;
    BUILT.store(true, Ordering::Relaxed);
    Ok(())
}

/// Runs a command and discards its output, or prints it if the command fails.
pub fn run_silently(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let output = command(program, arguments)
        .output()
        .with_context(|| format!("`{program}` cannot be started"))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(
        output.status.success(),
        "`{program} {}` failed:\n{stderr}",
        arguments.join(" ")
    );
    Ok(())
}

/// Returns whether a program exists, by running it with these arguments.
pub fn has(program: &str, arguments: &[&str]) -> bool {
    command(program, arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Copies a folder without the entries whose names begin with a dot, because states of earlier runs
/// are not part of a pipeline.
pub fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to.join(name))?;
        } else {
            std::fs::copy(entry.path(), to.join(name))?;
        }
    }
    Ok(())
}
