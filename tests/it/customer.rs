//! Customer search in the console: it finds orders by the customer data in orders and tables, and
//! no longer finds them after the data is erased.

use rusqlite::Connection;
use serde_json::{Value as Json, json};

use crate::harness::{Scratch, TestPipeline, database_bytes, root};
use crate::serve::server::Server;

/// A user of the console who searches with its forms.
struct ConsoleUser<'a> {
    server: &'a Server,
    cookie: String,
    csrf: String,
}

impl<'a> ConsoleUser<'a> {
    fn open(server: &'a Server) -> Self {
        let page = server.get(&runs(server)).is(200);
        let cookie = page.header("set-cookie").and_then(|cookie| cookie.split(';').next());
        let csrf = page.body.split("name=\"csrf\" value=\"").nth(1);
        let csrf = csrf.and_then(|rest| rest.split('"').next()).unwrap().to_owned();
        Self { server, cookie: format!("cookie: {}", cookie.unwrap()), csrf }
    }

    /// Returns the keys of a customer's runs in the order of the page.
    fn search(&self, customer: &str) -> Vec<String> {
        let form = form_urlencoded(&[("csrf", &self.csrf), ("customer", customer)]);
        let headers = ["content-type: application/x-www-form-urlencoded", &self.cookie];
        let page = self.server.call("POST", &runs(self.server), &headers, form.as_bytes()).is(200);
        assert!(page.body.contains("Customer search: "), "{}", page.body);
        assert!(!page.body.contains("may be missing"), "{}", page.body);
        let rows = page.body.split("scope=\"row\"").skip(1);
        rows.map(|row| row.split_once("<bdi>").unwrap().1.split_once('<').unwrap().0.to_owned())
            .collect()
    }
}

fn runs(server: &Server) -> String {
    let name = server.site.pipeline.file_stem().unwrap().to_string_lossy().into_owned();
    format!("/console/{name}/runs")
}

/// Encodes a form as `application/x-www-form-urlencoded` (WHATWG URL, 5).
fn form_urlencoded(pairs: &[(&str, &str)]) -> String {
    let part = |text: &str| -> String {
        let byte = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        };
        text.bytes().map(byte).collect()
    };
    let pair = |(name, value): &(&str, &str)| format!("{}={}", part(name), part(value));
    pairs.iter().map(pair).collect::<Vec<_>>().join("&")
}

fn order_management(scratch: &Scratch) -> TestPipeline {
    TestPipeline::order_management(scratch.path("state"))
}

fn put(server: &Server, key: &str, customer: &str, name: &str) {
    let sample = std::fs::read(root().join("pipelines/order-management/samples/A1.json")).unwrap();
    let mut order: Json = serde_json::from_slice(&sample).unwrap();
    order["customerId"] = json!(customer);
    order["customerName"] = json!(name);
    let body = serde_json::to_vec(&order).unwrap();
    let kind = ["content-type: application/json"];
    server.call("PUT", &format!("/order/{key}"), &kind, &body).is(201);
}

#[test]
fn customer_search_ignores_case_and_accents_and_includes_tables() {
    let scratch = Scratch::new();
    let server = Server::start(order_management(&scratch), &[]);
    put(&server, "K1", "A1", "José  Müller-Peña");
    put(&server, "K2", "A2", "JOSE O'Hara \"Joe\" %");
    put(&server, "K3", "A1", "somebody");
    put(&server, "K4", "A7", "of A1 street");
    let user = ConsoleUser::open(&server);
    let all: [(&str, &[&str]); 12] = [
        ("josé", &["K2", "K1"]),
        ("JOSE müller", &["K1"]),
        ("Peña José", &["K1"]),
        ("pen", &["K1"]),
        ("eña", &[]),
        ("o'hara", &["K2"]),
        ("jose \"joe\"", &["K2"]),
        ("jose AND nobody", &[]),
        ("NEAR(jose)", &[]),
        ("* %_\\", &[]),
        // The e-mail address is only in the pipeline's table, not in the orders.
        ("john.doe@", &["K3", "K1"]),
        ("a1 some", &["K3"]),
    ];
    for (text, keys) in all {
        assert_eq!(user.search(text), keys, "{text}");
    }
}

