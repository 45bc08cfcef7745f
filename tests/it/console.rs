//! Tests of the console and the HTTP server: access, contents of pages, and consistency of counts.

use serde_json::{Value as Json, json};

use crate::harness::{Scratch, TestPipeline, command, database_bytes, root};
use crate::serve::server::{HttpResponse, Server};

/// A minimal browser that keeps its cookie and sends the CSRF token with forms.
struct Browser {
    cookie: String,
    csrf: String,
}

/// Returns the text between two markers on a page.
fn between<'p>(page: &'p str, before: &str, after: &str) -> Option<&'p str> {
    page.split_once(before)?.1.split_once(after).map(|(found, _)| found)
}

impl Browser {
    /// Opens a page for the first time.
    fn open(server: &Server, path: &str) -> Self {
        let response = server.get(path);
        let cookie = response.header("set-cookie").and_then(|cookie| cookie.split(';').next());
        let mut browser =
            Self { cookie: format!("cookie: {}", cookie.unwrap()), csrf: String::new() };
        let page = match response.header("location") {
            Some(location) => browser.get(server, location).body,
            None => response.body,
        };
        browser.csrf = between(&page, "name=\"csrf\" value=\"", "\"").unwrap().to_owned();
        browser
    }

    fn get(&self, server: &Server, path: &str) -> HttpResponse {
        server.call("GET", path, &[&self.cookie], b"")
    }

    fn post(&self, server: &Server, path: &str, fields: &str) -> HttpResponse {
        let kind = "content-type: application/x-www-form-urlencoded";
        let form = format!("csrf={}&{fields}", self.csrf);
        server.call("POST", path, &[kind, &self.cookie], form.as_bytes())
    }

    /// Sends a form, follows the redirect and returns the page.
    fn submit(&self, server: &Server, path: &str, fields: &str) -> String {
        let response = self.post(server, path, fields).is(303);
        self.get(server, response.header("location").unwrap()).is(200).body
    }

    /// Logs in and returns the redirect target.
    fn log_in(&mut self, server: &Server, secret: &str) -> String {
        let response = self.post(server, "/console/login", &format!("key={secret}")).is(303);
        let cookie = response.header("set-cookie").and_then(|cookie| cookie.split(';').next());
        self.cookie = format!("cookie: {}", cookie.unwrap());
        let page = self.get(server, "/console/storefront/").is(200).body;
        self.csrf = between(&page, "name=\"csrf\" value=\"", "\"").unwrap().to_owned();
        response.header("location").unwrap().to_owned()
    }
}

fn order(key: &str) -> Json {
    let text = std::fs::read(root().join("pipelines/storefront/samples/NW-10248.json")).unwrap();
    let mut order: Json = serde_json::from_slice(&text).unwrap();
    order["order_id"] = json!(key);
    order
}

fn put(server: &Server, order: &Json) {
    let key = order["order_id"].as_str().unwrap();
    server.put(key, &serde_json::to_vec(order).unwrap()).is(201);
}

/// Sends orders that are parked because their customer is unknown or their currency has no rate.
fn put_parked(server: &Server) {
    for key in ["lost-1", "lost-2"] {
        let mut order = order(key);
        order["customer_id"] = json!("nobody");
        put(server, &order);
    }
    let mut poor = order("poor-1");
    poor["currency"] = json!("VES");
    put(server, &poor);
}

/// Waits until a new key takes effect.
fn wait_until_key_required(server: &Server) {
    let asked = (0..60).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        server.get("/console/storefront/").status == 303
    });
    assert!(asked, "the server never asked for a key");
}

