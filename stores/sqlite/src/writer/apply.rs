//! Applies a packet within a transaction: the run's row, its journal, rows, objects and e-mails.

use std::sync::Arc;

use oms_core::table::TableDef;
use oms_core::value::{Digest, Value};
use rusqlite::{OptionalExtension as _, params, params_from_iter};

use super::thread::Thread;
use crate::error::Error;
use crate::runs::delete::KNOWN;
use crate::runs::exports;
use crate::tables::column::bind;
use crate::tables::definition::{Statements, update};
use crate::writer::packet::{Outcome, Packet, RunRef, Write};

/// The encoded events of a packet without events, for example if only the run's state changed.
const NO_EVENTS: &str = "[]";

impl Thread {
    /// Applies a packet within the current transaction. Duplicates and conflicts are found before
    /// the first write, but a refused packet may be partly written.
    pub(super) fn apply(&mut self, packet: &Packet) -> Result<Outcome, Error> {
        let caught = (packet.caught > 0).then_some(packet.caught);
        let id = match &packet.run {
            RunRef::New { key, digest, reduced, accepted_at, body } => {
                if let Some(refused) = self.known(key, *digest)? {
                    return Ok(refused);
                }
                let id = self.next_run;
                self.connection
                    .prepare_cached(
                        "insert into oms_runs (id, key, digest, state, accepted_at, updated_at, wait_until, cause, bundle, body, caught, reduced)
                         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                    )?
                    .execute(params![
                        id,
                        key.as_ref(),
                        digest.bytes(),
                        packet.state.as_str(),
                        accepted_at,
                        packet.now,
                        packet.wait_until,
                        packet.cause,
                        packet.bundle,
                        body.as_ref(),
                        caught,
                        reduced.as_ref().map(|reduced| &reduced.bytes()[..]),
                    ])?;
                id
            }
            RunRef::Existing { id } => {
                self.connection
                    .prepare_cached(
                        "update oms_runs set state = ?2, updated_at = ?3, wait_until = ?4, cause = ?5, bundle = ?6, caught = ?7 where id = ?1",
                    )?
                    .execute(params![
                        id,
                        packet.state.as_str(),
                        packet.now,
                        packet.wait_until,
                        packet.cause,
                        packet.bundle,
                        caught,
                    ])?;
                *id
            }
        };
        self.add_failures(id, packet)?;
        for write in packet.writes.iter() {
            if !self.write(id, packet.now, write)? {
                return Ok(Outcome::Refused);
            }
        }
        if packet.is_exported && packet.writes.iter().any(Write::is_exported) {
            exports::note(&self.connection, id)?;
        }
        self.journal(id, packet)?;
        if matches!(packet.run, RunRef::New { .. }) {
            self.next_run += 1;
        }
        Ok(Outcome::Committed { id })
    }

    /// Adds the packet's failed steps and its retry to the run's row.
    fn add_failures(&self, id: i64, packet: &Packet) -> Result<(), Error> {
        for step in &packet.failed_steps {
            self.connection
                .prepare_cached(
                    "update oms_runs set failed_steps = coalesce(failed_steps, ',') || ?2 || ','
                     where id = ?1 and not instr(coalesce(failed_steps, ','), ',' || ?2 || ',')",
                )?
                .execute(params![id, step])?;
        }
        if packet.is_retry {
            self.connection
                .prepare_cached(
                    "update oms_runs set retries = coalesce(retries, 0) + 1 where id = ?1",
                )?
                .execute([id])?;
        }
        Ok(())
    }

    /// Returns `Duplicate` or `Conflict` if an order with this key exists.
    fn known(&self, key: &str, digest: Digest) -> Result<Option<Outcome>, Error> {
        let known: Option<Vec<u8>> =
            self.connection.prepare_cached(KNOWN)?.query_row([key], |row| row.get(0)).optional()?;
        Ok(known.map(
            |known| {
                if known == digest.bytes() { Outcome::Duplicate } else { Outcome::Conflict }
            },
        ))
    }

    fn journal(&self, id: i64, packet: &Packet) -> Result<(), Error> {
        let first = matches!(packet.run, RunRef::New { .. });
        if packet.events == NO_EVENTS {
            return Ok(());
        }
        let seq: i64 = if first {
            1
        } else {
            self.connection
                .prepare_cached("select coalesce(max(seq), 0) + 1 from oms_journal where run = ?1")?
                .query_row([id], |row| row.get(0))?
        };
        self.connection
            .prepare_cached("insert into oms_journal (run, seq, events) values (?1, ?2, ?3)")?
            .execute(params![id, seq, packet.events])?;
        Ok(())
    }

