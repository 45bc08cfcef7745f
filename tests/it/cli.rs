//! The commands as users run them: exit code, standard output and standard error.

use std::collections::BTreeSet;

use crate::harness::{Output, Scratch, TestPipeline, command, finish, lines, oms, root};

/// The commands, each with the first words of its help text.
const COMMANDS: &[(&str, &str)] = &[
    ("run", "Run orders through a pipeline"),
    ("serve", "Accept orders over HTTP and run them"),
    ("forget", "Erase a customer's personal data and keep the amounts"),
    ("keys", "Add, list or revoke the API keys of `oms serve`"),
    ("keys add", "Create an API key and show it once"),
    ("keys list", "List the API keys"),
    ("keys revoke", "Revoke API keys by id or name"),
    ("validate", "Check pipeline files"),
    ("runs", "List, show, retry, cancel or prune runs"),
    ("runs list", "List runs in the order of acceptance"),
    ("runs show", "Show the steps of a run, with masked personal data"),
    ("runs retry", "Retry parked runs with the current pipeline file"),
    ("runs cancel", "Cancel waiting and parked runs"),
    ("runs prune", "Delete old completed and cancelled runs"),
    ("objects", "List, read or export the stored objects"),
    ("objects list", "List the objects"),
    ("objects get", "Write an object to standard output, unchanged"),
    ("objects export", "Write all objects to files"),
    ("mail", "List, show or export e-mails"),
    ("mail list", "List e-mails"),
    ("mail show", "Show the e-mails of an order as complete messages (RFC 5322)"),
    ("mail export", "Write all e-mails to a Maildir"),
    ("render-email", "Preview or check the e-mails of a pipeline"),
    ("render-email preview", "Render the e-mails for the pipeline's sample orders to files"),
    ("render-email lint", "Check the templates, translations and sizes of the e-mails"),
    ("db", "Export, import or migrate a pipeline's tables"),
    ("db backup", "Back up the state to a file, even while a server uses it"),
    ("db restore", "Replace the state with a backup"),
    ("db export", "Write the rows of a table to standard output"),
    ("db import", "Import rows from an NDJSON file into a table"),
    ("db migrate", "Migrate the tables of a pipeline"),
    ("generate", "Generate files for the deployment of a pipeline"),
    ("generate lambda", "Generate AWS Lambda handlers in Rust"),
    ("graph", "Draw the graph of a pipeline's steps"),
    ("schema", "Write the JSON Schema of the pipeline file"),
    ("steps", "List the step kinds, or describe a step kind"),
    ("explain", "Explain the code of a finding"),
    ("completions", "Write a completion script for a shell"),
];

