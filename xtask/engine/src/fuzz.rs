//! `cargo xtask fuzz`: runs the fuzz targets on stable Rust, with the corpora and a simple mutator.
//!
//! `cargo fuzz` finds more, because it is guided by coverage, but it needs a nightly compiler. This
//! driver runs in CI.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use oms_fuzz_targets::{ALL, Target};

use xtask::workspace::{root, say};

/// Run every fuzz target for a few seconds
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Seconds for each target
    #[arg(long, default_value_t = SECONDS)]
    seconds: u64,
    /// Seed of the random numbers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only these targets
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
}

/// Seconds for each target in CI.
const SECONDS: u64 = 5;
/// Maximum number of bytes of an input.
const INPUT_MAX: usize = 16 << 10;
/// Time after which an input counts as a hang.
const HANG: Duration = Duration::from_secs(20);
/// Folders with additional inputs for a target, relative to the project.
const MORE: &[(&str, &str)] = &[("pipeline", "tests/diagnostics"), ("pipeline", "pipelines")];

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    for name in &args.targets {
        let known = ALL.iter().any(|target| target.name == name);
        anyhow::ensure!(known, "unknown target `{name}`");
    }
    for target in ALL {
        if args.targets.is_empty() || args.targets.iter().any(|name| name == target.name) {
            fuzz(*target, args)?;
        }
    }
    Ok(())
}

/// Runs a target on its corpus and on mutations of it until the time limit.
#[expect(clippy::disallowed_methods, reason = "the time only limits the run")]
fn fuzz(target: Target, args: &Args) -> anyhow::Result<()> {
    let corpus = corpus(target.name)?;
    anyhow::ensure!(!corpus.is_empty(), "`{}` has no corpus", target.name);
    let (mut random, mut count) = (Random(args.seed.max(1)), 0_u64);
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let (inputs, queue) = channel::<Vec<u8>>();
    let (done, results) = channel();
    // In a separate thread, so that a hang is noticed. A panic ends the thread and closes the
    // channel.
    std::thread::Builder::new().stack_size(64 << 20).spawn(move || {
        for input in queue {
            (target.run)(&input);
            if done.send(()).is_err() {
                return;
            }
        }
    })?;
    let mut seeds = corpus.iter();
    loop {
        let input = match seeds.next() {
            Some(seed) => seed.clone(),
            None if Instant::now() < end => random.mutate(&corpus),
            None => break,
        };
        inputs.send(input.clone()).context("the target ended")?;
        match results.recv_timeout(HANG) {
            Ok(()) => count += 1,
            Err(error) => {
                let what = if error == RecvTimeoutError::Timeout { "hangs" } else { "panics" };
                let path = keep(target.name, &input)?;
                anyhow::bail!("`{}` {what} on `{}`", target.name, path.display());
            }
        }
    }
    say(&format!("{}: {count} inputs, {} of them from the corpus", target.name, corpus.len()));
    Ok(())
}

/// Reads the corpus of a target in the order of the file names, so that a seed gives the same
/// inputs every time.
fn corpus(target: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let own = Path::new("fuzz/corpus").join(target);
    let more = MORE.iter().filter(|(of, _)| *of == target).map(|(_, folder)| PathBuf::from(folder));
    let mut inputs = Vec::new();
    for folder in std::iter::once(own).chain(more) {
        let entries = std::fs::read_dir(root().join(&folder))
            .with_context(|| format!("cannot read `{}`", folder.display()))?;
        let mut paths: Vec<PathBuf> =
            entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
        paths.sort();
        for path in paths.into_iter().filter(|path| path.is_file()) {
            let input = std::fs::read(path)?;
            if input.len() <= INPUT_MAX {
                inputs.push(input);
            }
        }
    }
    Ok(inputs)
}

/// Writes an input on which a target fails, where `cargo fuzz` would write it.
fn keep(target: &str, input: &[u8]) -> anyhow::Result<PathBuf> {
    let folder = root().join("fuzz/artifacts").join(target);
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("input");
    std::fs::write(&path, input)?;
    Ok(path)
}

/// Pseudorandom numbers (xorshift64*, Vigna 2016), so that a seed gives the same inputs on every
/// machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % (limit.max(1) as u64)).unwrap_or_default()
    }

    /// Changes an input of the corpus in a few places, with bytes and parts of other inputs.
    fn mutate(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(6) {
            let at = self.below(input.len() + 1);
            let end = (at + self.below(12)).min(input.len());
            match self.below(5) {
                0 if at < input.len() => input[at] ^= 1 << self.below(8),
                1 => drop(input.drain(at..end)),
                2 => {
                    let other = &corpus[self.below(corpus.len())];
                    let from = self.below(other.len());
                    let to = (from + self.below(40)).min(other.len());
                    input.splice(at..end, other[from..to].iter().copied());
                }
                3 => {
                    let part = input[at..end].to_vec();
                    let place = self.below(input.len() + 1);
                    input.splice(place..place, part);
                }
                _ => {
                    const TOKENS: &[&str] = &[
                        "{{",
                        "}}",
                        "${{",
                        "\"",
                        "'",
                        "\\",
                        "\0",
                        "\u{feff}",
                        "é",
                        "\u{202e}",
                        "- ",
                        ": ",
                        "null",
                        "1e400",
                        "-0.00",
                        "99999999999999999999",
                        "[",
                        "]",
                        "{",
                        "}",
                        "\n",
                        "\t",
                        "&a ",
                        "*a",
                    ];
                    let token = TOKENS[self.below(TOKENS.len())];
                    input.splice(at..at, token.bytes());
                }
            }
        }
        input.truncate(INPUT_MAX);
        input
    }
}
