//! `cargo xtask browser`: tests the overview page of all e-mails and the live preview in a real
//! browser (Debian's Chromium, driven by npm's `playwright-core`).

use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use anyhow::Context as _;

use crate::debian;
use crate::npm;
use xtask::workspace::{
    build, command, copy, quietly, root, run as execute, say, scratch, variable,
};

/// Open the e-mails and the live preview in Chromium
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also save screenshots of the storefront's e-mails in English, Japanese and Arabic, at three
    /// widths, light and dark, in this folder
    #[arg(long, value_name = "DIR")]
    shots: Option<PathBuf>,
}

/// The pipeline of each overview page, and its orders if they are not the samples.
const MATRICES: [(&str, Option<&str>); 3] = [
    ("order-management", None),
    ("storefront", None),
    ("storefront", Some("pipelines/storefront/edge-cases.ndjson")),
];

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let Some(driver) = driver()? else { return Ok(()) };
    let oms = build()?;
    match &args.shots {
        Some(folder) => shots(oms, &driver, folder),
        None => matrices(oms, &driver).and_then(|()| live(oms, &driver)),
    }
}

/// Runs the tests. They are skipped if a program is missing and cannot be installed; in CI that is
/// an error.
pub(crate) fn check() -> anyhow::Result<()> {
    run(&Args { shots: None })
}

/// Returns the folder of the browser driver, if there is a browser.
pub(crate) fn driver() -> anyhow::Result<Option<String>> {
    // Without this font, Japanese e-mails show placeholder boxes with meaningless widths.
    if !debian::installed("chromium", &["--version"], &["chromium", "fonts-ipafont-gothic"]) {
        let ci = variable("CI").is_some_and(|value| value == "true");
        anyhow::ensure!(!ci, "the browser tests need chromium");
        say("skipped: the browser tests, because chromium is missing and could not be installed");
        return Ok(None);
    }
    let driver = npm::package("the browser tests", "playwright-core", "1.65.1")?;
    Ok(driver.map(|folder| folder.to_string_lossy().into_owned()))
}

fn script(name: &str) -> String {
    root().join("tests/browser").join(name).to_string_lossy().into_owned()
}

fn matrices(oms: &str, driver: &str) -> anyhow::Result<()> {
    for (position, (pipeline, orders)) in MATRICES.iter().enumerate() {
        let folder = scratch("browser").join(format!("matrix-{position}"));
        let file = format!("pipelines/{pipeline}.yaml");
        let out = folder.to_string_lossy();
        let mut words = vec!["render-email", "preview", &file, "--matrix", "--out", &out];
        words.extend(orders.iter().flat_map(|orders| ["--order", orders]));
        quietly(oms, &words)?;
        let page = folder.join("matrix.html");
        execute("node", &[&script("matrix.mjs"), driver, &page.to_string_lossy()])?;
    }
    Ok(())
}

/// A process that ends with its test.
struct Background(Child);

impl Drop for Background {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

fn live(oms: &str, driver: &str) -> anyhow::Result<()> {
    let folder = scratch("browser").join("live");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    for name in ["pipelines", "templates"] {
        copy(&root().join(name), &folder.join(name))?;
    }
    let mut oms = command(
        &root().join(oms).to_string_lossy(),
        &["render-email", "preview", "pipelines/storefront.yaml", "--serve", "127.0.0.1:0"],
    );
    let mut server = Background(oms.current_dir(&folder).stdout(Stdio::piped()).spawn()?);
    let stdout = server.0.stdout.take().context("the preview has no output")?;
    let mut address = String::new();
    std::io::BufReader::new(stdout).read_line(&mut address)?;
    let folder = folder.to_string_lossy();
    execute("node", &[&script("live.mjs"), driver, address.trim(), &folder])
}

fn shots(oms: &str, driver: &str, folder: &Path) -> anyhow::Result<()> {
    let mut mails = Vec::new();
    for locale in ["en", "ja", "ar"] {
        let out = scratch("browser").join("shots").join(locale);
        let shown = out.to_string_lossy();
        let preview = ["render-email", "preview", "pipelines/storefront.yaml"];
        quietly(oms, &[&preview[..], &["--locale", locale, "--out", &shown]].concat())?;
        let named = out.join(format!("storefront-{locale}.html"));
        std::fs::rename(out.join("NW-10248.confirm.html"), &named)?;
        mails.push(named.to_string_lossy().into_owned());
    }
    std::fs::create_dir_all(folder)?;
    let (shots, folder) = (script("shots.mjs"), folder.to_string_lossy());
    let words =
        [shots.as_str(), driver, &folder].into_iter().chain(mails.iter().map(AsRef::as_ref));
    execute("node", &words.collect::<Vec<_>>())
}