/// Asserts the exit code, standard output and standard error of a call.
#[track_caller]
fn assert_output(output: &Output, code: i32, stdout: &str, stderr: &str) {
    assert_eq!(
        (output.code, output.stdout.as_str(), output.stderr.as_str()),
        (code, stdout, stderr)
    );
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// Runs the `order-management` pipeline on its five samples.
fn run_order_management(scratch: &Scratch) -> TestPipeline {
    let pipeline = root().join("pipelines/order-management.yaml");
    let site = TestPipeline { pipeline, state: scratch.path("state") };
    let output = site.call(&["run"], &["--format", "json"]).exits(0);
    assert_eq!(output.json()["completed"], 5);
    assert_eq!(output.stderr, "");
    site
}

/// Returns the commands that the help text of a command lists, with its own words before them.
fn subcommands(command: &str, help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(|name| format!("{command} {name}").trim_start().to_owned())
        .collect()
}

#[test]
fn every_command_has_help() {
    let mut listed: BTreeSet<String> =
        subcommands("", &oms(["--help"]).exits(0).stdout).into_iter().collect();
    for (command, begins) in COMMANDS {
        let output = oms([words(command), vec!["--help"]].concat()).exits(0);
        assert!(output.stdout.starts_with(begins), "{command}: {}", output.stdout);
        assert!(output.stdout.contains("Usage: "), "{command}");
        assert_eq!(output.stderr, "");
        listed.extend(subcommands(command, &output.stdout));
    }
    let tested: BTreeSet<String> =
        COMMANDS.iter().map(|(command, _)| (*command).to_owned()).collect();
    assert_eq!(listed, tested);
}

#[test]
fn usage_errors_exit_with_2_and_print_nothing_to_standard_output() {
    for line in [
        "nonsense",
        "run",
        "run pipelines/storefront.yaml --speed 3",
        "run pipelines/storefront.yaml --concurrency 0",
        "run pipelines/storefront.yaml --target moon",
        "run pipelines/order-management.yaml --input -",
        "validate --format xml",
        "explain OMS9999",
        "schema nonsense",
        "steps nonsense",
        "graph",
        "completions nosuch",
        "runs list",
        "runs list pipelines/storefront.yaml --state asleep",
        "runs retry pipelines/storefront.yaml",
    ] {
        let output = oms(words(line));
        assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{line}: {}", output.stderr);
        assert!(output.stderr.starts_with("error: "), "{line}: {}", output.stderr);
    }
}

#[test]
fn a_call_without_orders_says_how_to_pass_them() {
    let scratch = Scratch::new();
    let site = run_order_management(&scratch);
    let output = site.call(&["run"], &[]).exits(0);
    assert_eq!(
        output.stderr.lines().last(),
        Some(
            "no orders to run; use `--input FILE` to run the orders in a file, or `--samples` to run the pipeline's samples"
        )
    );
}

#[test]
fn unreadable_input_exits_with_4() {
    for line in [
        "run nofile.yaml",
        "validate nofile.yaml",
        "graph nofile.yaml",
        "runs list nofile.yaml",
        "run pipelines/storefront.yaml --input nofile",
        "mail list --state-dir no/such/state",
        "runs show --state-dir no/such/state A1",
    ] {
        let output = oms(words(line));
        assert_eq!((output.code, output.stdout.as_str()), (4, ""), "{line}: {}", output.stderr);
        assert!(output.stderr.starts_with("error: "), "{line}: {}", output.stderr);
        assert!(output.stderr.contains("`no"), "{line}: {}", output.stderr);
        assert_eq!(output.stderr.lines().count(), 1, "{}", output.stderr);
    }
    assert!(!root().join("no").exists(), "a read-only command created a folder");
}

#[test]
fn findings_exit_with_1_and_go_to_standard_output() {
    let path = "tests/diagnostics/OMS0303-two-steps.yaml";
    let output = oms(["validate", path]).exits(1);
    assert!(output.stdout.starts_with("error[OMS0303]: "), "{}", output.stdout);
    assert!(output.stdout.ends_with(&format!("\n{path}   1 error\n")), "{}", output.stdout);
    assert_eq!(output.stderr, "");
    let json = oms(["validate", path, "--format", "json"]).exits(1).json();
    assert_eq!(json["format_version"], 1);
    let sarif = oms(["validate", path, "--format", "sarif"]).exits(1).json();
    assert_eq!(sarif["version"], "2.1.0");
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "OMS0303");
    let github = oms(["validate", path, "--format", "github"]).exits(1);
    assert!(
        github.stdout.starts_with(&format!("::error file={path},line=15,")),
        "{}",
        github.stdout
    );
    // `run` rejects an invalid pipeline and prints the findings to standard error.
    let scratch = Scratch::new();
    let state = scratch.path("state");
    let output = oms(["run", path, "--state-dir", state.to_str().unwrap()]).exits(1);
    assert_eq!(output.stdout, "");
    assert!(output.stderr.contains("error[OMS0303]"), "{}", output.stderr);
    assert!(!state.exists(), "a state directory was created for an invalid pipeline");
}

#[test]
fn validate_checks_the_shipped_pipelines_by_default() {
    let output = oms(["validate"]).exits(0);
    let names: Vec<&str> =
        output.stdout.lines().filter_map(|line| line.split_whitespace().next()).collect();
    for name in ["pipelines/order-management.yaml", "pipelines/storefront.yaml"] {
        assert!(names.contains(&name), "{}", output.stdout);
    }
}

#[test]
fn explain_shows_the_page_of_a_code() {
    let page = std::fs::read_to_string(root().join("docs/errors/OMS0303.md")).unwrap();
    let output = oms(["explain", "OMS0303"]).exits(0);
    assert_eq!(output.stdout.trim_end(), page.trim_end());
    let list = oms(["explain"]).exits(0).stdout;
    assert!(list.contains("OMS0303  steps depend on each other in a cycle\n"), "{list}");
}

