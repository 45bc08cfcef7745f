//! Orders from files and from standard input: one JSON document, or one a line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use oms_local::{Order, Origin};

/// Where orders come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A file.
    File(PathBuf),
    /// Standard input, and the name that its orders come in under.
    Stdin(String),
}

/// Reads sources one after the other.
pub(crate) struct Reader {
    /// Bytes of an order at the most; what is longer is cut one byte behind, so that it is refused as too large.
    pub(crate) bytes_max: usize,
    /// Bytes read so far, for the progress.
    pub(crate) bytes_read: Arc<AtomicU64>,
}

/// How the orders stand in a source.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The whole text is one order.
    One,
    /// Each line is one.
    Lines,
    /// Lines, if the first one is an order by itself.
    Guess,
}

impl Reader {
    /// Calls `each` with every order of a source. `each` says whether to go on.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub(crate) fn read(
        &self,
        source: &Source,
        each: &mut dyn FnMut(Order) -> bool,
    ) -> io::Result<()> {
        match source {
            Source::File(path) => {
                let form = match path.extension().and_then(|extension| extension.to_str()) {
                    Some("json") => Form::One,
                    Some("ndjson" | "jsonl") => Form::Lines,
                    _ => Form::Guess,
                };
                let name = path
                    .file_stem()
                    .map(|stem| stem.to_string_lossy().into_owned())
                    .unwrap_or_default();
                let file = File::open(path)?;
                if file.metadata()?.is_dir() {
                    return Err(io::Error::other("it is a folder"));
                }
                self.orders(
                    &mut BufReader::with_capacity(1 << 18, file),
                    form,
                    &shown(path),
                    &name,
                    each,
                )
            }
            Source::Stdin(name) => {
                self.orders(&mut io::stdin().lock(), Form::Guess, &Arc::from("-"), name, each)
            }
        }
    }

    fn orders(
        &self,
        input: &mut dyn BufRead,
        form: Form,
        path: &Arc<str>,
        name: &str,
        each: &mut dyn FnMut(Order) -> bool,
    ) -> io::Result<()> {
        let order = |name: String, body, line| {
            let origin = Origin { path: Arc::clone(path), line };
            Order { name, body, origin, named: false, answer: None }
        };
        if form == Form::One {
            let body = self.rest(Vec::new(), input)?;
            each(order(name.to_owned(), body, 1));
            return Ok(());
        }
        let mut number = 0;
        // The first line, while it is not clear whether it is the whole text.
        let mut held: Option<(Vec<u8>, u64)> = None;
        let mut guessing = form == Form::Guess;
        while let Some(line) = self.line(input)? {
            number += 1;
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            if guessing && held.is_none() {
                if serde_json::from_slice::<serde::de::IgnoredAny>(&line).is_err() {
                    let body = self.rest(line, input)?;
                    each(order(name.to_owned(), body, number));
                    return Ok(());
                }
                held = Some((line, number));
                continue;
            }
            guessing = false;
            for (body, number) in held.take().into_iter().chain([(line, number)]) {
                let order = order(format!("{name}-{number}"), body, number);
                if !each(order) {
                    return Ok(());
                }
            }
        }
        // One order alone is named as if it had been written over several lines.
        if let Some((body, number)) = held {
            each(order(name.to_owned(), body, number));
        }
        Ok(())
    }

    /// Reads what is left, as far as an order may be long.
    fn rest(&self, mut body: Vec<u8>, input: &mut dyn BufRead) -> io::Result<Vec<u8>> {
        let left = (self.bytes_max + 1).saturating_sub(body.len()) as u64;
        let count = input.take(left).read_to_end(&mut body)?;
        self.bytes_read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(body)
    }

    /// Reads a line without its end. A line that is too long is cut, and the rest of it passed over.
    fn line(&self, input: &mut dyn BufRead) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let limit = self.bytes_max as u64 + 2;
        let mut count = input.take(limit).read_until(b'\n', &mut line)? as u64;
        if count == 0 {
            return Ok(None);
        }
        let whole = line.last() == Some(&b'\n');
        if whole {
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
        }
        let mut ended = whole;
        while !ended {
            let available = input.fill_buf()?;
            let (used, end) = match available.iter().position(|byte| *byte == b'\n') {
                Some(at) => (at + 1, true),
                None => (available.len(), available.is_empty()),
            };
            ended = end;
            count += used as u64;
            input.consume(used);
        }
        self.bytes_read.fetch_add(count, Ordering::Relaxed);
        Ok(Some(line))
    }
}

fn shown(path: &Path) -> Arc<str> {
    Arc::from(path.to_string_lossy().as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, form: Form, bytes_max: usize) -> Vec<(String, String, u64)> {
        let reader = Reader { bytes_max, bytes_read: Arc::default() };
        let mut orders = Vec::new();
        let mut each = |order: Order| {
            orders.push((order.name, String::from_utf8(order.body).unwrap(), order.origin.line));
            true
        };
        reader.orders(&mut text.as_bytes(), form, &"x".into(), "x", &mut each).unwrap();
        orders
    }

    #[test]
    fn lines_are_named_by_their_number_and_blank_ones_passed_over() {
        let row = |name: &str, body: &str, line| (name.to_owned(), body.to_owned(), line);
        assert_eq!(
            read("{\"a\":1}\r\n\n{\"a\":2}", Form::Lines, 100),
            [row("x-1", "{\"a\":1}", 1), row("x-3", "{\"a\":2}", 3)]
        );
        assert_eq!(read("{\n}", Form::Guess, 100), [row("x", "{}", 1)]);
        assert_eq!(read("{}\n\n", Form::Guess, 100), [row("x", "{}", 1)]);
        assert_eq!(read("{}\n[]", Form::Guess, 100), [row("x-1", "{}", 1), row("x-2", "[]", 2)]);
        assert_eq!(read("", Form::One, 100), [row("x", "", 1)]);
    }

    #[test]
    fn a_line_that_is_too_long_does_not_hide_the_next_one() {
        let text = format!("{}\n{{}}\n", "9".repeat(5000));
        let orders = read(&text, Form::Lines, 10);
        assert_eq!(orders.len(), 2);
        assert!(orders[0].1.len() > 10 && orders[0].1.len() < 20);
        assert_eq!(orders[1].1, "{}");
    }
}
