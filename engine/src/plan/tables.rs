//! The `tables` section: columns, keys and seeds.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use oms_core::diagnostic::{Finding, Place, Route, codes, did_you_mean};
use oms_core::document::{Files, without_mark};
use oms_core::table::{Column, ColumnShape, TableDef};
use oms_core::value::{
    JsonKind, JsonNode, JsonProblem, ProblemKind, Record, Shape, Type, Value, read_json,
};

use super::checked::Seed;
use super::order::OrderPlan;
use super::sink::{InFile, Sink};
use crate::pipeline::{Pipeline, Section, TableSection};
use crate::step::Resources;

/// A declared table.
pub(super) struct Declared {
    pub(super) table: Arc<TableDef>,
    route: Route,
    seed: Option<(String, Route)>,
}

impl Declared {
    pub(super) fn into_seed(self) -> Option<Seed> {
        let (path, _) = self.seed?;
        Some(Seed { table: self.table, path })
    }
}

/// Maximum number of findings in a seed file.
const SEED_FINDINGS_MAX: usize = 20;

pub(super) fn check(
    pipeline: &Pipeline,
    sink: &mut Sink<'_>,
    resources: &mut Resources,
) -> Vec<Declared> {
    let mut declared = Vec::new();
    for named in &pipeline.tables {
        let table = named.section.as_ref().and_then(|section| check_table(named, section, sink));
        let table = table.map(Arc::new);
        resources.tables.insert(Arc::from(named.name.as_str()), table.clone());
        if let Some(table) = table {
            let seed = named.section.as_ref().and_then(|section| section.seed.clone());
            let seed = seed.map(|path| (path, named.route.key("seed")));
            declared.push(Declared { table, route: named.route.clone(), seed });
        }
    }
    declared
}

fn check_table(
    named: &Section<TableSection>,
    section: &TableSection,
    sink: &mut Sink<'_>,
) -> Option<TableDef> {
    let route = named.route.key("columns");
    let mut columns = Vec::new();
    let mut valid = true;
    // The document keeps the order of the columns, but the section's map does not.
    let names: Vec<String> = sink
        .document
        .root()
        .find(&route)
        .map(|(node, _)| node.entries().iter().map(|entry| entry.key.clone()).collect())
        .unwrap_or_default();
    for name in names {
        let Some(column) = section.columns.get(&name) else { continue };
        match ColumnShape::parse(&column.ty) {
            Ok((shape, nullable)) => {
                let (pii, customer) = (column.pii, column.customer);
                columns.push(Column { name: Arc::from(name), shape, nullable, pii, customer });
            }
            Err(error) => {
                valid = false;
                let place = route.key(&name);
                let long = sink.document.root().find(&place.key("type")).is_some();
                let place = if long { place.key("type") } else { place };
                let known = ColumnShape::NAMES;
                let named = column.ty.split(['(', '?']).next().unwrap_or_default();
                // If the type exists and only its size is invalid, its name is not misspelled.
                let is_known = known.iter().any(|form| form.split('(').next() == Some(named));
                let help = if is_known { None } else { did_you_mean(named, known) };
                sink.add(
                    Finding::error(codes::TABLE, Place::value(place), error.to_string()).help(help),
                );
            }
        }
    }
    valid &= check_customer(&columns, &route, sink);
    let mut key: Vec<usize> = Vec::new();
    for (index, name) in section.key.iter().enumerate() {
        let place = Place::value(named.route.key("key").index(index));
        let fault = match columns.iter().position(|column| column.name.as_ref() == name.as_str()) {
            None if !valid && section.columns.contains_key(name) => continue,
            None => {
                let known = section.columns.keys().map(String::as_str);
                Finding::error(codes::TABLE, place, format!("unknown column `{name}` in the key"))
                    .help(did_you_mean(name, known))
            }
            Some(position) if key.contains(&position) => {
                Finding::error(codes::TABLE, place, format!("duplicate column `{name}` in the key"))
            }
            Some(position) if columns.get(position).is_some_and(|column| column.nullable) => {
                Finding::error(codes::TABLE, place, format!("the key column `{name}` may be null"))
                    .related(Place::value(route.key(name)), "declared with `?`")
                    .help("remove the `?`; a key column must have a value in every row".to_owned())
            }
            Some(position) => {
                key.push(position);
                continue;
            }
        };
        valid = false;
        sink.add(fault);
    }
    valid.then(|| TableDef::new(Arc::from(named.name.as_str()), columns, key))
}