#[test]
fn forwarded_requests_are_rejected_only_without_keys() {
    let scratch = Scratch::new();
    let server = Server::start(TestPipeline::storefront(scratch.path("state")), &[]);
    put(&server, &order("A"));
    let paths =
        ["/storefront/order/A", "/metrics", "/console/storefront/", "/console/storefront/runs/A"];
    let proxies = [
        "forwarded: for=203.0.113.7",
        "x-forwarded-for: 203.0.113.7",
        "X-Forwarded-Proto: https",
        "x-forwarded-host: shop.example",
        "x-real-ip: 203.0.113.7",
        "via: 1.1 proxy",
    ];
    for path in paths {
        server.get(path).is(200);
        for header in proxies {
            let refused = server.call("GET", path, &[header], b"").is(403);
            assert_eq!(refused.header("content-type"), Some("application/problem+json"), "{path}");
            assert!(refused.body.contains("oms keys add"), "{path}: {}", refused.body);
        }
    }
    let headers = ["content-type: application/json", proxies[1]];
    let body = serde_json::to_vec(&order("B")).unwrap();
    server.call("PUT", "/storefront/order/B", &headers, &body).is(403);
    server.call("POST", "/storefront/order", &headers, &body).is(403);
    assert_eq!(server.site.count("select count(*) from oms_runs"), 1);
    let secret = server.site.call(&["keys", "add"], &["--scope", "admin", "ann"]).exits(0).stdout;
    wait_until_key_required(&server);
    let key = format!("x-api-key: {}", secret.trim());
    for path in ["/storefront/order/A", "/metrics"] {
        server.call("GET", path, &[proxies[1], &key], b"").is(200);
    }
    server.call("GET", "/console/storefront/", &[proxies[1]], b"").is(303);
}

#[test]
fn a_key_gives_access_to_the_metrics_of_its_own_pipeline() {
    let scratch = Scratch::with_pipelines();
    let pipelines = ["storefront", "order-management"];
    let [one, two] = pipelines.map(|name| scratch.path(&format!("pipelines/{name}.yaml")));
    let server = Server::of(&[&one, &two]);
    server.get("/healthz").is(200);
    let all = server.get("/metrics").is(200).body;
    for part in
        ["pipeline=\"storefront\"", "pipeline=\"order-management\"", "oms_http_requests_total{"]
    {
        assert!(all.contains(part), "{part}: {all}");
    }
    let keys: Vec<String> = [&one, &two]
        .into_iter()
        .map(|pipeline| {
            let output =
                command().args(["keys", "add"]).arg(pipeline).arg("shop").output().unwrap();
            format!("x-api-key: {}", String::from_utf8(output.stdout).unwrap().trim())
        })
        .collect();
    let refused = (0..60).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        server.get("/metrics").status == 401
    });
    assert!(refused, "the server returned the metrics without a key");
    for (key, (own, other)) in
        keys.iter().zip([(pipelines[0], pipelines[1]), (pipelines[1], pipelines[0])])
    {
        let metrics = server.call("GET", "/metrics", &[key], b"").is(200).body;
        assert!(metrics.contains(&format!("oms_runs_open{{pipeline=\"{own}\"")), "{metrics}");
        assert!(
            !metrics.contains(other) && !metrics.contains("oms_http_requests_total{"),
            "{metrics}"
        );
    }
}

#[test]
fn metrics_have_the_requested_format() {
    let scratch = Scratch::new();
    let server = Server::start(TestPipeline::storefront(scratch.path("state")), &[]);
    put(&server, &order("A"));
    let text = server.get("/metrics").is(200);
    assert_eq!(text.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(text.body.contains("# TYPE oms_orders_total counter\n"), "{}", text.body);
    assert!(!text.body.contains("# EOF"), "{}", text.body);
    let accept = ["accept: application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1"];
    let open = server.call("GET", "/metrics", &accept, b"").is(200);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((open.header("content-type"), open.header("vary")), (Some(kind), Some("Accept")));
    assert!(open.body.contains("# TYPE oms_orders counter\n") && open.body.ends_with("# EOF\n"));
}

#[test]
fn malformed_requests_get_a_problem_document() {
    let scratch = Scratch::new();
    let server = Server::start(TestPipeline::storefront(scratch.path("state")), &[]);
    let many = "x: y\r\n".repeat(100);
    for (head, status) in [
        ("HELO x\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nhost: localhost\r\nx y: z\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\nhost: localhost\r\n{many}\r\n"), 431),
    ] {
        let response = server.raw(head.as_bytes()).is(status);
        assert_eq!(
            response.header("content-type"),
            Some("application/problem+json"),
            "{response:?}"
        );
        assert_eq!(
            (&response.json()["status"], &response.json()["type"]),
            (&json!(status), &json!("about:blank"))
        );
        assert!(response.json()["detail"].is_string(), "{response:?}");
        assert_eq!(response.header("connection"), Some("close"));
    }
    // A malformed second request does not change the response to the first one.
    let two = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\nHELO x\r\n\r\n";
    assert!(server.raw(two.as_bytes()).is(200).body.contains("ok"));
}

