//! `oms forget`: erases a customer's personal data.

use std::io::IsTerminal as _;
use std::path::Path;

use anyhow::Context as _;
use oms_engine::step::StepKind;
use oms_engine::table::EraseMode;
use oms_engine::value::{format_count, format_quantity};
use oms_runtime::control::{Request, Response};
use oms_runtime::{Candidate, ErasedData, ForgetResult, Runner};
use oms_sqlite::{DATABASE_FILE, backup};
use serde_json::json;
use tempfile::TempDir;

use crate::exit::{self, Usage};
use crate::output::{self, Format};
use crate::runtime;
use crate::targets::effect_target::TargetOption;
use crate::targets::email_destination::MailOption;
use crate::targets::operation::{LocalContext, in_server_or_here};
use crate::targets::stack::{FoundCustomer, Stack};
use crate::targets::state::{ResolvedState, StateArgs};

/// Erase a customer's personal data and keep the amounts
///
/// Specify the customer by id or e-mail address. Only fields that the pipeline declares are
/// searched: `x-customer: true` in the order schema, `customer: true` on columns. If you specify a
/// name, the command only lists the customers that may have it.
///
/// Deletes the customer's completed and cancelled runs with their orders, journals, objects and
/// e-mails. Keeps the keys, so that the same order is still recognized as a duplicate. Deletes the
/// customer's rows in tables that no step writes to, and clears the `pii` columns of the other
/// tables.
///
/// If some of the customer's runs are parked, waiting or in progress, keeps these runs and the
/// customer's rows, and exits with code 1. When these runs are completed or cancelled, run the
/// command again.
///
/// With `--target lambda`, reads all stored orders, and erases those of the customer with all their
/// versions. Keeps the handlers' notes on them.
///
/// Lists what it erases and asks for confirmation. Without a terminal, `--yes` is required.
/// Exported files, seed files and backups are not erased, nor objects on S3 with `--target aws`.
///
/// Example: oms forget pipelines/storefront.yaml VINET --dry-run
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    target: StateArgs,
    /// Only list what would be erased
    #[arg(long)]
    dry_run: bool,
    /// Erase without confirmation
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
    #[command(flatten)]
    mail: MailOption,
    #[command(flatten)]
    effects: TargetOption,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The owner of the state: a deployed pipeline, a server, or this process.
enum Owner<'a> {
    Stack {
        stack: Box<Stack>,
        found: FoundCustomer,
    },
    Server(&'a Path),
    Here {
        runner: Box<Runner>,
        /// The directory of a copy, which is deleted after the runner is closed.
        _copy: Option<TempDir>,
    },
}

impl Owner<'_> {
    fn forget(&self, who: &str) -> anyhow::Result<ForgetResult> {
        match self {
            Self::Stack { stack, found } => stack.forget(found, EraseMode::Erase),
            Self::Server(directory) => {
                let request = Request::Forget { who: who.to_owned(), dry_run: false };
                in_server_or_here(directory, &request, result, || {
                    anyhow::bail!("the server has stopped; run the command again")
                })
            }
            Self::Here { runner, .. } => {
                Ok(runtime::current_thread()?.block_on(runner.forget(who))?)
            }
        }
    }
}

fn result(response: Response) -> Option<ForgetResult> {
    match response {
        Response::Forgotten(result) => Some(result),
        _ => None,
    }
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let Args { target, dry_run, yes, mail, effects, format } = args;
    let found = target.find_for_current_plan()?;
    let [who] = found.arguments.as_slice() else {
        return Err(Usage("specify one customer by id or e-mail address".to_owned()).into());
    };
    if who.trim().is_empty() {
        return Err(Usage("the id or e-mail address of the customer is empty".to_owned()).into());
    }
    let listed = match effects.stack(mail)? {
        Some(place) => {
            let Some(stack) = place.open(&found, kinds)? else { return Ok(exit::FINDINGS) };
            match stack.find_customer(who)? {
                Ok(customer) => {
                    let listed = stack.forget(&customer, EraseMode::Count)?;
                    Some((Owner::Stack { stack: Box::new(stack), found: customer }, listed))
                }
                Err(unknown) => {
                    let shown = found.shown() + &effects.shown();
                    return report_unknown(&unknown, &shown, format);
                }
            }
        }
        None => list_here(&found, who, dry_run, mail, &effects, kinds)?,
    };
    let Some((owner, listed)) = listed else { return Ok(exit::FINDINGS) };
    let shown = found.shown() + &effects.shown();
    let code = match dry_run {
        true => show(&listed, &shown, format),
        false => confirm_and_erase(&owner, &shown, who, listed, Options { yes, format }),
    };
    if let Owner::Here { runner, _copy } = owner {
        runner.close()?;
    }
    code
}