/// Checks the columns that identify a customer. Returns whether they are valid.
fn check_customer(columns: &[Column], route: &Route, sink: &mut Sink<'_>) -> bool {
    let mut id: Option<&Column> = None;
    let mut valid = true;
    let marked = || columns.iter().filter(|column| column.customer);
    for column in marked() {
        let name = &column.name;
        let place = route.key(name).key("customer");
        let fault =
            |message: String| Finding::error(codes::TABLE, Place::value(place.clone()), message);
        let finding = match column.shape {
            ColumnShape::Email if column.pii => continue,
            ColumnShape::Email => {
                fault(format!("the customer's e-mail address in `{name}` is personal data"))
                    .help("add `pii: true`, so that `oms forget` erases it".to_owned())
            }
            ColumnShape::Text(_) | ColumnShape::Integer => match id.replace(column) {
                None => continue,
                Some(first) => fault(format!(
                    "a row belongs to one customer, but `{name}` is a second customer id"
                ))
                .related(
                    Place::value(route.key(&first.name).key("customer")),
                    "the first customer id",
                )
                .help("remove `customer: true` from one of the two columns".to_owned()),
            },
            shape => fault(format!("a column of the type `{shape}` cannot identify a customer"))
                .help("mark a column of the type `text`, `integer` or `email`".to_owned()),
        };
        valid = false;
        sink.add(finding);
    }
    if let Some(first) =
        marked().next().filter(|_| valid && !columns.iter().any(|column| column.pii))
    {
        valid = false;
        let place = Place::value(route.key(&first.name).key("customer"));
        sink.add(
            Finding::error(
                codes::TABLE,
                place,
                "`customer` has no effect, because no column of the table contains personal data",
            )
            .help(
                "mark the personal columns with `pii: true`, or remove `customer: true`".to_owned(),
            ),
        );
    }
    valid
}

/// Checks that orders identify their customer if rows of a table do.
pub(super) fn check_customers(declared: &[Declared], order: &OrderPlan, sink: &mut Sink<'_>) {
    if !order.schema().customer().is_empty() {
        return;
    }
    for Declared { table, route, .. } in declared {
        let Some(column) = table.columns.iter().find(|column| column.customer) else { continue };
        let place = Place::value(route.key("columns").key(&column.name).key("customer"));
        sink.add(
            Finding::error(codes::TABLE, place, "`customer` has no effect, because no member of the order identifies a customer")
                .help("add `x-customer: true` to the member of the order schema that contains the customer's id".to_owned()),
        );
    }
}

/// An invalid row in a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct RowError {
    /// The line in the file, numbered from 1.
    pub line: usize,
    /// The column in characters, numbered from 1.
    pub column: usize,
    /// The message, without the value.
    pub message: String,
}

/// Parses a line of a file of rows: a JSON object with the columns of the table. The values are
/// normalized.
///
/// # Errors
/// Returns all faults, each with its column in the line.
pub fn read_row(table: &TableDef, text: &str) -> Result<Value, Vec<(usize, String)>> {
    parse_row(table, text).map_err(|problems| {
        problems.into_iter().map(|problem| (problem.column, problem.message)).collect()
    })
}

/// Parses a file with one row per line (NDJSON). Empty lines are skipped.
///
/// # Errors
/// Returns the first invalid row.
pub fn read_rows(table: &TableDef, text: &str) -> Result<Vec<Value>, RowError> {
    let mut keys = KeyLines::default();
    row_lines(text)
        .map(|(index, line)| {
            let row = read_row(table, line).map_err(|problems| {
                let first = problems.into_iter().next();
                let (column, message) = first.unwrap_or_else(|| (1, "invalid row".to_owned()));
                RowError { line: index + 1, column, message }
            })?;
            match keys.add(table, &row, index + 1) {
                None => Ok(row),
                Some(message) => Err(RowError { line: index + 1, column: 1, message }),
            }
        })
        .collect()
}

/// Returns the non-empty lines of a file of rows, each with its position in the file.
pub fn row_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    without_mark(text).lines().enumerate().filter(|(_, line)| !line.trim().is_empty())
}

/// The keys in a file of rows, each with the line of its first use.
#[derive(Default)]
struct KeyLines(HashMap<Vec<String>, usize>);

