//! Tests the program of the example from the command line. Its kinds are validated, run, retried
//! and resumed like the shipped kinds.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

/// Longer than any test takes, so that a defect fails the test instead of blocking it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder with a copy of the pipeline, in which the program runs.
struct Place {
    folder: PathBuf,
}

impl Place {
    fn new(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        fs::create_dir_all(folder.join("target/warehouse")).unwrap();
        let example = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        fs::copy(example.join("fulfilment.yaml"), folder.join("fulfilment.yaml")).unwrap();
        fs::create_dir_all(folder.join("fulfilment/samples")).unwrap();
        let sample = "fulfilment/samples/F-1.json";
        fs::copy(example.join(sample), folder.join(sample)).unwrap();
        Self { folder }
    }

    /// Replaces a text in the pipeline file.
    fn edit(&self, from: &str, to: &str) {
        let path = self.folder.join("fulfilment.yaml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "`{from}` is not in the pipeline");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    fn close_warehouse(&self) {
        fs::write(self.folder.join("target/warehouse/DOWN"), "").unwrap();
    }

    fn open_warehouse(&self) {
        fs::remove_file(self.folder.join("target/warehouse/DOWN")).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_custom-kind"));
        command.args(arguments).current_dir(&self.folder);
        command
    }

    fn call(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs the pipeline to its end and returns the summary.
    fn run(&self, more: &[&str]) -> Json {
        let output = self.call(&[&["run", "fulfilment.yaml", "--format", "json"], more].concat());
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs the pipeline in the background.
    fn start(&self) -> Background {
        let mut command = self.command(&["run", "fulfilment.yaml"]);
        Background(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Waits until the first step has had this number of attempts.
    #[expect(clippy::disallowed_methods, reason = "waiting for another process must have an end")]
    fn await_attempts(&self, attempts: u64) {
        let begun = Instant::now();
        loop {
            let output = self.call(&["runs", "show", "fulfilment.yaml", "F-1", "--format", "json"]);
            let shown = String::from_utf8_lossy(&output.stdout).into_owned();
            let run: Json = serde_json::from_str(&shown).unwrap_or_default();
            if tried(&run) >= attempts {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "fewer than {attempts} attempts: {shown}");
        }
    }

    /// Returns the reservations, one per line.
    fn reservations(&self) -> Vec<String> {
        let folder = self.folder.join("target/warehouse/reservations");
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
    }
}

/// A process that is killed at the end of the test.
struct Background(Child);

impl Drop for Background {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

/// Returns the number of attempts of a run's first step.
fn tried(run: &Json) -> u64 {
    let events = run["steps"][0]["events"].as_array().cloned().unwrap_or_default();
    events.iter().filter_map(|event| event["attempt"].as_u64()).max().unwrap_or(0)
}

#[test]
fn the_shipped_example_is_valid_and_its_kinds_have_pages() {
    let place = Place::new("valid");
    let validated = place.call(&["validate", "fulfilment.yaml"]);
    assert!(validated.status.success(), "{}", String::from_utf8_lossy(&validated.stdout));
    let page = place.call(&["steps", "stock.reserve"]);
    let page = String::from_utf8(page.stdout).unwrap();
    assert!(page.contains("once for each order"), "{page}");
    assert!(page.contains("- `priority` (optional): The priority of the reservation."), "{page}");
    assert!(page.contains("- `number`: text"), "{page}");
}

#[test]
fn an_error_in_a_setting_of_a_custom_kind_has_its_line() {
    let place = Place::new("checked");
    place.edit("pieces: ${{ order.pieces }}", "pieces: ${{ order.article }}");
    let output = place.call(&["validate", "fulfilment.yaml", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Json = serde_json::from_slice(&output.stdout).unwrap();
    let label = &report["diagnostics"][0]["labels"][0];
    let text = fs::read_to_string(place.folder.join("fulfilment.yaml")).unwrap();
    let line =
        text.lines().position(|line| line.contains("pieces: ${{ order.article")).unwrap() + 1;
    assert_eq!(label["start"]["line"], line, "{report}");
}

#[test]
fn retries_of_an_unsafe_kind_are_rejected() {
    let place = Place::new("unsafe");
    place.edit("    uses: label.print\n", "    uses: label.print\n    retry: { attempts: 2 }\n");
    let output = place.call(&["validate", "fulfilment.yaml"]);
    let report =
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(report.contains("error[OMS0414]"), "{report}");
}

#[test]
fn a_repeated_order_is_reserved_once() {
    let place = Place::new("once");
    let first = place.run(&[]);
    assert_eq!((&first["accepted"], &first["completed"]), (&1.into(), &1.into()), "{first}");
    let second = place.run(&["--samples"]);
    assert_eq!((&second["accepted"], &second["duplicates"]), (&0.into(), &1.into()), "{second}");
    assert_eq!(place.reservations(), ["2 of TEA-500, standard\n"]);
    let labels = fs::read_to_string(place.folder.join("target/warehouse/labels.txt")).unwrap();
    assert_eq!(labels, "2 x TEA-500\n");
    let rows = place.call(&["db", "export", "fulfilment.yaml", "reservations"]);
    let row: Json = serde_json::from_slice(&rows.stdout).unwrap();
    assert_eq!(row["reserved"], "2 of TEA-500, standard");
}

#[test]
fn a_permanent_failure_parks_the_run_without_a_retry() {
    let place = Place::new("permanent");
    let sample = place.folder.join("fulfilment/samples/F-1.json");
    fs::write(sample, r#"{ "id": "F-1", "article": "TEA-500", "pieces": 0 }"#).unwrap();
    let output = place.call(&["run", "fulfilment.yaml", "--format", "json"]);
    let summary: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &summary["parked"]), (Some(1), &1.into()), "{summary}");
    let shown = place.call(&["runs", "show", "fulfilment.yaml", "F-1", "--format", "json"]);
    assert_eq!(tried(&serde_json::from_slice(&shown.stdout).unwrap()), 1);
}

#[test]
fn a_reservation_is_retried_until_the_warehouse_opens() {
    let place = Place::new("retried");
    place.close_warehouse();
    let mut background = place.start();
    place.await_attempts(2);
    place.open_warehouse();
    assert!(background.0.wait().unwrap().success());
    assert_eq!(place.reservations(), ["2 of TEA-500, standard\n"]);
}

#[test]
fn a_killed_run_resumes_with_its_original_settings() {
    let place = Place::new("killed");
    place.close_warehouse();
    let background = place.start();
    place.await_attempts(1);
    drop(background);
    place.edit("priority: standard", "priority: express");
    place.open_warehouse();
    let other = place.folder.join("F-2.json");
    fs::write(&other, r#"{ "id": "F-2", "article": "RUSKS", "pieces": 1 }"#).unwrap();
    let summary = place.run(&["--input", "F-2.json"]);
    assert_eq!((&summary["resumed"], &summary["completed"]), (&1.into(), &2.into()), "{summary}");
    let mut reservations = place.reservations();
    reservations.sort();
    assert_eq!(reservations, ["1 of RUSKS, express\n", "2 of TEA-500, standard\n"]);
}
