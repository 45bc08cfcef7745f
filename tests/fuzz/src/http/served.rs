//! A site with one pipeline, an order and a session of the console.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use oms_clock::SystemClock;
use oms_engine::document::MemoryFiles;
use oms_engine::effects::{Clock as _, NoServices};
use oms_engine::plan::{Checker, Plan};
use oms_engine::step::Registry;
use oms_runtime::{Runner, Settings};
use oms_serve::{Inspection, InvalidPipeline, Opened, Reloaded, Routes, Site, Source};
use oms_sqlite::{Keys, Scope};

use super::exchange;

/// The customer of the first order, in lower case.
pub(super) const CUSTOMER: &[u8] = b"confidential-customer";

const FILE: &str = "fuzz.yaml";
const ORDER: &str =
    r#"{"id":"A-1","customer":"Confidential-Customer","amount":"12.50","currency":"EUR"}"#;
/// Number of inputs after which a new session starts. Otherwise the sessions of other inputs would
/// replace it.
const INPUTS_PER_SESSION: usize = 500;

/// A site, and the API key and the session of its client.
pub(super) struct Served {
    routes: Routes,
    /// The API key. Empty if the site requires none.
    key: String,
    session: Mutex<Option<Session>>,
}

#[derive(Clone)]
struct Session {
    cookie: String,
    csrf: String,
    inputs: usize,
}

/// Returns the folder for the states of this process, and deletes those of earlier processes.
pub(super) fn folder() -> PathBuf {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/fuzz-http");
    for entry in std::fs::read_dir(&all).into_iter().flatten().flatten() {
        if !Path::new("/proc").join(entry.file_name()).exists() {
            // Another process may be deleting it.
            let _deleted = std::fs::remove_dir_all(entry.path());
        }
    }
    all.join(std::process::id().to_string())
}

impl Served {
    /// Starts a site on a new state and sends the first order.
    pub(super) async fn start(directory: &Path, needs_key: bool) -> Self {
        std::fs::create_dir_all(directory).expect("the folder can be created");
        let mut key = String::new();
        let source = Arc::new(InMemory::new());
        let plan = source.plan();
        let settings = Settings { concurrency: 4, ..Settings::new(SystemClock) };
        let runner = Runner::open(directory, &plan, &source.checker, FILE, &source.files, settings);
        let runner = runner.expect("the state is new");
        if needs_key {
            let keys = Keys::of(directory);
            key = keys.add("fuzz", Scope::Admin, SystemClock.now()).expect("the state is new").1;
        }
        let opened =
            Opened { plan, runner, directory: directory.to_owned(), source, verifier: None };
        let address = ([127, 0, 0, 1], 8080).into();
        let (site, workers) =
            Site::start(vec![opened], address, false, false).expect("the pipeline is served");
        // The runner must not stop before the process ends.
        std::mem::forget(workers);
        let served = Self { routes: Routes::of(&site), key, session: Mutex::default() };
        let order = format!(
            "PUT /fuzz/orders/A-1 HTTP/1.1\r\nhost: localhost\r\nx-api-key: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ORDER}",
            served.key,
            ORDER.len()
        );
        let answer = served.send(&order).await;
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
        served
    }

    pub(super) const fn routes(&self) -> &Routes {
        &self.routes
    }

    pub(super) const fn needs_key(&self) -> bool {
        !self.key.is_empty()
    }

    /// Replaces the placeholders in an input. Also returns whether the input contains a secret.
    pub(super) async fn fill_in(&self, data: &[u8]) -> (Vec<u8>, bool) {
        let session = self.session().await;
        let mut input = data.to_vec();
        for (name, value) in
            [("@key@", &self.key), ("@cookie@", &session.cookie), ("@csrf@", &session.csrf)]
        {
            replace(&mut input, name, |_| value.clone());
        }
        let is_secret = input != data;
        replace(&mut input, "@length@", |after| {
            let body = after.windows(4).position(|end| end == b"\r\n\r\n");
            body.map_or(0, |at| after.len() - at - 4).to_string()
        });
        (input, is_secret)
    }