/// Lists what would be erased from a state directory. Returns `None` if the pipeline has findings,
/// which were printed.
fn list_here<'a>(
    found: &'a ResolvedState,
    who: &str,
    dry_run: bool,
    mail: MailOption,
    effects: &TargetOption,
    kinds: &[StepKind],
) -> anyhow::Result<Option<(Owner<'a>, ForgetResult)>> {
    // A state directory that does not exist is not created.
    drop(found.read(kinds)?);
    let directory = found.directory.as_path();
    let request = Request::Forget { who: who.to_owned(), dry_run: true };
    let accept = |response| Some(Some((Owner::Server(directory), result(response)?)));
    in_server_or_here(directory, &request, accept, || {
        let Some(context) = LocalContext::new(found, mail, effects, kinds)? else {
            return Ok(None);
        };
        // Opening a state creates tables and loads seeds, so a dry run works on a copy.
        let copy = dry_run.then(|| copy_of(directory)).transpose()?;
        let runner = context.open(copy.as_ref().map_or(directory, TempDir::path))?;
        let listed = runtime::current_thread()?.block_on(runner.would_forget(who))?;
        Ok(Some((Owner::Here { runner: Box::new(runner), _copy: copy }, listed)))
    })
}

/// Copies a state to a temporary directory.
fn copy_of(directory: &Path) -> anyhow::Result<TempDir> {
    let folder = tempfile::tempdir().context("cannot create a temporary directory")?;
    backup(directory, &folder.path().join(DATABASE_FILE))?;
    Ok(folder)
}

#[derive(Clone, Copy)]
struct Options {
    yes: bool,
    format: Format,
}

/// Shows what would be erased.
fn show(listed: &ForgetResult, shown: &str, format: Format) -> anyhow::Result<u8> {
    let ForgetResult::Found(listed) = listed else { return report_unknown(listed, shown, format) };
    match format {
        Format::Json => output::json(&as_json(listed, true))?,
        Format::Human => output::result(&list(listed))?,
    }
    report_remaining(listed, shown);
    Ok(code(listed))
}

/// Shows what would be erased, asks for confirmation, and erases it.
fn confirm_and_erase(
    owner: &Owner<'_>,
    shown: &str,
    who: &str,
    listed: ForgetResult,
    options: Options,
) -> anyhow::Result<u8> {
    let listed = match listed {
        ForgetResult::Found(listed) => listed,
        other => return report_unknown(&other, shown, options.format),
    };
    output::message(list(&listed).trim_end());
    report_remaining(&listed, shown);
    let is_nothing = listed.runs == 0 && listed.rows.is_empty();
    if !is_nothing && !options.yes && !confirm()? {
        output::message("nothing was erased");
        return Ok(exit::FINDINGS);
    }
    let done = match owner.forget(who)? {
        ForgetResult::Found(done) => done,
        other => return report_unknown(&other, shown, options.format),
    };
    match options.format {
        Format::Json => output::json(&as_json(&done, false))?,
        Format::Human => output::result(&format!(
            "erased {} and {}\n",
            format_quantity(done.runs, "run"),
            format_quantity(done.rows.values().sum(), "row")
        ))?,
    }
    if done.kept.len() > listed.kept.len() {
        report_remaining(&done, shown);
    }
    Ok(code(&done))
}