#[test]
fn unknown_console_paths_are_pages_and_login_returns_to_the_requested_page() {
    let scratch = Scratch::new();
    let server = Server::start(TestPipeline::storefront(scratch.path("state")), &[]);
    put(&server, &order("A"));
    let is_page = |response: HttpResponse, status: u16| {
        let response = response.is(status);
        let kind = response.header("content-type");
        assert!(kind.is_some_and(|kind| kind.starts_with("text/html")), "{response:?}");
        assert!(response.body.contains("<h1>"), "{response:?}");
    };
    for path in [
        "/console/nothing",
        "/console/nothing/",
        "/console/console.map",
        "/console/storefront/nothing",
        "/console/storefront/runs/A/b/c/d",
        "/console/storefront/runs/A/mail/x",
    ] {
        is_page(server.get(path), 404);
    }
    is_page(server.get("/console/%ff/"), 400);
    is_page(server.call("DELETE", "/console/storefront/runs/A", &[], b""), 405);
    is_page(server.call("PUT", "/console/nothing", &[], b""), 404);
    for path in ["/console/storefront/runs?key=a&key=b", "/console/storefront/audit?before=x"] {
        is_page(server.get(path), 200);
    }
    let form = ["content-type: application/x-www-form-urlencoded", "origin: https://evil.example"];
    is_page(server.call("POST", "/console/login", &form, b"key=x"), 403);
    server.get("/elsewhere").is(404).json();
    let secret = server.site.call(&["keys", "add"], &["--scope", "admin", "ann"]).exits(0).stdout;
    wait_until_key_required(&server);
    for (asked, leads) in [
        (
            "/console/storefront/runs?state=parked&key=A",
            "/console/storefront/runs?state=parked&key=A",
        ),
        ("/console/storefront/runs/A", "/console/storefront/runs/A"),
        ("/console/storefront/live", "/console/storefront/"),
        ("/console/login", "/console/storefront/"),
        ("/console/login?next=https://evil.example/", "/console/storefront/"),
        ("/console/storefront//evil.example", "/console/storefront/"),
    ] {
        let mut browser = Browser::open(&server, asked);
        let wrong = browser.post(&server, "/console/login", "key=wrong");
        assert!(wrong.body.contains("not an admin key"), "{wrong:?}");
        is_page(wrong, 403);
        assert_eq!(browser.log_in(&server, secret.trim()), leads, "{asked}");
    }
}

#[test]
fn a_run_shows_when_its_steps_started_and_only_a_hidden_email_can_be_revealed() {
    let scratch = Scratch::new();
    let server = Server::start(TestPipeline::storefront(scratch.path("state")), &[]);
    let headers = ["content-type: application/json", "prefer: wait=30"];
    let order = serde_json::to_vec(&order("A")).unwrap();
    let done = server.call("PUT", "/storefront/order/A", &headers, &order).is(201);
    assert_eq!(done.json()["state"], "completed");
    let run = server.get("/console/storefront/runs/A").is(200).body;
    assert!(run.contains("<dt>Started</dt><dd><time datetime=\"20"), "{run}");
    let hidden = server.get("/console/storefront/runs/A/mail/0").is(404).body;
    assert!(hidden.contains("Show the personal data of the run"), "{hidden}");
    for number in ["x", "99"] {
        let unknown = server.get(&format!("/console/storefront/runs/A/mail/{number}")).is(404).body;
        assert!(unknown.contains("does not exist"), "{unknown}");
        assert!(!unknown.contains("personal data"), "{unknown}");
    }
}

