//! `cargo xtask lambda`: tests the output of `oms generate lambda` with linters for CloudFormation,
//! builds it, deploys it to an emulator, and compares it with `oms run`.

use std::path::{Path, PathBuf};

use xtask::python;
use xtask::workspace::{LINTING, build, command, root, run as execute, say, scratch, variable};

use crate::background::Background;

/// Generate AWS Lambda handlers for the example pipelines, lint and build them, and process orders
/// on an emulator
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Measure size, cold start, memory and warm time of optimized handlers instead, without
    /// a pass or fail result
    #[arg(long)]
    measure: bool,
}

/// The example pipelines, a variant of the first one with a direct intake, and a variant of the
/// storefront with names of maximum length. Orders are processed by the handlers of `DIRECT` and
/// `storefront`.
const PIPELINES: [&str; 4] = ["order-management", DIRECT, LONG_NAMES, "storefront"];
const DIRECT: &str = "direct";
const LONG_NAMES: &str = "long-names";
/// The path of the crates, relative to a generated folder.
const CRATES: &str = "../../..";

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if args.measure { measure() } else { check() }
}

/// Runs all tests. Without Python, they are skipped with a message; in CI that is an error.
pub(crate) fn check() -> anyhow::Result<()> {
    let Some(emulator) = python::environment(python::SERVERS)? else { return Ok(()) };
    let oms = build()?;
    for pipeline in PIPELINES {
        generate(oms, pipeline)?;
    }
    lint()?;
    let python = emulator.join("bin/python3");
    let python = python.to_string_lossy();
    execute(&python, &["tests/emulator/self_test.py"])?;
    let corpus = variable("OMS_SHARED").map(|shared| format!("{shared}/data"));
    if corpus.is_none() {
        say("skipped: the large test data, because OMS_SHARED is not set; the samples are used");
    }
    let words_of = |program: &str, pipeline: &str, more: &[&str]| -> Vec<String> {
        let [program, generated, built] = [
            Path::new("tests/lambda").join(program),
            generated(pipeline),
            root().join("target/debug"),
        ]
        .map(|path| path.display().to_string());
        let mut words = vec![program.as_str(), "--generated", &generated, "--built", &built];
        words.extend(["--oms", oms, "--data-api", "target/debug/oms-data-api"]);
        words.extend(corpus.iter().flat_map(|corpus| ["--corpus", corpus]));
        words.iter().chain(more).map(ToString::to_string).collect()
    };
    let play = |program: &str, pipeline: &str, more: &[&str]| {
        let words = words_of(program, pipeline, more);
        execute(&python, &words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let quick = ["--config", "profile.dev.debug=false"];
    build_handlers("order-management", &quick)?;
    // The handlers of these pipelines have the same names, so `direct` is tested before
    // `storefront` is built.
    build_handlers(DIRECT, &quick)?;
    play("direct.py", DIRECT, &["--pipeline", &file(DIRECT)?])?;
    build_handlers("storefront", &quick)?;
    // These tests mostly wait, so the longest one runs beside the others.
    let words = words_of("end_to_end.py", "storefront", &[]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let longest = Background::run("end_to_end", &python, &words)?;
    let others = play("parameters.py", "storefront", &[])
        // Fewer orders, because failing services take time.
        .and_then(|()| play("faults.py", "storefront", &["--count", "60"]))
        .and_then(|()| follow_readme(oms, &python));
    longest.wait()?;
    others
}

/// Follows the README of the generated storefront with AWS's tools, including `sam build`.
fn follow_readme(oms: &str, python: &str) -> anyhow::Result<()> {
    let Some(tools) = python::environment(python::SAM)? else { return Ok(()) };
    let out = generated("readme");
    let out = out.to_string_lossy();
    execute(oms, &["generate", "lambda", &file("storefront")?, "--out", &out])?;
    let tools = tools.join("bin");
    let words = [
        "tests/lambda/readme.py",
        "--generated",
        &out,
        "--built",
        "target/debug",
        "--oms",
        oms,
        "--data-api",
        "target/debug/oms-data-api",
        "--tools",
        &tools.to_string_lossy(),
    ];
    let mut follow = command(python, &words);
    // Compiles faster. The optimization of the handlers is measured by `--measure`.
    for (name, value) in [("LTO", "off"), ("OPT_LEVEL", "0"), ("CODEGEN_UNITS", "16")] {
        follow.env(format!("CARGO_PROFILE_RELEASE_{name}"), value);
    }
    // The handlers are another workspace, without this project's lints.
    for (name, _) in LINTING {
        follow.env_remove(name);
    }
    say(&format!("$ {python} {}", words.join(" ")));
    anyhow::ensure!(follow.status()?.success(), "the generated README cannot be followed");
    Ok(())
}

fn generated(pipeline: &str) -> PathBuf {
    scratch("generated").join(pipeline)
}

/// Returns the path of a pipeline. A variant is derived from an example.
fn file(pipeline: &str) -> anyhow::Result<String> {
    match pipeline {
        DIRECT => {
            let direct = [("{key}\" }".to_owned(), "{key}\", mode: direct }".to_owned())];
            derive(pipeline, "order-management", &direct)
        }
        LONG_NAMES => derive(pipeline, "storefront", &long_names()),
        _ => Ok(format!("pipelines/{pipeline}.yaml")),
    }
}

/// Returns replacements that make the names of the storefront as long as the checks allow.
fn long_names() -> Vec<(String, String)> {
    // The name of the bucket in S3 has room for 34 characters of both names.
    let (name, bucket, topic) = ("n".repeat(31), "b".repeat(3), "t".repeat(200));
    let mut names = vec![
        ("name: storefront\n".to_owned(), format!("name: {name}\n")),
        ("bucket: orders".to_owned(), format!("bucket: {bucket}")),
        ("topic: order-captured".to_owned(), format!("topic: {topic}")),
    ];
    let step = "s".repeat(63);
    names.push(("\n  bill:\n".to_owned(), format!("\n  {step}:\n")));
    names.push(("[convert, bill]".to_owned(), format!("[convert, {step}]")));
    for handler in ["initiate-billing", "customer-communications"] {
        let long = format!("{handler}{}", "-h".repeat(32)).chars().take(64).collect();
        names.push((handler.to_owned(), long));
    }
    names
}

/// Writes a variant of an example pipeline with these replacements, and returns its path.
fn derive(
    pipeline: &str,
    example: &str,
    replacements: &[(String, String)],
) -> anyhow::Result<String> {
    let mut text = std::fs::read_to_string(root().join(format!("pipelines/{example}.yaml")))?;
    for (old, new) in replacements {
        anyhow::ensure!(text.contains(old), "the example {example} has changed: `{old}`");
        text = text.replace(old, new);
    }
    let up = "../../pipelines/";
    for before in [" ", "["] {
        let folder = format!("{before}{example}/");
        text = text.replace(&folder, &format!("{before}{up}{example}/"));
    }
    let text = text.replace("../templates", &format!("{up}../templates"));
    let file = scratch("generated").join(format!("{pipeline}.yaml"));
    std::fs::create_dir_all(scratch("generated"))?;
    std::fs::write(&file, text)?;
    Ok(file.to_string_lossy().into_owned())
}

/// Generates a fresh folder, and checks that `--check` then succeeds.
fn generate(oms: &str, pipeline: &str) -> anyhow::Result<()> {
    let file = file(pipeline)?;
    let out = generated(pipeline);
    let out = out.to_string_lossy();
    let mut words = vec!["generate", "lambda", &file, "--out", &out, "--crates", CRATES];
    let refreshed = ["storefront", LONG_NAMES].contains(&pipeline);
    words.extend(if refreshed { &["--rates", "refreshed"][..] } else { &[] });
    execute(oms, &words)?;
    words.push("--check");
    execute(oms, &words)
}

fn lint() -> anyhow::Result<()> {
    let Some(sam) = python::environment(python::SAM)? else { return Ok(()) };
    let Some(checkov) = python::environment(python::CHECKOV)? else { return Ok(()) };
    let program = |environment: &Path, name: &str| {
        environment.join("bin").join(name).to_string_lossy().into_owned()
    };
    for pipeline in PIPELINES {
        let template = generated(pipeline).join("template.yaml");
        let template = template.to_string_lossy();
        execute(&program(&sam, "cfn-lint"), &[&template])?;
        let mut validate = command(
            &program(&sam, "sam"),
            &["validate", "--lint", "--region", "us-east-1", "--template", &template],
        );
        validate.env("SAM_CLI_TELEMETRY", "0");
        say(&format!("$ sam validate --lint --template {template}"));
        anyhow::ensure!(validate.status()?.success(), "`sam validate` failed");
        let config = ["--config-file", "tests/lambda/checkov.yaml", "--file", &template];
        execute(&program(&checkov, "checkov"), &config)?;
    }
    Ok(())
}

/// Builds the handlers with the versions of this workspace, whose lock file contains all of them.
fn build_handlers(pipeline: &str, how: &[&str]) -> anyhow::Result<()> {
    let folder = generated(pipeline);
    std::fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    let manifest = folder.join("Cargo.toml");
    // The crates that the project's own programs link with the same features are not built again.
    let target = root().join("target");
    let [manifest, target] = [manifest, target].map(|path| path.to_string_lossy().into_owned());
    let places = ["--manifest-path", &manifest, "--target-dir", &target];
    let words = [&["build", "--quiet"][..], how, &places].concat();
    say(&format!("$ cargo {}", words.join(" ")));
    let mut build = command("cargo", &words);
    // The handlers are another workspace, without this project's lints.
    for (name, _) in LINTING {
        build.env_remove(name);
    }
    anyhow::ensure!(build.status()?.success(), "the handlers of {pipeline} cannot be built");
    Ok(())
}

/// The resources for a measurement, in which constant responses replace AWS.
const RESOURCES: &str = r#"{"buckets":{"orders":"orders","rates":"rates"},"cluster":"arn:aws:rds:us-east-1:000000000000:cluster:c","secret":"arn:aws:secretsmanager:us-east-1:000000000000:secret:s","database":"oms","configuration_set":"set"}"#;

/// Measures the storefront's handlers, and a handler in Python for comparison.
fn measure() -> anyhow::Result<()> {
    let Some(python) = python::environment(python::SERVERS)? else { return Ok(()) };
    generate(build()?, "storefront")?;
    build_handlers("storefront", &["--release"])?;
    let (built, generated) = (root().join("target/release"), generated("storefront"));
    let mut words = vec!["tests/lambda/cold_start.py".to_owned(), "--python".to_owned()];
    for name in ["intake", "initiate-billing", "customer-communications", "reconcile"] {
        let event = generated.join("events").join(format!("{name}.json"));
        words.extend(["--program".to_owned(), format!("{name}={}", built.join(name).display())]);
        words.extend(["--event".to_owned(), format!("{name}={}", event.display())]);
    }
    let order = "pipelines/storefront/samples/NW-10248.json";
    words.extend(["--order".to_owned(), order.to_owned()]);
    for variable in [
        format!("OMS_RESOURCES={RESOURCES}"),
        "OMS_QUEUE=http://127.0.0.1:1/000000000000/orders".to_owned(),
        "OMS_DEAD_LETTERS=http://127.0.0.1:1/000000000000/dead".to_owned(),
        "OMS_QUEUES=http://127.0.0.1:1/000000000000/orders".to_owned(),
        "OMS_RECONCILE_AGE=60".to_owned(),
        "OMS_RECONCILE_DAYS=14".to_owned(),
    ] {
        words.extend(["--env".to_owned(), variable]);
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    execute(&python.join("bin/python3").to_string_lossy(), &words)
}