#[test]
fn the_search_index_drops_erased_customers_and_is_rebuilt_when_damaged() {
    let scratch = Scratch::new();
    let server = Server::start(order_management(&scratch), &[]);
    put(&server, "K1", "A1", "Remembered Nowhere");
    put(&server, "K2", "A2", "Remembered Elsewhere");
    assert_eq!(ConsoleUser::open(&server).search("remembered"), ["K2", "K1"]);
    let is_indexed = || {
        let bytes = database_bytes(&server.site.state.join("search.db"));
        bytes.windows(7).any(|part| part.eq_ignore_ascii_case(b"nowhere"))
    };
    assert!(is_indexed(), "the name is not in the index");
    server.site.call(&["forget"], &["A1", "--yes"]).exits(0);
    assert_eq!(ConsoleUser::open(&server).search("remembered"), ["K2"]);
    assert!(!is_indexed(), "the erased name is still in the index");
    server.end().exits(0);
    let index = scratch.path("state").join("search.db");
    let whole = std::fs::read(&index).unwrap();
    let other = b"this file is not a database, only some text that replaces its content".to_vec();
    let begun = [&whole[..4_096], &vec![b'?'; whole.len() - 4_096]].concat();
    // Damages only the indexed words, which are not read before the first search.
    let mut words = whole.clone();
    for at in 0..whole.len() - 10 {
        if whole[at..].starts_with(b"remembered") {
            words[at - 2..at + 10].fill(0xFF);
        }
    }
    assert!(words != whole, "the indexed words are not in the file");
    for damaged in [other, begun, words, whole[..whole.len() / 2].to_vec()] {
        std::fs::write(&index, damaged).unwrap();
        let server = Server::start(order_management(&scratch), &[]);
        assert_eq!(ConsoleUser::open(&server).search("remembered"), ["K2"]);
        server.end().exits(0);
    }
    // An index that cannot be rebuilt prevents searches and `forget`, but does not affect orders.
    std::fs::remove_file(&index).unwrap();
    std::fs::create_dir(&index).unwrap();
    let server = Server::start(order_management(&scratch), &[]);
    put(&server, "K3", "A3", "Nobody");
    let refused = server.site.call(&["forget"], &["A3", "--yes"]).exits(4);
    assert!(refused.stderr.contains("search.db"), "{}", refused.stderr);
    server.end().exits(0);
    std::fs::remove_dir(&index).unwrap();
    let server = Server::start(order_management(&scratch), &[]);
    assert_eq!(ConsoleUser::open(&server).search("remembered"), ["K2"]);
    server.end().exits(0);
}

#[test]
fn search_matches_the_state_after_a_restore() {
    let scratch = Scratch::new();
    let copy = scratch.path("copy.db");
    let server = Server::start(order_management(&scratch), &[]);
    put(&server, "K1", "A1", "Remembered Nowhere");
    put(&server, "K2", "A2", "Remembered Elsewhere");
    assert_eq!(ConsoleUser::open(&server).search("remembered"), ["K2", "K1"]);
    server.site.call(&["db", "backup"], &[&copy.to_string_lossy()]).exits(0);
    let back = |server: Server| {
        let TestPipeline { pipeline, state } = &server.site;
        let site = TestPipeline { pipeline: pipeline.clone(), state: state.clone() };
        server.end().exits(0);
        site.call(&["db", "restore"], &[&copy.to_string_lossy()]).exits(0);
    };
    // The restored state has more runs than the index.
    server.site.call(&["forget"], &["A1", "--yes"]).exits(0);
    assert_eq!(ConsoleUser::open(&server).search("remembered"), ["K2"]);
    back(server);
    let server = Server::start(order_management(&scratch), &[]);
    assert_eq!(ConsoleUser::open(&server).search("remembered"), ["K2", "K1"]);
    // The restored state has fewer runs than the index.
    put(&server, "K3", "A3", "Remembered Last");
    assert_eq!(ConsoleUser::open(&server).search("remembered"), ["K3", "K2", "K1"]);
    back(server);
    let server = Server::start(order_management(&scratch), &[]);
    put(&server, "K4", "A4", "Remembered Later");
    assert_eq!(ConsoleUser::open(&server).search("remembered"), ["K4", "K2", "K1"]);
    // The restored state has as many runs as the index, but different ones.
    back(server);
    let order = root().join("pipelines/order-management/samples/A2.json");
    order_management(&scratch).run(&order);
    let server = Server::start(order_management(&scratch), &[]);
    assert_eq!(ConsoleUser::open(&server).search("Nancy Shaw"), ["A2", "K2"]);
    assert_eq!(ConsoleUser::open(&server).search("later"), [""; 0]);
}

#[test]
fn an_index_in_the_first_format_is_rebuilt() {
    let scratch = Scratch::new();
    let server = Server::start(order_management(&scratch), &[]);
    put(&server, "K1", "A1", "Remembered Nowhere");
    server.end().exits(0);
    let path = scratch.path("state").join("search.db");
    for end in ["", "-wal", "-shm"] {
        let _missing = std::fs::remove_file(scratch.path(&format!("state/search.db{end}")));
    }
    let index = Connection::open(&path).unwrap();
    index
        .execute_batch(
            "create virtual table orders using fts5(said, tokenize = 'unicode61 remove_diacritics 2');
             create table upto (run integer not null, digest blob not null, fields text not null) strict;
             insert into upto values (0, x'', '');
             pragma user_version = 1;",
        )
        .unwrap();
    drop(index);
    let server = Server::start(order_management(&scratch), &[]);
    assert_eq!(ConsoleUser::open(&server).search("remembered"), ["K1"]);
    server.end().exits(0);
    let format: i64 = Connection::open(&path)
        .unwrap()
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(format, 2);
}