    /// Forgets the session, so that the next input gets a new one.
    pub(super) fn end_session(&self) {
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Returns the session, or starts one.
    async fn session(&self) -> Session {
        let known = self.session.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut session = match known.filter(|session| session.inputs < INPUTS_PER_SESSION) {
            Some(session) => session,
            None => self.log_in().await,
        };
        session.inputs += 1;
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(session.clone());
        session
    }

    /// Starts a session as a browser does.
    async fn log_in(&self) -> Session {
        let page = |path: &str, cookie: &str| {
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\ncookie: {cookie}\r\n\r\n")
        };
        let answer = self.send(&page("/console/login", "")).await;
        let (mut cookie, csrf) = (cookie(&answer), csrf(&answer));
        if !self.key.is_empty() {
            let form = format!("csrf={csrf}&key={}", self.key);
            let answer = self
                .send(&format!(
                    "POST /console/login HTTP/1.1\r\nhost: localhost\r\ncookie: {cookie}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
                    form.len()
                ))
                .await;
            cookie = self::cookie(&answer);
        }
        let answer = self.send(&page("/console/fuzz/runs", &cookie)).await;
        Session { cookie, csrf: self::csrf(&answer), inputs: 0 }
    }

    async fn send(&self, request: &str) -> String {
        String::from_utf8(exchange(self, request.as_bytes()).await).expect("the answer is text")
    }
}

/// Replaces a placeholder. `value` receives the bytes after it.
fn replace(input: &mut Vec<u8>, name: &str, value: impl Fn(&[u8]) -> String) {
    let find = |input: &[u8]| input.windows(name.len()).position(|part| part == name.as_bytes());
    while let Some(at) = find(input) {
        let value = value(&input[at + name.len()..]);
        input.splice(at..at + name.len(), value.into_bytes());
    }
}

/// Returns the cookie that an answer sets.
fn cookie(answer: &str) -> String {
    between(answer, "set-cookie: ", ";")
}

/// Returns the CSRF token in a page.
fn csrf(answer: &str) -> String {
    between(answer, "name=\"csrf\" value=\"", "\"")
}

fn between(text: &str, before: &str, after: &str) -> String {
    let rest = text.split_once(before).map(|(_, rest)| rest);
    let found = rest.and_then(|rest| rest.split_once(after)).map(|(found, _)| found.to_owned());
    found.unwrap_or_else(|| panic!("`{before}` is missing: {text}"))
}

/// The pipeline of the sites, in memory.
struct InMemory {
    checker: Arc<Checker>,
    files: MemoryFiles,
}

impl InMemory {
    fn new() -> Self {
        let registry = Registry::new(oms_steps::ALL.iter().copied()).expect("distinct kinds");
        let checker = Checker::new(registry).expect("the schemas of the kinds are valid");
        let files = [
            (FILE, include_str!("pipeline.yaml")),
            ("mail/hello/subject.hbs", "Order {{id}}"),
            ("mail/hello/body.html.hbs", "<p>Hello {{id}}</p>"),
            ("mail/hello/body.txt.hbs", "Hello {{id}}"),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), Arc::from(text.as_bytes())));
        Self { checker: Arc::new(checker), files: MemoryFiles::new(files) }
    }

    fn plan(&self) -> Arc<Plan> {
        let checked = self.checker.check(FILE, &self.files);
        Arc::new(checked.plan.unwrap_or_else(|| panic!("{:?}", checked.report.diagnostics())))
    }
}

impl Source for InMemory {
    fn reload(&self) -> Result<Reloaded, InvalidPipeline> {
        let seeds = MemoryFiles::default();
        let services = Arc::new(NoServices("no services"));
        Ok(Reloaded { plan: self.plan(), file: FILE.to_owned(), seeds, services })
    }

    fn name(&self) -> String {
        FILE.to_owned()
    }

    fn draw(&self, _: &Plan) -> String {
        "<svg></svg>".to_owned()
    }

    fn mails(&self, _: &Arc<Plan>) -> Vec<(String, Vec<String>)> {
        vec![("hello".to_owned(), vec!["en".to_owned()])]
    }

    fn mail(&self, _: &Arc<Plan>, template: &str, locale: &str) -> Option<String> {
        (template == "hello" && locale == "en").then(|| "<p>Hello A-1</p>".to_owned())
    }

    fn report(&self, _: &str) {}

    fn inspect(&self) -> Inspection {
        let text = include_str!("pipeline.yaml").to_owned();
        Inspection { text, findings: Vec::new(), others: Vec::new() }
    }
}