#[test]
fn every_kind_is_described_and_has_a_schema() {
    let list = oms(["steps"]).exits(0).stdout;
    for kind in oms_steps::ALL {
        let name = kind.name();
        assert!(list.contains(name), "{list}");
        let page = oms(["steps", name]).exits(0).stdout;
        assert!(page.starts_with(&format!("# {name}\n")), "{page}");
        assert!(oms(["schema", name]).exits(0).json().is_object());
    }
    let schema = oms(["schema"]).exits(0);
    assert_eq!(schema.json(), oms(["schema", "pipeline"]).exits(0).json());
    assert!(schema.json()["properties"]["steps"].is_object());
}

#[test]
fn a_pipeline_is_drawn_in_three_formats() {
    let draw = |format: &str| {
        oms(["graph", "pipelines/storefront.yaml", "--format", format]).exits(0).stdout
    };
    let (mermaid, dot, svg) = (draw("mermaid"), draw("dot"), draw("svg"));
    assert!(dot.starts_with("digraph \"storefront\" {\n") && dot.ends_with("}\n"), "{dot}");
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"), "{svg}");
    for step in ["store", "captured", "convert", "bill", "contact", "confirm"] {
        for drawing in [&mermaid, &dot, &svg] {
            assert!(drawing.contains(step), "{step} is missing in\n{drawing}");
        }
    }
    assert_eq!(oms(["graph", "pipelines/storefront.yaml"]).exits(0).stdout, mermaid);
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = oms(["completions", shell]).exits(0).stdout;
        assert!(script.contains("validate"), "{shell}: {script}");
    }
}

#[test]
fn the_commands_in_the_summary_of_a_run_work() {
    let scratch = Scratch::new();
    let pipeline = root().join("pipelines/order-management.yaml");
    let site = TestPipeline { pipeline, state: scratch.path("state") };
    let output = site.call(&["run"], &[]).exits(0);
    assert!(
        output.stdout.starts_with("order-management: 5 orders read, 5 accepted\n5 completed in "),
        "{}",
        output.stdout
    );
    let mut tried = 0;
    for line in output.stdout.lines() {
        let Some((_, command)) = line.split_once("  oms ") else { continue };
        let shown = oms(words(command)).exits(0);
        assert!(!shown.stdout.is_empty(), "{command}");
        tried += 1;
    }
    assert_eq!(tried, 6, "{}", output.stdout);
}

#[test]
fn runs_are_listed_and_shown() {
    let scratch = Scratch::new();
    let site = run_order_management(&scratch);
    let list = site.call(&["runs", "list"], &[]).exits(0);
    assert_eq!(list.stderr, "total: 5 completed\n");
    assert_eq!(list.stdout.lines().count(), 5);
    let json = site.call(&["runs", "list"], &["--format", "json", "--limit", "2"]).exits(0).json();
    assert_eq!(json["format_version"], 1);
    assert_eq!(json["runs"].as_array().unwrap().len(), 2);
    let none =
        site.call(&["runs", "list"], &["--state", "parked", "--format", "json"]).exits(0).json();
    assert_eq!(none["runs"], serde_json::json!([]));
    let shown = site.call(&["runs", "show"], &["A1", "--format", "json"]).exits(0).json();
    assert_eq!((&shown["key"], &shown["state"]), (&"A1".into(), &"completed".into()));
    let steps: Vec<&str> =
        shown["steps"].as_array().unwrap().iter().filter_map(|step| step["id"].as_str()).collect();
    assert_eq!(steps, ["store", "captured", "convert", "bill", "contact", "confirm"]);
    let missing = site.call(&["runs", "show"], &["Z9"]);
    assert_eq!((missing.code, missing.stdout.as_str()), (4, ""));
    assert!(
        missing.stderr.starts_with("error: the run `Z9` does not exist; "),
        "{}",
        missing.stderr
    );
    let nothing = site.call(&["runs", "retry"], &["--all", "--format", "json"]).exits(0);
    assert_eq!(nothing.json()["completed"], 0);
}

#[test]
fn objects_are_returned_byte_for_byte() {
    let scratch = Scratch::new();
    let site = run_order_management(&scratch);
    let sample =
        std::fs::read_to_string(root().join("pipelines/order-management/samples/A1.json")).unwrap();
    let output = site.call(&["objects", "get"], &["order-management/A1"]);
    assert_output(&output, 0, &sample, "");
    let list = site.call(&["objects", "list"], &["--format", "json"]).exits(0).json();
    assert_eq!(list["objects"].as_array().unwrap().len(), 5);
    let folder = scratch.path("objects");
    let output = site.call(&["objects", "export"], &[folder.to_str().unwrap()]);
    assert_output(&output, 0, "", &format!("5 objects written to {}\n", folder.display()));
    assert_eq!(std::fs::read_to_string(folder.join("order-management/A1")).unwrap(), sample);
    let missing = site.call(&["objects", "get"], &["order-management/Z9"]);
    assert_eq!((missing.code, missing.stdout.as_str()), (4, ""));
}