#[test]
fn an_order_is_shown_as_sent_and_unknown_members_are_masked() {
    let scratch = Scratch::with_pipelines();
    let pipeline = scratch.path("pipelines/storefront.yaml");
    let server = Server::start(TestPipeline { pipeline, state: scratch.path("state") }, &[]);
    let sent = order("A");
    let members = sent.as_object().unwrap().iter();
    let known: Vec<String> = members.map(|(name, value)| format!("\"{name}\" : {value}")).collect();
    let text = format!(
        "\n{{\r\n\t\"zz_note\": \"Call <Ann> on 555-1234\",\n {} }}\n",
        known.join(" ,\n  ")
    );
    server.put("A", text.as_bytes()).is(201);
    let browser = Browser::open(&server, "/console/storefront/runs/A");
    let shown = |page: &str| {
        let text = between(page, "role=\"group\" aria-labelledby=\"order\">", "</pre>")
            .unwrap()
            .to_owned();
        // A browser ignores a line break right after `<pre>` (HTML, 13.2.6.4.7).
        let text = text.strip_prefix('\n').unwrap_or(&text);
        text.replace("&quot;", "\"")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&#x27;", "'")
            .replace("&#x3D;", "=")
            .replace("&amp;", "&")
    };
    let page = browser.get(&server, "/console/storefront/runs/A").is(200).body;
    let hidden = text.replace("\"Call <Ann> on 555-1234\"", "\"«hidden»\"");
    assert_eq!(shown(&page), hidden);
    assert!(!page.contains("555-1234"), "{page}");
    let page = browser.submit(&server, "/console/storefront/runs/A/reveal", "");
    assert_eq!(shown(&page), text);
}

#[test]
fn a_customer_search_shows_its_matches_and_what_it_left_out() {
    let scratch = Scratch::new();
    let server = Server::start(TestPipeline::storefront(scratch.path("state")), &[]);
    put(&server, &order("A"));
    for at in 0..55 {
        let mut order = order(&format!("MANY-{at}"));
        order["customer_id"] = json!("Crowd");
        put(&server, &order);
    }
    let browser = Browser::open(&server, "/console/storefront/runs");
    let search = |text: &str| {
        browser.post(&server, "/console/storefront/runs", &format!("customer={text}")).is(200).body
    };
    let by_member = search("VINET");
    assert!(by_member.contains("<code>customer_id</code> <bdi>VINET</bdi>"), "{by_member}");
    let by_row = search("paul.henriot");
    assert!(
        by_row.contains("<code>customer_contact_info.email</code> <bdi>«hidden»</bdi>"),
        "{by_row}"
    );
    assert!(!by_row.to_lowercase().contains("paul.henriot"), "{by_row}");
    let many = search("Crowd");
    assert!(many.contains("newest runs, 50 of 55."), "{many}");
    let before = between(&many, "name=\"before\" value=\"", "\"").unwrap();
    let number = between(&many, "name=\"search\" value=\"", "\"").unwrap();
    // A search in another tab does not change what this one continues.
    search("VINET");
    let form = format!("before={before}&search={number}");
    let rest = browser.post(&server, "/console/storefront/runs", &form).is(200).body;
    assert!(rest.contains("older runs, 5 of 55."), "{rest}");
    assert_eq!(rest.matches("scope=\"row\"").count(), 5, "{rest}");
    let gone = browser.post(&server, "/console/storefront/runs", "before=1&search=999").is(303);
    assert!(gone.body.is_empty());
    assert!(rest.contains(">MANY-0<") && !rest.contains("name=\"before\""), "{rest}");
    // The customer table has far more than 20 rows, and every e-mail address contains an `@`.
    let all = server.site.count(
        "select count(*) from customer_contact_info where email like '%@%' or name like '%@%'",
    );
    let wide = search("%40");
    assert!(
        wide.contains(&format!(
            "matches {all} customers in tables; only orders of the first 20 are shown"
        )),
        "{wide}"
    );
}

