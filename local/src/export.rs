//! The export of objects and e-mails as files. A file that cannot be written is recorded and
//! reported, and never stops a run.
//!
//! The packet that commits an object or an e-mail also records its run in `oms_exports`. A later
//! commit deletes the record after the files are written. After a crash or a failed write the
//! record still exists, and the next process that exports writes the run's files.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use oms_engine::plan::Plan;
use oms_engine::run::Run;
use rusqlite::Connection;

use crate::bundles::Bundles;
use crate::database::Database;
use crate::error::Error;
use crate::mails::{StoredMail, unpack};
use crate::objects::ObjectRow;
use crate::packet::Write;
use crate::private;
use crate::runner::Runner;
use crate::runs::StoredRun;

/// Where to write objects and e-mails as files, and how to report files that could not be written.
#[derive(Clone)]
pub struct Export {
    /// The folder that gets `objects/` and `mail/`.
    pub directory: PathBuf,
    /// Called for each object and e-mail that could not be written.
    pub report: Arc<dyn Fn(&NotExported) + Send + Sync>,
}

/// An object or e-mail that could not be written as a file.
#[derive(Debug)]
pub struct NotExported {
    /// The item, as text: an object with bucket and key, or an e-mail with its Message-ID.
    pub what: String,
    /// Why the file could not be written.
    pub cause: String,
}

impl NotExported {
    /// Describes an object, without its key if the key may contain personal data.
    pub fn object(bucket: &str, key: Option<&str>, error: &Error) -> Self {
        let what = match key {
            Some(key) => format!("the object `{bucket}/{key}`"),
            None => format!(
                "an object in `{bucket}`, whose keys contain personal data (`oms objects list` lists them),"
            ),
        };
        Self { what, cause: cause(error) }
    }

    /// Describes an e-mail.
    pub fn mail(message_id: &str, error: &Error) -> Self {
        Self { what: format!("the e-mail `{message_id}`"), cause: cause(error) }
    }
}

impl fmt::Display for NotExported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was not exported: {}", self.what, self.cause)
    }
}

/// Returns why a file could not be written, without its path, which may contain personal data.
fn cause(error: &Error) -> String {
    match error {
        Error::Directory { source, .. } => source.to_string(),
        error => error.to_string(),
    }
}

/// The runs whose files were all written since the writer last checked.
#[derive(Clone, Default)]
pub(crate) struct Written(Arc<Mutex<Runs>>);

#[derive(Default)]
struct Runs {
    written: Vec<i64>,
    /// Runs with a file that could not be written. Their records stay.
    failed: BTreeSet<i64>,
}

impl Written {
    /// Takes the runs whose records can be deleted.
    pub(crate) fn take(&self) -> Vec<i64> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).written)
    }

    fn note(&self, run: i64, is_whole: bool) {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_whole {
            runs.failed.insert(run);
        } else if !runs.failed.contains(&run) {
            runs.written.push(run);
        }
    }
}

/// Writes files as runs commit.
pub(crate) struct Exporter {
    export: Export,
    written: Written,
    count_failed: AtomicU64,
}

impl Exporter {
    /// Creates the folders, so that an unusable folder is reported before anything runs. Then
    /// writes the files that an earlier process did not write.
    ///
    /// # Errors
    /// When the folder cannot be used, or the database cannot be read.
    pub(crate) fn open(
        export: Option<Export>,
        database: &Database,
        bundles: &Bundles,
        written: &Written,
    ) -> Result<Option<Self>, Error> {
        let Some(export) = export else { return Ok(None) };
        private::create_directory(&export.directory.join("objects"))?;
        private::create_directory(&export.directory.join("mail"))?;
        let exporter = Self { export, written: written.clone(), count_failed: AtomicU64::new(0) };
        exporter.catch_up(&database.connect()?, bundles)?;
        Ok(Some(exporter))
    }