    /// Applies a write. Returns `false` if it conflicts with another run.
    fn write(&mut self, run: i64, now: i64, write: &Write) -> Result<bool, Error> {
        match write {
            Write::Object { bucket, key, content_type, body } => {
                self.object(run, now, bucket, key, content_type, body.as_deref())
            }
            Write::Insert { table, row } => {
                let sql = &self.statements_of(table).insert.clone();
                // If a row with this key exists, the packet is refused. When the stretch is
                // executed again, it checks that row.
                self.row(sql, table, row, run)
            }
            Write::Upsert { table, row } => {
                let sql = &self.statements_of(table).upsert.clone();
                self.row(sql, table, row, run)?;
                Ok(true)
            }
            // The row was read, so it exists unless it was deleted since. When the stretch is
            // executed again, it reads the row again.
            Write::Update { table, row, columns } => self.update(table, row, columns),
            Write::Mail { step, element, message_id, content } => {
                self.connection
                    .prepare_cached(
                        "insert into oms_mails (run, step, element, message_id, sent_at, content)
                         values (?1, ?2, ?3, ?4, ?5, ?6) on conflict do nothing",
                    )?
                    .execute(params![run, step.as_ref(), element, message_id, now, content])?;
                Ok(true)
            }
        }
    }

    /// Changes columns of a row, which still belongs to the run that added it. Returns whether the
    /// row exists.
    fn update(&self, table: &TableDef, row: &Value, columns: &[usize]) -> Result<bool, Error> {
        let record = row.as_record();
        let value = |name: &str| record.and_then(|record| record.get(name)).unwrap_or(&Value::Null);
        let changed = columns.iter().filter_map(|at| table.columns.get(*at));
        let values = changed.map(|column| value(&column.name)).chain(table.key_of(row)).map(bind);
        let sql = update(table, columns);
        let changed = self.connection.prepare_cached(&sql)?.execute(params_from_iter(values))?;
        Ok(changed == 1)
    }

    fn object(
        &self,
        run: i64,
        now: i64,
        bucket: &str,
        key: &str,
        content_type: &str,
        body: Option<&[u8]>,
    ) -> Result<bool, Error> {
        let changed = self
            .connection
            .prepare_cached(
                "insert into oms_objects (bucket, key, run, content_type, stored_at, body)
                 values (?1, ?2, ?3, ?4, ?5, ?6) on conflict do nothing",
            )?
            .execute(params![bucket, key, run, content_type, now, body])?;
        if changed == 1 {
            return Ok(true);
        }
        // The object exists. Equal content is accepted from any run, and a run may replace its own
        // object.
        let (owner, same): (i64, bool) = self
            .connection
            .prepare_cached(
                "select o.run, coalesce(o.body, r.body) = coalesce(?3, (select body from oms_runs where id = ?4))
                 from oms_objects o join oms_runs r on r.id = o.run where o.bucket = ?1 and o.key = ?2",
            )?
            .query_row(params![bucket, key, body, run], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if same {
            return Ok(true);
        }
        if owner != run {
            return Ok(false);
        }
        self.connection
            .prepare_cached(
                "update oms_objects set content_type = ?3, stored_at = ?4, body = ?5 where bucket = ?1 and key = ?2",
            )?
            .execute(params![bucket, key, content_type, now, body])?;
        Ok(true)
    }

    fn statements_of(&mut self, table: &Arc<TableDef>) -> &Statements {
        let place = Arc::as_ptr(table) as usize;
        let known = self.statements.entry(place);
        &known.or_insert_with(|| (Arc::clone(table), Statements::new(table))).1
    }

    fn row(&self, sql: &str, table: &TableDef, row: &Value, run: i64) -> Result<bool, Error> {
        let record = row.as_record();
        let run = Value::Int(run);
        let values = table
            .columns
            .iter()
            .map(|column| {
                record.and_then(|record| record.get(&column.name)).unwrap_or(&Value::Null)
            })
            .chain([&run])
            .map(bind);
        let changed = self.connection.prepare_cached(sql)?.execute(params_from_iter(values))?;
        Ok(changed == 1)
    }
}
