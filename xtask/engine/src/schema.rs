//! `cargo xtask schema`: compares the validation of orders with another implementation of JSON
//! Schema, PyPI's `jsonschema`.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use oms_engine::schema::{OrderSchema, SchemaProblemKind, Typing};
use oms_engine::value::ProblemKind;
use serde::Deserialize;
use serde_json::Value as Json;

use xtask::python;
use xtask::workspace::{root, say};

/// Compare the validation of generated orders and order schemas with PyPI's jsonschema
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Number of schemas; each has three orders
    #[arg(long, default_value_t = 1000)]
    count: u32,
    /// Seed of the generator
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Maximum number of differences that are shown.
const SHOWN_MAX: usize = 10;
/// Maximum percentage of unsupported schemas, so that the comparison stays meaningful.
const REFUSED_MAX: u32 = 15;

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    compare(args.count, args.seed)
}

/// An order, and the result of the other implementation.
#[derive(Deserialize)]
struct Line {
    schema: Json,
    order: String,
    valid: bool,
}

#[derive(Default)]
struct Tally {
    /// Number of schemas that the reader checks alone, and of those that need the validator.
    by_reader: u32,
    by_validator: u32,
    refused: u32,
    accepted: u32,
    rejected: u32,
    /// Number of orders that are rejected because a number has too many digits for a decimal of
    /// `oms`.
    beyond: u32,
    different: Vec<String>,
}

fn compare(count: u32, seed: u64) -> anyhow::Result<()> {
    let Some(environment) = python::environment(python::SCHEMA)? else { return Ok(()) };
    let mut generator = Command::new(environment.join("bin/python3"))
        .arg(root().join("tests/schema/compare.py"))
        .args(["--count", &count.to_string(), "--seed", &seed.to_string()])
        .stdout(Stdio::piped())
        .spawn()?;
    let output = generator.stdout.take().ok_or_else(|| anyhow::anyhow!("no output"))?;
    let mut tally = Tally::default();
    let mut last: Option<(Json, Option<OrderSchema>)> = None;
    for line in BufReader::new(output).lines() {
        let line: Line = serde_json::from_str(&line?)?;
        if last.as_ref().is_none_or(|(schema, _)| *schema != line.schema) {
            last = Some((line.schema.clone(), tally.compile(&line.schema)));
        }
        if let Some((_, Some(schema))) = &last {
            tally.order(schema, &line);
        }
    }
    anyhow::ensure!(generator.wait()?.success(), "the generator failed");
    let Tally { by_reader, by_validator, refused, accepted, rejected, beyond, different } = tally;
    say(&format!(
        "{count} schemas, seed {seed}: {by_reader} checked by the reader, {by_validator} by the validator; {refused} unsupported. \
         {} verdicts: {accepted} accepted, {rejected} rejected, {beyond} beyond a limit; {} differ",
        accepted + rejected + beyond,
        different.len(),
    ));
    for difference in different.iter().take(SHOWN_MAX) {
        say(difference);
    }
    anyhow::ensure!(different.is_empty(), "the results differ");
    anyhow::ensure!(refused * 100 <= count * REFUSED_MAX, "too many schemas are unsupported");
    Ok(())
}

impl Tally {
    fn compile(&mut self, schema: &Json) -> Option<OrderSchema> {
        let (compiled, problems) = OrderSchema::compile(schema, Typing::Current);
        if let Some(problem) = problems.first() {
            if matches!(problem.kind, SchemaProblemKind::NoEffect | SchemaProblemKind::Undeclared) {
                self.refused += 1;
            } else {
                self.different.push(format!("refused: {}\n  {schema}", problem.message));
            }
            return None;
        }
        if compiled.is_decided_by_reader() {
            self.by_reader += 1;
        } else {
            self.by_validator += 1;
        }
        Some(compiled)
    }

    fn order(&mut self, schema: &OrderSchema, line: &Line) {
        let problems = schema.read(line.order.as_bytes()).err().unwrap_or_default();
        let of_digits =
            problems.iter().filter(|problem| problem.kind == ProblemKind::Digits).count();
        if line.valid && !problems.is_empty() && of_digits == problems.len() {
            self.beyond += 1;
        } else if problems.is_empty() != line.valid {
            let expected = if line.valid { "valid" } else { "invalid" };
            let found: Vec<String> = problems
                .iter()
                .map(|problem| format!("{} {}", problem.pointer, problem.message))
                .collect();
            self.different
                .push(format!("{expected}, but {found:?}\n  {}\n  {}", line.order, line.schema));
        } else if line.valid {
            self.accepted += 1;
        } else {
            self.rejected += 1;
        }
    }
}
