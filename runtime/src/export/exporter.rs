//! The export of objects and e-mails as files. A file that cannot be written is recorded and
//! reported, and never stops a run.
//!
//! The packet that commits an object or an e-mail also records its run in `oms_exports`. A later
//! commit deletes the record after the files are written. After a crash or a failed write the
//! record still exists, and the next process that exports writes the run's files.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use oms_engine::plan::Plan;
use oms_engine::run::Run;
use oms_sqlite::{
    Error, ExportedRuns, ObjectRow, RunRow, Store, StoredMail, Write, private, unpack,
};

use super::files::{write_mail, write_object};
use crate::bundles::Bundles;

/// Where to write objects and e-mails as files, and how to report files that could not be written.
#[derive(Clone)]
pub struct Export {
    /// The folder in which `objects/` and `mail/` are created.
    pub directory: PathBuf,
    /// Called for each object and e-mail that could not be written.
    pub report: Arc<dyn Fn(&NotExported) + Send + Sync>,
}

/// An object or e-mail that could not be written as a file.
#[derive(Debug)]
pub struct NotExported {
    /// The item, as text: an object with its bucket and key, or an e-mail with its Message-ID.
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

/// Writes files as runs commit.
pub(crate) struct Exporter {
    export: Export,
    count_failed: AtomicU64,
}

impl Exporter {
    /// Creates the folders, so that an unusable folder is reported before any run starts. Then
    /// writes the files that an earlier process did not write.
    ///
    /// # Errors
    /// Returns an error if the folder cannot be used, or if the database cannot be read.
    pub(crate) fn open(
        export: Option<Export>,
        store: &Store,
        bundles: &Bundles,
    ) -> Result<Option<Self>, Error> {
        let Some(export) = export else { return Ok(None) };
        private::create_directory(&export.directory.join("objects"))?;
        private::create_directory(&export.directory.join("mail"))?;
        let exporter = Self { export, count_failed: AtomicU64::new(0) };
        exporter.catch_up(store, bundles)?;
        Ok(Some(exporter))
    }

    /// Writes the files of a committed packet.
    pub(crate) fn export(&self, exported: &ExportedRuns, id: i64, run: &Run, writes: &[Write]) {
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
                Write::Insert { .. } | Write::Upsert { .. } | Write::Update { .. } => continue,
            }
            any = true;
        }
        if any {
            exported.record(id, is_whole);
        }
    }

    /// Writes the files that an earlier process recorded and did not write. All files of such a run
    /// are written again.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    fn catch_up(&self, store: &Store, bundles: &Bundles) -> Result<(), Error> {
        for id in store.pending_exports()? {
            store.read(|reader| {
                let mut is_whole = true;
                // If the run is damaged, its objects and e-mails may still be readable.
                let row = RunRow::load_all(reader, &[id]).ok().and_then(|mut rows| rows.pop());
                let plan = row.as_ref().and_then(|row| bundles.plan(reader, row.bundle).ok());
                for object in ObjectRow::of_run(reader, id)? {
                    let (bucket, key) = (&object.bucket, &object.key);
                    if let Some(content) = ObjectRow::content(reader, bucket, key)? {
                        is_whole &= self.object(bucket, key, &content, plan.as_deref());
                    }
                }
                let mails = StoredMail::each_of_run(reader, id, |stored| {
                    is_whole &= self.mail(&stored.mail);
                    Ok(())
                });
                if let Err(error) = mails {
                    let what = match &row {
                        Some(row) => format!("an e-mail of the order `{}`", row.key),
                        None => "an e-mail".to_owned(),
                    };
                    is_whole = self.failed(&NotExported { what, cause: cause(&error) });
                }
                store.exported().record(id, is_whole);
                Ok::<(), Error>(())
            })?;
        }
        Ok(())
    }

    fn object(&self, bucket: &str, key: &str, content: &[u8], plan: Option<&Plan>) -> bool {
        let directory = self.export.directory.join("objects");
        match write_object(&directory, bucket, key, content) {
            Ok(()) => true,
            Err(error) => {
                let is_personal = plan.is_none_or(|plan| plan.has_personal_keys(bucket));
                let shown = if is_personal { None } else { Some(key) };
                self.failed(&NotExported::object(bucket, shown, &error))
            }
        }
    }

    fn mail(&self, mail: &oms_engine::mail::Mail) -> bool {
        match write_mail(&self.export.directory.join("mail"), mail) {
            Ok(()) => true,
            Err(error) => self.failed(&NotExported::mail(&mail.message_id, &error)),
        }
    }

    fn failed(&self, what: &NotExported) -> bool {
        self.count_failed.fetch_add(1, Ordering::Relaxed);
        (self.export.report)(what);
        false
    }

    /// Returns the number of objects and e-mails that could not be written so far.
    pub(crate) fn count_failed(&self) -> u64 {
        self.count_failed.load(Ordering::Relaxed)
    }
}
