//! Orders from files and from standard input.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use oms_engine::document::{OrderForm, OrderText, read_orders};
use oms_engine::plan::Plan;
use oms_runtime::Order;

use crate::orders::csv::{Row, read_csv};

/// A source of orders.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A file.
    File(PathBuf),
    /// A moved file, whose orders keep keys from its previous name.
    Moved {
        /// The current path.
        path: PathBuf,
        /// The previous path.
        from: PathBuf,
    },
    /// Standard input, with the name of its orders.
    Stdin(String),
}

/// The place of an order in its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The file, as shown in messages.
    pub(crate) path: Arc<str>,
    /// The line on which the order begins, from 1.
    pub(crate) line: u64,
    /// The column in which the order begins, in characters, numbered from 1.
    pub(crate) column: u64,
    /// The row, if the source is a CSV file.
    pub(crate) row: Option<Row>,
}

/// Reads sources one after the other.
pub(crate) struct Reader {
    /// The pipeline, whose order schema determines the types of cells in CSV files.
    pub(crate) plan: Arc<Plan>,
    /// Bytes read so far, for the progress bar.
    pub(crate) bytes_read: Arc<AtomicU64>,
}

impl Reader {
    /// Calls `each` with every order of a source and its place, until `each` returns false.
    ///
    /// # Errors
    /// Returns an error if the source cannot be read.
    pub(crate) fn read(
        &self,
        source: &Source,
        each: &mut dyn FnMut(Order, Origin) -> bool,
    ) -> io::Result<()> {
        let stem =
            |path: &'_ Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (path, name) = match source {
            Source::File(path) => (path.to_string_lossy(), stem(path)),
            Source::Moved { path, from } => (path.to_string_lossy(), stem(from)),
            Source::Stdin(name) => ("-".into(), name.clone()),
        };
        let path: Arc<str> = Arc::from(&*path);
        let mut each = |OrderText { name, body, line, column }: OrderText, row| {
            let origin = Origin { path: Arc::clone(&path), line, column, row };
            each(Order { name, body, name_must_equal_key: false, reply: None }, origin)
        };
        let (mut file, mut stdin);
        let (input, form): (&mut dyn BufRead, _) = match source {
            Source::File(path) | Source::Moved { path, .. } => {
                let opened = File::open(path)?;
                if opened.metadata()?.is_dir() {
                    return Err(io::Error::other("it is a folder"));
                }
                file = BufReader::with_capacity(1 << 18, opened);
                (&mut file, OrderForm::of_file(&path.to_string_lossy()))
            }
            Source::Stdin(_) => {
                stdin = io::stdin().lock();
                (&mut stdin, OrderForm::Stream)
            }
        };
        let mut input = CountingReader { input, bytes_read: &self.bytes_read };
        let order = self.plan.order();
        if is_csv(source) {
            let expected = (order.schema().node(), order.max_bytes());
            return read_csv(&mut input, &name, expected, &mut |text, row| each(text, Some(row)));
        }
        read_orders(&mut input, form, &name, order.max_bytes(), &mut |text| each(text, None))
    }
}

/// Returns whether a source is a CSV file, judged by the extension of its name.
fn is_csv(source: &Source) -> bool {
    match source {
        Source::File(path) | Source::Moved { path, .. } => {
            path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
        }
        Source::Stdin(_) => false,
    }
}

/// Counts the bytes that are read.
struct CountingReader<'c> {
    input: &'c mut dyn BufRead,
    bytes_read: &'c AtomicU64,
}

impl Read for CountingReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.bytes_read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl BufRead for CountingReader<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.input.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.input.consume(count);
        self.bytes_read.fetch_add(count as u64, Ordering::Relaxed);
    }
}
