//! Output. Results go to standard output, messages to standard error.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use oms_engine::value::format_quantity;

use crate::exit;

/// The output format.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// Text
    #[default]
    Human,
    /// One JSON object with a `format_version`
    Json,
}

/// Writes a part of the result.
///
/// # Errors
/// Returns an error if standard output cannot be written.
pub(crate) fn result(text: &str) -> anyhow::Result<()> {
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

/// Writes bytes of the result unchanged.
///
/// # Errors
/// Returns an error if standard output cannot be written.
pub(crate) fn result_bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()?;
    Ok(())
}

/// Writes text of an order or an e-mail: unchanged to a file or a pipe, without control characters
/// to a terminal.
///
/// # Errors
/// Returns an error if standard output cannot be written.
pub(crate) fn result_content(text: &str) -> anyhow::Result<()> {
    if !io::stdout().is_terminal() {
        return result_bytes(text.as_bytes());
    }
    let is_printed = |char: char| !char.is_control() || matches!(char, '\n' | '\t');
    let shown = |char: char| if is_printed(char) { char } else { char::REPLACEMENT_CHARACTER };
    result_bytes(text.chars().map(shown).collect::<String>().as_bytes())
}

/// Writes one JSON document and a line end.
///
/// # Errors
/// Returns an error if standard output cannot be written.
pub(crate) fn json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    result(&format!("{}\n", serde_json::to_string(value)?))
}

/// Prints a message.
pub(crate) fn message(text: &str) {
    // If standard error is closed, the message is lost.
    let _unprinted = writeln!(anstream::stderr().lock(), "{text}");
}

/// Prints the number of skipped seed rows, with a line for each table.
pub(crate) fn skipped_seeds(runner: &oms_runtime::Runner) {
    for skipped in runner.skipped_seeds() {
        message(&skipped.to_string());
    }
}

/// Returns the export to a folder. It warns of each object and e-mail that cannot be written.
pub(crate) fn export(directory: std::path::PathBuf) -> oms_runtime::Export {
    let report = |failed: &oms_runtime::NotExported| {
        message(&format!(
            "warning: {failed}; fix the cause, and the next start with `--export` exports it"
        ));
    };
    oms_runtime::Export { directory, report: std::sync::Arc::new(report) }
}

/// Warns that an object or an e-mail was not exported.
pub(crate) fn not_exported(failed: &oms_runtime::NotExported) {
    message(&format!("warning: {failed}; fix the cause, then run the command again"));
}

/// Prints the number of files that an export has written.
pub(crate) fn written(count: u64, noun: &str, directory: &Path) {
    message(&format!("{} written to {}", format_quantity(count, noun), directory.display()));
}

/// Returns the exit code of an export, and prints the number of missing files.
pub(crate) fn exported(failed: u64, noun: &str) -> u8 {
    if failed == 0 {
        return exit::SUCCESS;
    }
    message(&format!("{} not exported; see the warnings above", format_quantity(failed, noun)));
    exit::FINDINGS
}

/// Prints an error with its causes.
pub(crate) fn error(error: &anyhow::Error) {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    message(&format!("error: {}", causes.join(": ")));
}

/// Returns whether an error means that the reader has closed standard output.
pub(crate) fn is_closed(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Returns whether messages on standard error may have colors.
pub(crate) fn color_on_stderr() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}

/// Returns whether the result may have colors.
pub(crate) fn color_on_stdout() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// Returns whether standard error is a terminal.
pub(crate) fn is_terminal() -> bool {
    io::stderr().is_terminal()
}