impl KeyLines {
    /// Adds the key of a row. Returns a message if an earlier line has the same key.
    fn add(&mut self, table: &TableDef, row: &Value, line: usize) -> Option<String> {
        let key = table.key_of(row).map(Value::display).collect();
        match self.0.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(line);
                None
            }
            Entry::Occupied(first) => {
                Some(format!("the key is the same as on line {}", first.get()))
            }
        }
    }
}

/// A fault in a row.
struct RowProblem {
    /// The column in characters, numbered from 1.
    column: usize,
    message: String,
    help: Option<String>,
}

fn parse_row(table: &TableDef, text: &str) -> Result<Value, Vec<RowProblem>> {
    let mut node = JsonNode::stored(&Type::of(Shape::Record(Arc::clone(&table.row))));
    if let JsonKind::Record(record) = &mut node.kind {
        record.additional = false;
        for member in &mut record.members {
            // E-mail addresses and currencies in a seed are checked like those in an order.
            if let Some(column) = table.column(&member.name) {
                match column.shape {
                    ColumnShape::Email => member.node.kind = JsonKind::Email,
                    ColumnShape::Currency => member.node.kind = JsonKind::Currency,
                    _ => {}
                }
            }
        }
    }
    let parsed = read_json(text.as_bytes(), &node).map_err(|problems| {
        problems
            .iter()
            .map(|problem| {
                let name = problem.pointer.trim_start_matches('/');
                let (_, column) = problem.line_column(text.as_bytes());
                if let Some(unknown) = unknown_member(problem, text) {
                    let known = table.columns.iter().map(|column| column.name.as_ref());
                    let message = format!("unknown column `{unknown}`");
                    return RowProblem { column, message, help: did_you_mean(&unknown, known) };
                }
                let subject =
                    if name.is_empty() { "the row".to_owned() } else { format!("`{name}`") };
                let message = format!("{subject} {}", problem.message);
                RowProblem { column, message, help: None }
            })
            .collect::<Vec<_>>()
    })?;
    let Value::Record(record) = parsed.value else { return Err(Vec::new()) };
    let mut values = Vec::with_capacity(table.columns.len());
    for (name, value) in record.iter() {
        let Some(column) = table.column(name) else { continue };
        values.push(column.fit(value.clone()).map_err(|error| {
            vec![RowProblem { column: 1, message: error.to_string(), help: None }]
        })?);
    }
    Ok(Value::Record(Arc::new(Record::new(Arc::clone(&table.row), values))))
}

/// Returns the name of the member if the problem is an unknown member.
fn unknown_member(problem: &JsonProblem, text: &str) -> Option<String> {
    let rest = text.get(problem.offset..).filter(|_| problem.kind == ProblemKind::Unknown)?;
    serde_json::Deserializer::from_str(rest).into_iter::<String>().next()?.ok()
}

pub(super) fn check_seeds(declared: &[Declared], sink: &mut Sink<'_>, files: &dyn Files) {
    for declared in declared {
        let Some((path, route)) = &declared.seed else { continue };
        let shown = files.shown(path);
        let text = match files.read(path).map(|bytes| String::from_utf8(bytes.to_vec())) {
            Ok(Ok(text)) => Arc::<str>::from(without_mark(&text)),
            Ok(Err(_)) => {
                sink.not_text(Place::value(route.clone()), &shown);
                continue;
            }
            Err(error) => {
                sink.unreadable(Place::value(route.clone()), &shown, &error);
                continue;
            }
        };
        let (mut found, mut keys) = (0, KeyLines::default());
        for (index, line) in row_lines(&text) {
            let problems = match parse_row(&declared.table, line) {
                Err(problems) => problems,
                Ok(row) => match keys.add(&declared.table, &row, index + 1) {
                    None => continue,
                    Some(message) => {
                        let help = "keep one of the two rows; a key identifies a single row";
                        vec![RowProblem { column: 1, message, help: Some(help.to_owned()) }]
                    }
                },
            };
            for RowProblem { column, message, help } in problems {
                found += 1;
                sink.add_in_file(InFile {
                    code: codes::SEED,
                    path: &shown,
                    text: &text,
                    private: true,
                    line: index + 1,
                    column,
                    // A row may contain personal data, so the finding only points to its place.
                    length: 1,
                    message: format!("row of `{}`: {message}", declared.table.name),
                    help,
                });
            }
            if found >= SEED_FINDINGS_MAX {
                break;
            }
        }
    }
}