#[test]
fn mails_are_shown_whole_and_in_parts() {
    let scratch = Scratch::new();
    let site = run_order_management(&scratch);
    let list = site.call(&["mail", "list"], &["--format", "json"]).exits(0).json();
    assert_eq!(list["mails"].as_array().unwrap().len(), 5);
    let whole = site.call(&["mail", "show"], &["A1"]).exits(0).stdout;
    assert!(whole.contains("\r\nTo: john.doe@example.com\r\n"), "{whole}");
    let part = |part: &str| site.call(&["mail", "show"], &["A1", "--part", part]).exits(0).stdout;
    assert_eq!(part("subject"), "Order Confirmation\n");
    // The original system's mail said "Your order is has been received".
    assert!(part("text").starts_with("Your order has been received and is now being processed."));
    assert!(part("html").starts_with("<!doctype html>"));
    let folder = scratch.path("mails");
    let output = site.call(&["mail", "export"], &[folder.to_str().unwrap()]);
    assert_output(&output, 0, "", &format!("5 e-mails written to {}\n", folder.display()));
    for part in ["cur", "new", "tmp"] {
        assert!(folder.join(part).is_dir(), "the Maildir has no `{part}`");
    }
    let missing = site.call(&["mail", "show"], &["Z9"]);
    assert_eq!((missing.code, missing.stdout.as_str()), (4, ""));
}

#[test]
fn exported_rows_can_be_imported_again() {
    let scratch = Scratch::new();
    let site = run_order_management(&scratch);
    let before = site.call(&["db", "export"], &["billing_data"]).exits(0).stdout;
    assert_eq!(before.lines().count(), 5);
    let file = scratch.write("rows.ndjson", &before);
    let output = site.call(&["db", "import"], &["billing_data", file.to_str().unwrap()]);
    assert_output(&output, 0, "", "5 rows imported into billing_data\n");
    assert_eq!(site.call(&["db", "export"], &["billing_data"]).exits(0).stdout, before);
    // If a row is invalid, no row is imported.
    let bad = before.replace("laptop", "tablet").replacen("\"USD\"", "\"US\"", 1);
    assert_ne!(bad, before);
    let file = scratch.write("bad.ndjson", bad);
    let output = site.call(&["db", "import"], &["billing_data", file.to_str().unwrap()]).exits(1);
    assert!(output.stderr.contains("bad.ndjson:"), "{}", output.stderr);
    assert!(output.stderr.ends_with("nothing was imported\n"), "{}", output.stderr);
    assert_eq!(site.call(&["db", "export"], &["billing_data"]).exits(0).stdout, before);
    let output = site.call(&["db", "export"], &["biling_data"]);
    assert_eq!((output.code, output.stdout.as_str()), (2, ""));
    assert!(output.stderr.contains("did you mean `billing_data`?"), "{}", output.stderr);
}

#[test]
fn name_sets_the_name_of_an_order_from_standard_input() {
    let scratch = Scratch::new();
    let pipeline = root().join("pipelines/order-management.yaml");
    let site = TestPipeline { pipeline, state: scratch.path("state") };
    let sample =
        std::fs::File::open(root().join("pipelines/order-management/samples/A1.json")).unwrap();
    let mut command = site.command(&["run"], &["--input", "-", "--name", "B7", "--format", "json"]);
    let output = finish(command.stdin(sample)).exits(0);
    assert_eq!(output.json()["completed"], 1);
    // The order spans several lines, but it is a single order, so no line number is appended.
    assert_eq!(site.export("billing_data")[0]["order_key"], "B7");
}