#[test]
fn a_session_survives_a_restart_and_ends_with_the_logout_or_with_its_key() {
    let scratch = Scratch::new();
    let site = || TestPipeline::storefront(scratch.path("state"));
    let [ann, bob] = ["ann", "bob"].map(|name| {
        let made = site().call(&["keys", "add"], &["--scope", "admin", name]).exits(0);
        made.stdout.trim().to_owned()
    });
    let server = Server::start(site(), &[]);
    let [mut first, mut second] = [(); 2].map(|()| Browser::open(&server, "/console/login"));
    first.log_in(&server, &ann);
    second.log_in(&server, &bob);
    let cookie = first.cookie.split_once('=').unwrap().1.to_owned();
    let bytes = database_bytes(&server.site.state.join("oms.db"));
    let kept = bytes.windows(cookie.len()).any(|part| part == cookie.as_bytes());
    assert!(!kept, "the cookie itself is in the state");
    server.end().exits(0);
    let server = Server::start(site(), &[]);
    let page = first.get(&server, "/console/storefront/").is(200).body;
    assert!(page.contains("<p class=\"user\">ann</p>"), "{page}");
    // A form that was opened before the restart still works.
    first.post(&server, "/console/storefront/runs", "customer=VINET").is(200);
    first.post(&server, "/console/logout", "").is(303);
    first.get(&server, "/console/storefront/").is(303);
    server.end().exits(0);
    let server = Server::start(site(), &[]);
    first.get(&server, "/console/storefront/").is(303);
    second.get(&server, "/console/storefront/").is(200);
    server.end().exits(0);
    site().call(&["keys", "revoke"], &["bob"]).exits(0);
    let server = Server::start(site(), &[]);
    second.get(&server, "/console/storefront/").is(303);
}

/// Returns the number in a tile of the overview.
fn tile(page: &str, name: &str) -> String {
    let rest = between(page, &format!(">{name}</a></dt><dd>"), "</dd>").map(str::to_owned);
    rest.unwrap_or_else(|| panic!("no tile {name}: {page}"))
}

#[test]
fn counts_agree_on_all_pages_and_after_a_restart() {
    let scratch = Scratch::new();
    let site = || TestPipeline::storefront(scratch.path("state"));
    let server = Server::start(site(), &[]);
    put_parked(&server);
    put(&server, &order("A"));
    let counted = |server: &Server| {
        let overview = server.get("/console/storefront/").is(200).body;
        let minutes: Vec<&str> = overview
            .split("<span class=\"tip\">")
            .skip(1)
            .map(|rest| rest.split('<').next().unwrap().rsplit(' ').next().unwrap())
            .collect();
        let minutes: u32 = minutes.iter().map(|count| count.parse::<u32>().unwrap()).sum();
        assert_eq!(
            (tile(&overview, "Parked").as_str(), tile(&overview, "Accepted").as_str(), minutes),
            ("3", "4", 4)
        );
        assert!(overview.contains("<span class=\"count\">3</span>"), "{overview}");
        let causes =
            between(&overview, "<h2>Causes of parked runs</h2>", "</dl>").unwrap().to_owned();
        let mut found = 0;
        for line in causes.split("<a href=\"").skip(1) {
            let link = line.split('"').next().unwrap().replace("&amp;", "&").replace("&#x3D;", "=");
            let count: usize = between(line, "<dd>", "</dd>").unwrap().parse().unwrap();
            let list = server.get(&link).is(200).body;
            assert_eq!(list.matches("scope=\"row\"").count(), count, "{link}");
            found += 1;
        }
        assert_eq!(found, 2, "{causes}");
        let list = server.get("/console/storefront/runs?state=parked").is(200).body;
        assert!(
            list.contains("3 of 4 in total") && list.contains("<span class=\"count\">3</span>"),
            "{list}"
        );
        let exact = server.get("/console/storefront/runs?causes=no_row").is(200).body;
        assert_eq!(exact.matches("scope=\"row\"").count(), 2, "{exact}");
        let metrics = server.get("/metrics").is(200).body;
        assert!(
            metrics.contains("oms_runs_open{pipeline=\"storefront\",state=\"parked\"} 3\n"),
            "{metrics}"
        );
    };
    counted(&server);
    server.end().exits(0);
    let server = Server::start(site(), &[]);
    counted(&server);
    // A live update contains everything that changes: the figures, the badge and the time.
    let live = server.get("/console/storefront/live").is(200).body;
    for part in [
        "data-for=\"parked-count\"> <span class=\"count\">3</span>",
        "data-for=\"as-of\"><time ",
        "class=\"bars\"",
        ">no_row</code>",
    ] {
        assert!(live.contains(part), "{part}: {live}");
    }
}