const fn code(erased: &ErasedData) -> u8 {
    if erased.kept.is_empty() { exit::SUCCESS } else { exit::FINDINGS }
}

/// Asks the user for confirmation. Returns whether the user confirmed.
fn confirm() -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        let message = "erasing cannot be undone; use `--yes` to erase, or `--dry-run` to list only";
        return Err(Usage(message.to_owned()).into());
    }
    output::message("Erase this? It cannot be undone. [y/N]");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

fn as_json(erased: &ErasedData, dry_run: bool) -> serde_json::Value {
    let ErasedData { customers, runs, rows, kept, unlinked, .. } = erased;
    json!({
        "format_version": 1, "dry_run": dry_run, "customers": customers, "runs": runs,
        "rows": rows.values().sum::<u64>(), "tables": rows, "open": kept.len(), "left": kept,
        "tables_without_customer": unlinked,
    })
}

/// Returns a list of the erased runs and rows that contains no personal data.
fn list(erased: &ErasedData) -> String {
    let ErasedData { customers, runs, keys, rows, unlinked, .. } = erased;
    let mut lines = vec![match customers.as_slice() {
        [] => "customer without an id".to_owned(),
        [one] => format!("customer {one}"),
        several => format!("{} customers: {}", several.len(), several.join(", ")),
    }];
    let more = runs - (keys.len() as u64).min(*runs);
    let more = if more > 0 { format!(" and {} more", format_count(more)) } else { String::new() };
    lines.push(match runs {
        0 => "  no runs to delete".to_owned(),
        _ => format!("  {} to delete: {}{more}", format_quantity(*runs, "run"), keys.join(", ")),
    });
    for (table, count) in rows {
        lines.push(format!("  {} to erase in `{table}`", format_quantity(*count, "row")));
    }
    for table in unlinked {
        lines.push(format!(
            "  `{table}` has no `customer` column: only rows of these runs are erased there"
        ));
    }
    lines.join("\n") + "\n"
}

/// Prints the runs that are kept, and how to end them.
fn report_remaining(erased: &ErasedData, shown: &str) {
    for kept in &erased.kept {
        let state = kept.state.as_str().replace('_', " ");
        output::message(&format!("run {} is kept, because it is {state}", kept.key));
    }
    if !erased.kept.is_empty() {
        output::message(&format!(
            "the customer's rows are kept until these runs are completed or cancelled; use `oms runs retry {shown} KEY` or `oms runs cancel {shown} KEY`, then run `oms forget` again"
        ));
    }
}

/// Prints why nothing is erased, and what to do.
fn report_unknown(result: &ForgetResult, shown: &str, format: Format) -> anyhow::Result<u8> {
    let candidates: &[Candidate] = match result {
        ForgetResult::Unknown(candidates) => candidates,
        ForgetResult::Undeclared | ForgetResult::Found(_) => &[],
    };
    if matches!(result, ForgetResult::Undeclared) {
        output::message(
            "error: the pipeline declares no field that identifies a customer; nothing was erased",
        );
        output::message(
            "help: add `x-customer: true` to the member of the order schema that contains the customer's id, such as `customer_id: { type: string, x-customer: true }`, and `customer: true` to the columns that contain this id",
        );
        return Ok(exit::FINDINGS);
    }
    if format == Format::Json {
        let listed = json!({
            "format_version": 1, "customers": [], "runs": 0, "rows": 0, "open": 0, "candidates": candidates,
        });
        output::json(&listed)?;
    }
    output::message("error: no customer has this id or e-mail address; nothing was erased");
    for Candidate { customer, order } in candidates {
        let order = order.as_ref().map(|order| format!(", for example in order {order}"));
        let order = order.unwrap_or_default();
        output::message(&match customer {
            Some(id) => format!("  found in the personal data of customer {id}{order}"),
            None => format!("  found in the personal data of a customer without an id{order}"),
        });
    }
    if !candidates.is_empty() {
        output::message(&format!(
            "help: to erase one of these customers, run `oms forget {shown} ID` with the customer's id or e-mail address"
        ));
    }
    Ok(exit::FINDINGS)
}