#[test]
fn output_contains_no_personal_data() {
    let scratch = Scratch::with_pipelines();
    // No output may contain the name or the e-mail address of a customer. The input has a valid
    // order, an order without a rate, and invalid orders.
    let customers = lines(&root().join("pipelines/order-management/customers.ndjson"));
    let personal: Vec<String> = customers
        .iter()
        .flat_map(|line| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            ["cust_name", "cust_email_id"].map(|name| row[name].as_str().unwrap().to_owned())
        })
        .collect();
    assert_eq!(personal.len(), 10);
    let order =
        std::fs::read_to_string(root().join("pipelines/order-management/samples/A1.json")).unwrap();
    let order = order.replace('\n', " ");
    let unpriced = order.replace("\"USD\"", "\"CHF\"");
    let long = order.replace("John Doe", &"John Doe ".repeat(9));
    let wrong = order.replace("\"customerName\": \"John Doe\"", "\"customerName\": [\"John Doe\"]");
    assert!(unpriced != order && long != order && wrong != order);
    let input = scratch
        .write("orders.ndjson", format!("{order}\n{unpriced}\n{long}\n{wrong}\n{{\"John Doe\n"));
    let site = TestPipeline {
        pipeline: scratch.path("pipelines/order-management.yaml"),
        state: scratch.path("state"),
    };
    let input = input.to_str().unwrap();
    let mut outputs = vec![site.call(&["run"], &["--samples", "--input", input])];
    assert!(
        outputs[0].stdout.contains("parked") && outputs[0].stdout.contains("3 rejected"),
        "{}",
        outputs[0].stdout
    );
    outputs.push(site.call(&["run"], &["--input", input, "--format", "json"]));
    for format in ["human", "json"] {
        outputs.push(site.call(&["runs", "list"], &["--format", format]));
        outputs.push(site.call(&["runs", "retry"], &["--all", "--format", format]));
        for key in ["A1", "A2", "orders-1", "orders-2"] {
            outputs.push(site.call(&["runs", "show"], &[key, "--format", format]));
        }
    }
    for output in outputs {
        for text in [&output.stdout, &output.stderr] {
            for personal in &personal {
                assert!(!text.contains(personal.as_str()), "`{personal}` in\n{text}");
            }
        }
    }
}

#[test]
fn no_color_is_written_to_a_pipe() {
    // The environment does not turn the colors off.
    let mut command = command();
    command.args(["validate", "tests/diagnostics/OMS0303-two-steps.yaml"]).env_remove("NO_COLOR");
    let output = finish(&mut command).exits(1);
    assert!(!output.stdout.contains('\u{1b}') && !output.stderr.contains('\u{1b}'));
}

#[test]
fn the_summary_prints_no_personal_data() {
    let scratch = Scratch::new();
    let pipeline = |key: &str| {
        format!(
            r#"
oms: 1
name: personal
order:
  schema:
    type: object
    required: [id, note, phone, email]
    properties:
      id: {{ type: string }}
      note: {{ type: string }}
      phone: {{ type: string, x-pii: true }}
      email: {{ type: string, format: email, x-pii: true }}
  key: ${{{{ order.{key} }}}}
steps:
  plain: {{ uses: object.put, with: {{ bucket: plain, key: "${{{{ run.key }}}} ${{{{ order.note }}}}", body: "${{{{ order }}}}" }} }}
  people: {{ uses: object.put, needs: [plain], with: {{ bucket: people, key: "${{{{ run.key }}}}/${{{{ order.email }}}}", body: x }} }}
"#
        )
    };
    let order = r#"{"id":"K1","note":"1","phone":"0791234567","email":"anna@example.com"}"#;
    let again = r#"{"id":"K2","note":"\n","phone":"0791234568","email":"anna@example.com"}"#;
    let input = scratch.write("order.ndjson", order);
    let run = |name: &str, key: &str| {
        let pipeline = scratch.write(&format!("{name}.yaml"), pipeline(key));
        let site = TestPipeline { pipeline, state: scratch.path(name) };
        site.call(&["run"], &["--input", &input.to_string_lossy()])
    };
    let summary = run("plain", "id").exits(0).stdout;
    assert!(summary.contains("plain/K1 1'"), "{summary}");
    assert!(summary.contains("oms runs show"), "{summary}");
    assert!(!summary.contains("anna"), "{summary}");
    // An object key must not contain line breaks, so the second run is parked.
    scratch.write("order.ndjson", format!("{order}\n{again}\n"));
    let summary = run("phone", "phone").exits(1).stdout;
    assert!(summary.contains("oms objects list"), "{summary}");
    assert!(summary.contains("--cause out_of_range"), "{summary}");
    for personal in ["079", "anna"] {
        assert!(!summary.contains(personal), "{summary}");
    }
}
