//! The tables of `oms` itself, for:
//!
//! * claims, the next time slot of an e-mail, and events of e-mails,
//! * completed effects that must not be repeated, and versions of rows,
//! * handlers' notes, and the progress of the search for lost orders.

use std::collections::BTreeSet;

use oms_core::effects::StepError;

use crate::database::Database;
use crate::statement::Statement;
use crate::versions;

/// A part of the schema.
enum Part {
    /// A table, index or function, and the statement that creates it.
    Own(&'static str, &'static str),
    /// A part that tables of version 0.1.0 lack, `table.column`, and the statement that adds it.
    Added(&'static str, &'static str),
    /// A constraint of version 0.1.0, and the statement that removes it.
    Removed(&'static str, &'static str),
}

const PARTS: [Part; 14] = [
    Part::Own(
        "oms_claims",
        "create table if not exists oms_claims (key text primary key, run text not null, step text not null, attempt text not null, \
         state text not null check (state in ('claimed', 'done', 'free')), lease_until timestamptz not null, provider_id text, \
         claimed_at timestamptz not null default now(), slot_at timestamptz)",
    ),
    Part::Added(
        "oms_claims.slot_at",
        "alter table oms_claims add column if not exists slot_at timestamptz",
    ),
    Part::Own(
        "oms_claims_by_run",
        "create index if not exists oms_claims_by_run on oms_claims (run)",
    ),
    Part::Own(
        "oms_mail_events",
        "create table if not exists oms_mail_events (event text not null, key text not null, attempt text not null, detail text not null, \
         at timestamptz not null default now(), primary key (event, key, attempt))",
    ),
    Part::Own(
        "oms_slots",
        "create table if not exists oms_slots (name text primary key, next_at timestamptz not null, per_second bigint not null)",
    ),
    Part::Own(
        "oms_effects",
        "create table if not exists oms_effects (key text primary key, run text not null, step text not null, \
         done_at timestamptz not null default now())",
    ),
    Part::Own(
        "oms_branches",
        "create table if not exists oms_branches (pipeline text not null, handler text not null, object text not null, key text not null, \
         run text not null, state text not null, cause text, reason text, at timestamptz not null default now(), attempts text, \
         primary key (pipeline, handler, object))",
    ),
    // In version 0.1.0, a handler could only be done or have parked an order.
    Part::Removed(
        "oms_branches_state_check",
        "alter table oms_branches drop constraint if exists oms_branches_state_check",
    ),
    Part::Added(
        "oms_branches.attempts",
        "alter table oms_branches add column if not exists attempts text",
    ),
    Part::Own(
        "oms_branches_by_key",
        "create index if not exists oms_branches_by_key on oms_branches (pipeline, key)",
    ),
    // Parked orders are a small part of the table, and are listed often.
    Part::Own(
        "oms_branches_parked",
        "create index if not exists oms_branches_parked on oms_branches (pipeline, at) where state = 'parked'",
    ),
    Part::Own(
        "oms_cursors",
        "create table if not exists oms_cursors (pipeline text primary key, object text)",
    ),
    Part::Own("oms_versions", versions::TABLE),
    Part::Own("oms_unchanged", versions::FUNCTION),
];

/// Returns the statements that create the tables in an empty database.
pub(crate) fn create() -> impl Iterator<Item = Statement> {
    PARTS.iter().filter_map(|part| match part {
        Part::Own(_, sql) => Some(Statement::default().sql(sql)),
        Part::Added(..) | Part::Removed(..) => None,
    })
}

/// Returns the statements that a database still needs.
///
/// # Errors
/// Returns an error if the database fails.
pub(crate) async fn missing(database: &dyn Database) -> Result<Vec<Statement>, StepError> {
    let own = |name: &str| format!("left(cast({name} as text), 4) = 'oms_'");
    let tables = own("c.relname");
    let statement = Statement::default().sql(&format!(
        "select cast(c.relname as text) from pg_class c where pg_table_is_visible(c.oid) and {tables} \
         union all select c.relname || '.' || a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid \
         where pg_table_is_visible(c.oid) and a.attnum > 0 and not a.attisdropped and {tables} \
         union all select cast(n.conname as text) from pg_constraint n join pg_class c on c.oid = n.conrelid \
         where pg_table_is_visible(c.oid) and {} \
         union all select cast(p.proname as text) from pg_proc p where pg_function_is_visible(p.oid) and {}",
        own("n.conname"),
        own("p.proname"),
    ));
    let rows = database.run(&statement).await?;
    let found: BTreeSet<String> = rows.into_iter().flatten().flatten().collect();
    let table_of = |column: &str| column.split('.').next().unwrap_or_default().to_owned();
    let needed = PARTS.iter().filter_map(|part| match part {
        Part::Own(name, sql) => (!found.contains(*name)).then_some(sql),
        // A table that is created now has all columns.
        Part::Added(column, sql) => {
            (found.contains(&table_of(column)) && !found.contains(*column)).then_some(sql)
        }
        Part::Removed(name, sql) => found.contains(*name).then_some(sql),
    });
    Ok(needed.map(|sql| Statement::default().sql(sql)).collect())
}
