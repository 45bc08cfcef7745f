//! The tables of `oms`, their format, and the upgrade of older databases.

use std::collections::BTreeMap;

use rusqlite::Connection;

use crate::error::Error;

/// The format of the database that this program writes.
pub(crate) const FORMAT: i64 = 1;

/// The tables of format 1. Instants are milliseconds since 1970; digests are 32 bytes.
const TABLES: &str = "
create table oms_meta (
    name text primary key,
    value text not null
) strict, without rowid;

create table oms_files (
    digest blob primary key,
    content blob not null
) strict;

create table oms_bundles (
    id integer primary key,
    digest blob not null unique,
    pipeline_file text not null,
    files text not null,
    made_at integer not null
) strict;

create table oms_runs (
    id integer primary key,
    key text not null unique,
    digest blob not null,
    state text not null,
    accepted_at integer not null,
    updated_at integer not null,
    wait_until integer,
    cause text,
    bundle integer not null,
    body blob not null
) strict;

create index oms_runs_open on oms_runs (state, cause) where state <> 'completed';

create table oms_journal (
    run integer not null,
    seq integer not null,
    events text not null,
    primary key (run, seq)
) strict, without rowid;

create table oms_objects (
    bucket text not null,
    key text not null,
    run integer not null,
    content_type text not null,
    stored_at integer not null,
    body blob,
    primary key (bucket, key)
) strict;

-- This table has row ids: without them, an e-mail that is not small would fill a whole page.
create table oms_mails (
    run integer not null,
    step text not null,
    element integer not null,
    message_id text not null,
    sent_at integer not null,
    content blob not null,
    primary key (run, step, element)
) strict;
";

/// Newer tables and their indices. They may be missing in a database of this format. Older versions
/// of the program ignore them.
const LATER_TABLES: &str = "
create table if not exists oms_audit (
    id integer primary key,
    at integer not null,
    who text not null,
    what text not null,
    key text,
    detail text not null
) strict;

-- For pages of runs of one state, in the order of their rows.
create index if not exists oms_runs_open_by_row on oms_runs (state) where state <> 'completed';

create table if not exists oms_pruned (
    key text primary key,
    digest blob not null
) strict, without rowid;

-- Digests of seeded rows; null if a step, an import or an erasure has changed the row.
create table if not exists oms_seed_rows (
    table_name text not null,
    key blob not null,
    row blob,
    primary key (table_name, key)
) strict, without rowid;

create table if not exists oms_keys (
    id text primary key,
    name text not null,
    scope text not null,
    digest text not null,
    created_at integer not null,
    revoked_at integer
) strict, without rowid;

-- Console sessions that were started with an API key, by the digest of their cookie tokens.
create table if not exists oms_sessions (
    digest blob primary key,
    key_id text not null,
    used_at integer not null
) strict, without rowid;

-- Runs with objects or e-mails that are not completely exported yet.
create table if not exists oms_exports (
    run integer primary key
) strict;
";

/// Indices of newer columns.
const LATER_INDICES: &str = "
create index if not exists oms_runs_failed on oms_runs (state, failed_steps) where failed_steps is not null;

create index if not exists oms_runs_caught on oms_runs (state, cause) where caught > 0;
";

/// Newer columns, which older versions of the program leave null: table, column, declaration.
const LATER_COLUMNS: [(&str, &str, &str); 6] = [
    ("oms_bundles", "semantics", "semantics integer"),
    // Number of failures that a catch step has handled; null for none.
    ("oms_runs", "caught", "caught integer"),
    // The steps that failed, each with a comma before and after it; null for none.
    ("oms_runs", "failed_steps", "failed_steps text"),
    // The number of retries by a user; null for none.
    ("oms_runs", "retries", "retries integer"),
    // The digest of the order without its ignored members; null if all members count.
    ("oms_runs", "reduced", "reduced blob"),
    ("oms_pruned", "reduced", "reduced blob"),
];

/// Fills the columns `failed_steps` and `retries` of an older state from the journals. Damaged
/// journals are skipped.
const FILL_FROM_JOURNALS: &str = r#"
update oms_runs set
    failed_steps = (
        select ',' || group_concat(distinct e.value ->> 'step') || ','
        from oms_journal j, json_each(iif(json_valid(j.events), j.events, '[]')) e
        where j.run = oms_runs.id and e.value ->> 'is' = 'failed'
    ),
    retries = (
        select nullif(count(*), 0)
        from oms_journal j, json_each(iif(json_valid(j.events), j.events, '[]')) e
        where j.run = oms_runs.id and e.value ->> 'is' = 'retried'
    )
where id in (
    select run from oms_journal where events like '%"is":"failed"%' or events like '%"is":"retried"%'
);
"#;

/// Creates the tables in a new database, or checks the format of an existing one.
pub(crate) fn prepare(connection: &Connection) -> Result<(), Error> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match found {
        0 => {
            connection.execute_batch(&format!(
                "begin immediate; {TABLES} pragma user_version = {FORMAT}; commit;"
            ))?;
        }
        FORMAT => {}
        found => return Err(Error::Format { found, known: FORMAT }),
    }
    let is_older = !has_column(connection, "oms_runs", "failed_steps")?;
    connection.execute_batch(LATER_TABLES)?;
    for (table, column, declaration) in LATER_COLUMNS {
        if !has_column(connection, table, column)? {
            connection.execute_batch(&format!("alter table {table} add column {declaration}"))?;
        }
    }
    connection.execute_batch(LATER_INDICES)?;
    if is_older {
        connection.execute_batch(FILL_FROM_JOURNALS)?;
    }
    Ok(())
}

/// Adds missing newer columns for a connection that only reads. Temporary views with the names of
/// the tables contain these columns as null.
pub(crate) fn add_missing_columns(connection: &Connection) -> Result<(), Error> {
    let mut missing: BTreeMap<&str, String> = BTreeMap::new();
    for (table, column, _) in LATER_COLUMNS {
        if !has_column(connection, table, column)? {
            missing.entry(table).or_default().push_str(&format!(", null as {column}"));
        }
    }
    for (table, columns) in missing {
        connection.execute_batch(&format!(
            "create temp view {table} as select *{columns} from main.{table}"
        ))?;
    }
    Ok(())
}

/// Returns whether a table has a column.
fn has_column(connection: &Connection, table: &str, column: &str) -> Result<bool, Error> {
    Ok(connection.query_row(
        "select exists (select 1 from pragma_table_info(?1) where name = ?2)",
        [table, column],
        |row| row.get(0),
    )?)
}