#[test]
fn only_successes_are_green() {
    let scratch = Scratch::new();
    let server = Server::start(TestPipeline::storefront(scratch.path("state")), &[]);
    put_parked(&server);
    let browser = Browser::open(&server, "/console/storefront/runs");
    let failed = browser.submit(&server, "/console/storefront/runs/lost-1/retry", "");
    assert!(
        failed.contains(
            "<p class=\"notice bad\" role=\"status\">lost-1 was retried and is parked again"
        ),
        "{failed}"
    );
    let done = browser.submit(&server, "/console/storefront/runs/lost-2/cancel", "");
    assert!(
        done.contains("<p class=\"notice good\" role=\"status\">lost-2 was cancelled."),
        "{done}"
    );
    let begun = browser.submit(&server, "/console/storefront/parked/retry", "cause=no_row");
    assert!(begun.contains("<p class=\"notice open\""), "{begun}");
    let ended = (0..100).map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        browser.get(&server, "/console/storefront/parked/live").body
    });
    let ended = ended.into_iter().find(|page| page.contains("data-done")).unwrap();
    assert!(ended.contains("<div class=\"callout bad\" data-done>"), "{ended}");
    assert!(ended.contains("1 of 1 runs retried, 1 parked again"), "{ended}");
}

#[test]
fn a_finding_is_shown_below_its_file() {
    let scratch = Scratch::with_pipelines();
    let pipeline = scratch.path("pipelines/storefront.yaml");
    let server = Server::start(TestPipeline { pipeline, state: scratch.path("state") }, &[]);
    scratch.edit(
        "pipelines/storefront/order.schema.json",
        "\"type\": \"object\"",
        "\"type\": \"objekt\"",
    );
    let page = server.get("/console/storefront/pipeline").is(200).body;
    let (of_pipeline, of_others) = page.split_once("id=\"other-0\"").unwrap();
    assert!(!of_pipeline.contains("class=\"mark error\""), "{of_pipeline}");
    let (name, marks) = of_others.split_once("</h3>").unwrap();
    assert!(name.contains("order.schema.json"), "{name}");
    let marked = marks.split("<li>").find(|line| line.contains("class=\"mark error\"")).unwrap();
    assert!(marked.contains("&quot;objekt&quot;"), "{marked}");
}

#[test]
fn access_log_lines_have_a_timestamp() {
    let scratch = Scratch::new();
    let server = Server::start(TestPipeline::storefront(scratch.path("state")), &["--access-log"]);
    server.get("/healthz").is(200);
    let stderr = server.end().exits(0).stderr;
    let line: Json =
        serde_json::from_str(stderr.lines().find(|line| line.contains("/healthz")).unwrap())
            .unwrap();
    let at = line["timestamp"].as_str().unwrap();
    // Such as 2026-01-02T03:04:05.678Z.
    assert_eq!((at.len(), at.get(19..20), at.get(23..)), (24, Some("."), Some("Z")), "{line}");
}