    /// Writes the files of a committed packet.
    pub(crate) fn export(&self, id: i64, run: &Run, writes: &[Write]) {
        let (mut any, mut is_whole) = (false, true);
        for write in writes {
            match write {
                Write::Object { bucket, key, body, .. } => {
                    let content = body.as_deref().unwrap_or(&run.info.body);
                    is_whole &= self.object(bucket, key, content, Some(run.scheduler.plan()));
                }
                Write::Mail { message_id, content, .. } => {
                    is_whole &= match unpack(message_id, content) {
                        Some(mail) => self.mail(&mail),
                        None => self.failed(&NotExported {
                            what: format!("the e-mail `{message_id}`"),
                            cause: "its content is damaged".to_owned(),
                        }),
                    };
                }
                Write::Insert { .. } | Write::Upsert { .. } => continue,
            }
            any = true;
        }
        if any {
            self.written.note(id, is_whole);
        }
    }

    /// Writes the files that an earlier process recorded and did not write. All files of such a run
    /// are written again.
    ///
    /// # Errors
    /// When the database cannot be read.
    fn catch_up(&self, connection: &Connection, bundles: &Bundles) -> Result<(), Error> {
        let ids: Vec<i64> = connection
            .prepare("select run from oms_exports order by run")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for id in ids {
            let mut is_whole = true;
            let run = StoredRun::load(connection, id).ok();
            let order = run.as_ref().map_or("", |run| run.row.key.as_str());
            let plan = run.as_ref().and_then(|run| bundles.plan(connection, run.row.bundle).ok());
            for object in ObjectRow::of_run(connection, id)? {
                let (bucket, key) = (&object.bucket, &object.key);
                if let Some(content) = ObjectRow::content(connection, bucket, key)? {
                    is_whole &= self.object(bucket, key, &content, plan.as_deref());
                }
            }
            let mails = StoredMail::each(connection, Some(order), |stored| {
                is_whole &= self.mail(&stored.mail);
                Ok(())
            });
            if let Err(error) = mails {
                let what = format!("an e-mail of the order `{order}`");
                is_whole = self.failed(&NotExported { what, cause: cause(&error) });
            }
            self.written.note(id, is_whole);
        }
        Ok(())
    }

    fn object(&self, bucket: &str, key: &str, content: &[u8], plan: Option<&Plan>) -> bool {
        let directory = self.export.directory.join("objects");
        match ObjectRow::write_file(&directory, bucket, key, content) {
            Ok(()) => true,
            Err(error) => {
                let is_personal = plan.is_none_or(|plan| plan.has_personal_keys(bucket));
                let shown = if is_personal { None } else { Some(key) };
                self.failed(&NotExported::object(bucket, shown, &error))
            }
        }
    }

    fn mail(&self, mail: &oms_engine::mail::Mail) -> bool {
        match StoredMail::write_file(&self.export.directory.join("mail"), mail) {
            Ok(()) => true,
            Err(error) => self.failed(&NotExported::mail(&mail.message_id, &error)),
        }
    }

    fn failed(&self, what: &NotExported) -> bool {
        self.count_failed.fetch_add(1, Ordering::Relaxed);
        (self.export.report)(what);
        false
    }
}

impl Runner {
    /// Returns how many objects and e-mails could not be exported so far.
    pub fn count_not_exported(&self) -> u64 {
        let exporter = self.driver.exporter.as_ref();
        exporter.map_or(0, |exporter| exporter.count_failed.load(Ordering::Relaxed))
    }
}

impl Write {
    /// Returns whether an export writes a file for this write.
    pub(crate) const fn is_exported(&self) -> bool {
        matches!(self, Self::Object { .. } | Self::Mail { .. })
    }
}

/// Records that a run's files have to be written, in the transaction that commits their content.
pub(crate) fn note(connection: &Connection, run: i64) -> Result<(), Error> {
    connection
        .prepare_cached("insert into oms_exports (run) values (?1) on conflict do nothing")?
        .execute([run])?;
    Ok(())
}

/// Deletes the records of runs whose files are written.
pub(crate) fn settle(connection: &Connection, runs: &[i64]) -> Result<(), Error> {
    let mut statement = connection.prepare_cached("delete from oms_exports where run = ?1")?;
    for run in runs {
        statement.execute([run])?;
    }
    Ok(())
}
