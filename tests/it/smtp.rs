//! Mail by SMTP, held against a real server that fails where a test asks it to: what it took is sent once, whatever is lost on the way.

mod post;

use std::process::{Child, Command, Stdio};

use serde_json::{Value as Json, json};

use crate::harness::{Site, finish};
use post::{BETWEEN_LOOKS, LOOKS, Post};

const ONE: &[(&str, &str)] = &[("A", "jane@example.com")];

#[test]
fn mails_go_out_encrypted_over_kept_connections_and_are_kept_as_they_went() {
    for (tls, security) in [("starttls", "starttls"), ("tls", "tls")] {
        let options = ["--tls", tls, "--auth", "orders:secret of the test"];
        let more = format!(
            "security: {security}, user: orders, password: {{ env: POST_PASSWORD }}, connections: 2"
        );
        let Some(post) = Post::new("SMTP with TLS", &options, &more) else { return };
        let orders: Vec<(String, String)> =
            (0..40).map(|n| (format!("O-{n}"), format!("reader{n}@example.com"))).collect();
        let orders: Vec<(&str, &str)> =
            orders.iter().map(|(id, to)| (id.as_str(), to.as_str())).collect();
        let (code, summary) = post.send(&orders);
        assert_eq!((code, &summary["completed"]), (0, &json!(40)), "{summary}");
        let accepted = post.server.accepted();
        assert_eq!(accepted.len(), 40);
        assert!(post.server.connections() <= 2, "{} connections", post.server.connections());
        for mail in &accepted {
            assert_eq!((&mail["tls"], &mail["user"]), (&json!(true), &json!("orders")), "{mail}");
        }
        // What went out is what is kept, to the byte.
        let export = post.scratch.path("kept");
        post.call(&["mail", "export"], &[&export.to_string_lossy()]).exits(0);
        let mut kept: Vec<Vec<u8>> = std::fs::read_dir(export.join("new"))
            .unwrap()
            .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
            .collect();
        let mut went: Vec<Vec<u8>> = (1..=40)
            .map(|n| {
                std::fs::read(post.server.folder.join(format!("accepted/{n:06}.eml"))).unwrap()
            })
            .collect();
        for message in kept.iter_mut().chain(&mut went) {
            message.truncate(message.trim_ascii_end().len());
        }
        kept.sort();
        went.sort();
        assert!(kept == went, "the mails that are kept are not those that went out");
        // The same orders again send nothing.
        let (code, summary) = post.send(&orders);
        assert_eq!((code, &summary["duplicates"]), (0, &json!(40)), "{summary}");
        assert_eq!(post.server.accepted().len(), 40);
    }
}

#[test]
fn a_server_that_takes_the_mail_and_does_not_answer_leaves_it_held_for_a_person() {
    for (held, sent) in [("sent", 1), ("resend", 2)] {
        let Some(post) = Post::plain("a held mail") else { return };
        post.server.fail(&[json!({ "at": "message", "do": "close", "times": 1 })]);
        let (code, summary) = post.send(&[ONE[0], ("B", "joe@example.com")]);
        assert_eq!((code, &summary["parked"]), (1, &json!(1)), "{summary}");
        assert_eq!(post.server.accepted().len(), 2);
        let parked =
            post.site.count("select count(*) from oms_runs where cause = 'unknown_outcome'");
        assert_eq!(parked, 1);
        // Trying again what is parked does not touch it, and says what is asked.
        let output = post.call(&["runs", "retry"], &["--all", "--mail", "smtp"]).exits(1);
        assert!(output.stderr.contains("--held sent"), "{}", output.stderr);
        assert_eq!(post.server.accepted().len(), 2);
        let (code, summary) = post.retry(&["--held", held]);
        assert_eq!((code, &summary["completed"]), (0, &json!(1)), "{summary}");
        let accepted = post.server.accepted();
        assert_eq!(accepted.len(), 1 + sent);
        let told = post.site.export("told");
        let ids: Vec<&Json> = accepted.iter().map(|mail| &mail["message_id"]).collect();
        // What it is known by is the same on each attempt.
        assert!(told.iter().all(|row| ids.contains(&&row["message"])), "{told:?} {ids:?}");
        assert_eq!(post.site.count("select count(*) from oms_mails"), 2);
    }
}

#[test]
fn a_server_that_dies_with_the_mail_leaves_it_held() {
    let Some(post) = Post::plain("a server that dies") else { return };
    post.server.fail(&[json!({ "at": "message", "do": "die" })]);
    let order = format!("{}\n", json!({ "id": "A", "to": ONE[0].1 }));
    let input = post.scratch.write("orders.ndjson", order);
    let output = post.call(&["run"], &["--mail", "smtp", "--input", &input.to_string_lossy()]);
    assert!(
        output.stdout.contains("--mail smtp --cause unknown_outcome --held sent"),
        "{}",
        output.stdout
    );
    assert_eq!((output.code, post.cause().as_str()), (1, "unknown_outcome"));
    assert_eq!(post.server.accepted().len(), 1);
}

#[test]
fn who_wants_it_so_has_the_mail_sent_again_under_the_same_id() {
    let Some(post) = Post::plain("a mail sent again") else { return };
    post.scratch.edit("post.yaml", "template: hello,", "template: hello, on_unknown: resend,");
    post.server.fail(&[json!({ "at": "message", "do": "close", "times": 2 })]);
    let (code, summary) = post.send(ONE);
    assert_eq!((code, &summary["completed"]), (0, &json!(1)), "{summary}");
    let ids: Vec<Json> =
        post.server.accepted().iter().map(|mail| mail["message_id"].clone()).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn a_process_that_ends_while_the_mail_is_under_way_does_not_send_it_again() {
    let Some(post) = Post::plain("a process that ends") else { return };
    post.server.fail(&[json!({ "at": "message", "do": "stall", "seconds": 60 })]);
    let input =
        post.scratch.write("orders.ndjson", format!("{}\n", json!({ "id": "A", "to": ONE[0].1 })));
    let mut command =
        post.command(&["run"], &["--mail", "smtp", "--input", &input.to_string_lossy()]);
    let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut looks = 0;
    while post.server.accepted().is_empty() {
        looks += 1;
        assert!(looks < LOOKS, "no mail came");
        std::thread::sleep(BETWEEN_LOOKS);
    }
    process.kill().unwrap();
    process.wait().unwrap();
    post.server.fail(&[]);
    let output = post.call(&["run"], &["--mail", "smtp", "--format", "json"]);
    assert_eq!((output.code, &output.json()["resumed"]), (1, &json!(1)), "{}", output.stdout);
    assert_eq!(post.cause(), "unknown_outcome");
    assert_eq!(post.server.accepted().len(), 1);
}

/// Orders `O-0`, `O-1` and so on, one a line.
fn many(count: usize) -> String {
    (0..count)
        .map(|n| {
            format!("{}\n", json!({ "id": format!("O-{n}"), "to": format!("r{n}@example.com") }))
        })
        .collect()
}

impl Post {
    /// Starts a run of many orders, and waits until the server took some of their mails.
    fn start(&self, orders: usize, taken: usize) -> Child {
        let input = self.scratch.write("many.ndjson", many(orders));
        let words = ["--mail", "smtp", "--input", &input.to_string_lossy()];
        let mut command = self.command(&["run"], &words);
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let all = "select count(*) from oms_runs";
        let accepted =
            || self.site.state.join("oms.db").exists() && self.site.count(all) == orders as i64;
        for _ in 0..LOOKS {
            if self.server.accepted().len() >= taken && accepted() {
                return process;
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        process.kill().and_then(|()| process.wait()).unwrap();
        panic!("no mail came, or not all orders were accepted");
    }

    /// Checks that each order has its mail at the server once, but for those that are parked.
    fn each_once(&self, orders: usize, parked: i64) {
        let mut readers: Vec<String> =
            self.server.accepted().iter().map(|mail| mail["envelope_to"].to_string()).collect();
        readers.sort();
        let sent = readers.len();
        readers.dedup();
        assert_eq!((readers.len(), sent), (orders, orders), "{readers:?}");
        let held = "select count(*) from oms_runs where cause = 'unknown_outcome'";
        assert_eq!(self.site.count(held), parked);
        let done = "select count(*) from oms_runs where state = 'completed'";
        assert_eq!(self.site.count(done), orders as i64 - parked);
    }
}

#[test]
fn only_what_was_under_way_is_held_when_a_process_ends_however_many_mails_wait() {
    let Some(post) = Post::new("mails that wait", &[], "security: none, connections: 2") else {
        return;
    };
    post.server.fail(&[json!({ "at": "message", "do": "stall", "seconds": 60 })]);
    // All orders are accepted while their mails wait for a connection.
    let mut process = post.start(40, 2);
    process.kill().unwrap();
    process.wait().unwrap();
    post.server.fail(&[]);
    post.call(&["run"], &["--mail", "smtp"]).exits(1);
    post.each_once(40, 2);
}

#[test]
fn who_interrupts_waits_for_the_mails_under_way_and_for_no_more() {
    let Some(post) = Post::new("an interrupted run", &[], "security: none, connections: 1") else {
        return;
    };
    post.server.fail(&[json!({ "at": "message", "do": "stall", "seconds": 1 })]);
    let mut process = post.start(30, 1);
    let id = process.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_eq!(process.wait().unwrap().code(), Some(130));
    let sent = post.server.accepted().len();
    assert!(sent < 10, "{sent} mails were sent after the interruption");
    post.server.fail(&[]);
    post.call(&["run"], &["--mail", "smtp"]).exits(0);
    post.each_once(30, 0);
}

#[test]
fn an_attempt_that_is_cut_off_is_in_doubt_only_once_the_message_was_given_away() {
    let Some(post) = Post::plain("attempts that take too long") else { return };
    let limit = "uses: email.send\n    timeout_seconds: 1";
    post.scratch.edit("post.yaml", "uses: email.send", limit);
    post.server.fail(&[json!({ "at": "message", "do": "stall", "seconds": 20 })]);
    let (code, _) = post.send(ONE);
    assert_eq!((code, post.cause().as_str()), (1, "unknown_outcome"));
    assert_eq!(post.server.accepted().len(), 1);
    // Who does not even greet has taken nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let post = Post::plain("a server that says nothing").unwrap();
    post.scratch.edit("post.yaml", "uses: email.send", limit);
    post.scratch.edit(
        "post.yaml",
        &format!("port: {}", post.server.port),
        &format!("port: {port}"),
    );
    let (code, _) = post.send(ONE);
    assert_eq!((code, post.cause().as_str()), (1, "timeout"));
}

#[test]
fn a_mail_that_was_taken_as_sent_stays_so_whatever_else_fails() {
    let Some(post) = Post::plain("a held mail beside a refused one") else { return };
    let one = "to: { type: string, format: email, x-pii: true }";
    let many = "to: { type: array, items: { type: string, format: email, x-pii: true } }";
    post.scratch.edit("post.yaml", one, many);
    let each = "for_each: { items: \"${{ order.to }}\", as: reader, max_concurrency: 1 }\n    with: { template: hello, to: \"${{ reader }}\"";
    post.scratch.edit("post.yaml", "with: { template: hello, to: \"${{ order.to }}\"", each);
    let told = "message: \"${{ steps.confirm.message_id }}\"";
    post.scratch.edit("post.yaml", told, "message: \"${{ string(size(steps.confirm)) }}\"");
    // The first is to be tried again much later, and the second is held meanwhile.
    let later = "initial_ms: 60000, max_ms: 60000, jitter: none";
    post.scratch.edit("post.yaml", "initial_ms: 1, max_ms: 5", later);
    let refused = |code: u32| json!({ "at": "rcpt", "do": "reply", "code": code, "text": "no", "to": "gone@" });
    post.server.fail(&[refused(451), json!({ "at": "message", "do": "close", "times": 1 })]);
    let order = json!({ "id": "A", "to": ["gone@example.com", "jane@example.com"] });
    let input = post.scratch.write("orders.ndjson", format!("{order}\n"));
    post.call(&["run"], &["--mail", "smtp", "--input", &input.to_string_lossy()]).exits(1);
    // What a person has to decide about goes before the other failure.
    assert_eq!((post.cause().as_str(), post.server.accepted().len()), ("unknown_outcome", 1));
    post.server.fail(&[refused(550)]);
    let (code, _) = post.retry(&["--held", "sent"]);
    assert_eq!((code, post.cause().as_str()), (1, "bad_address"));
    assert_eq!(post.site.count("select count(*) from oms_mails"), 1);
    // Nothing asks again about a mail that was decided about, and nothing sends it.
    let (code, _) = post.retry(&[]);
    assert_eq!((code, post.cause().as_str()), (1, "bad_address"));
    post.server.fail(&[]);
    let (code, summary) = post.retry(&[]);
    assert_eq!((code, &summary["completed"]), (0, &json!(1)), "{summary}");
    let readers: Vec<String> =
        post.server.accepted().iter().map(|mail| mail["envelope_to"].to_string()).collect();
    assert_eq!(readers, ["[\"jane@example.com\"]", "[\"gone@example.com\"]"]);
}

#[test]
fn what_the_pipeline_does_not_send_any_more_cannot_be_taken_as_sent() {
    let Some(post) = Post::plain("a held mail of a pipeline that changed") else { return };
    post.server.fail(&[json!({ "at": "message", "do": "close", "times": 1 })]);
    post.scratch.edit(
        "post.yaml",
        "uses: email.send",
        "when: ${{ order.id == 'A' }}\n    uses: email.send",
    );
    let (code, _) = post.send(ONE);
    assert_eq!((code, post.cause().as_str()), (1, "unknown_outcome"));
    post.scratch.edit("post.yaml", "order.id == 'A'", "order.id == 'B'");
    let words = ["--all", "--mail", "smtp", "--held", "sent"];
    let output = post.call(&["runs", "retry"], &words).exits(1);
    assert!(
        output.stderr.contains("cannot continue with the current pipeline"),
        "{}",
        output.stderr
    );
    assert_eq!((post.cause().as_str(), post.server.accepted().len()), ("unknown_outcome", 1));
}

#[test]
fn what_is_held_is_no_failure_that_a_catch_step_may_answer() {
    let Some(post) = Post::plain("a catch step and a held mail") else { return };
    let again = "    on_failure: { run: again }\n  again:\n    uses: email.send\n    with: { template: hello, to: \"${{ order.to }}\", data: { id: \"${{ order.id }}\" } }\n  tell:\n";
    post.scratch.edit("post.yaml", "  tell:\n", again);
    post.server.fail(&[json!({ "at": "message", "do": "close", "times": 1 })]);
    let (code, _) = post.send(ONE);
    assert_eq!((code, post.cause().as_str()), (1, "unknown_outcome"));
    assert_eq!(post.server.accepted().len(), 1);
    let (code, summary) = post.retry(&["--held", "sent"]);
    assert_eq!((code, &summary["completed"]), (0, &json!(1)), "{summary}");
    assert_eq!(post.server.accepted().len(), 1);
}

#[test]
fn a_folder_that_cannot_be_written_leaves_no_mail_in_doubt() {
    let Some(post) = Post::plain("files that cannot be written") else { return };
    let file = post.scratch.write("a-file", "");
    let input = post.scratch.write("many.ndjson", many(30));
    let (input, file) = (input.to_string_lossy(), file.to_string_lossy());
    let words = ["--mail", "smtp", "--input", &input, "--export", &file];
    post.call(&["run"], &words).exits(4);
    post.call(&["run"], &["--mail", "smtp", "--input", &input]).exits(0);
    post.each_once(30, 0);
}

#[test]
fn a_server_that_answers_out_of_turn_is_not_believed() {
    let reply = |at: &str, code: u32| json!({ "at": at, "do": "reply", "code": code, "text": "x" });
    for (fault, cause) in
        [(reply("data", 250), "unavailable"), (reply("message", 354), "unknown_outcome")]
    {
        let Some(post) = Post::plain("replies out of turn") else { return };
        post.server.fail(&[fault]);
        let (code, _) = post.send(ONE);
        assert_eq!((code, post.cause().as_str()), (1, cause));
        assert_eq!(post.server.accepted().len(), 0);
    }
}

#[test]
fn samples_are_mailed_to_nobody_who_did_not_ask() {
    let Some(post) = Post::plain("samples") else { return };
    post.scratch.write("sample.json", json!({ "id": "A", "to": ONE[0].1 }).to_string());
    let key = "key: ${{ order.id }}\nmail:";
    post.scratch.edit("post.yaml", key, "key: ${{ order.id }}\n  samples: [sample.json]\nmail:");
    post.call(&["run"], &["--mail", "smtp"]).exits(0);
    assert_eq!(post.server.accepted().len(), 0);
    post.call(&["run"], &["--mail", "smtp", "--samples"]).exits(0);
    assert_eq!(post.server.accepted().len(), 1);
}

#[test]
fn what_surely_was_not_sent_is_tried_again_and_sent_once() {
    let faults = [
        json!({ "at": "connect", "do": "close", "times": 2 }),
        json!({ "at": "connect", "do": "reply", "code": 421, "text": "4.3.2 busy", "times": 2 }),
        json!({ "at": "ehlo", "do": "close", "times": 1 }),
        json!({ "at": "mail", "do": "reply", "code": 451, "text": "4.3.0 later", "times": 3 }),
        json!({ "at": "mail", "do": "close", "times": 1 }),
        json!({ "at": "rcpt", "do": "reply", "code": 450, "text": "4.2.1 greylisted", "times": 2 }),
        json!({ "at": "rcpt", "do": "close", "times": 1 }),
        json!({ "at": "data", "do": "reply", "code": 452, "text": "4.3.1 full", "times": 1 }),
        json!({ "at": "data", "do": "close", "times": 3 }),
        json!({ "at": "message", "do": "reply", "code": 451, "text": "4.3.0 later", "times": 3 }),
    ];
    for fault in faults {
        let Some(post) = Post::plain("faults of a mail server") else { return };
        post.server.fail(std::slice::from_ref(&fault));
        let (code, summary) = post.send(ONE);
        assert_eq!((code, &summary["completed"]), (0, &json!(1)), "{fault}: {summary}");
        assert_eq!(post.server.accepted().len(), 1, "{fault}");
    }
}

#[test]
fn what_is_refused_is_parked_with_its_cause_and_says_nothing_of_the_reader() {
    let faults = [
        ("rcpt", 550, "5.1.1 <jane@example.com>: no such mailbox", "bad_address", "550 5.1.1"),
        ("mail", 553, "5.1.8 orders@example.com is not a sender here", "refused", "553 5.1.8"),
        ("data", 554, "5.7.1 not for jane@example.com", "refused", "554 5.7.1"),
        ("message", 554, "jane@example.com: message looks like spam", "refused", "554"),
        ("rcpt", 450, "jane@example.com is over quota", "unavailable", "450"),
    ];
    for (at, code, text, cause, said) in faults {
        let Some(post) = Post::plain("refusals of a mail server") else { return };
        post.server.fail(&[json!({ "at": at, "do": "reply", "code": code, "text": text })]);
        let (exit, _) = post.send(ONE);
        assert_eq!((exit, post.cause().as_str()), (1, cause), "{at}");
        assert_eq!(post.server.accepted().len(), 0, "{at}");
        let shown = post.call(&["runs", "show"], &["A"]).exits(0).stdout;
        assert!(shown.contains(said) && !shown.contains("jane@"), "{shown}");
        // Once the cause is gone it goes on where it stopped.
        post.server.fail(&[]);
        let (exit, summary) = post.retry(&[]);
        assert_eq!((exit, &summary["completed"]), (0, &json!(1)), "{at}: {summary}");
        assert_eq!(post.server.accepted().len(), 1, "{at}");
    }
}

#[test]
fn nothing_is_sent_where_the_connection_is_not_what_was_asked_for() {
    // A server that nobody vouches for.
    let Some(post) =
        Post::new("a certificate that nobody knows", &["--tls", "tls"], "security: tls")
    else {
        return;
    };
    let empty = post.scratch.write("empty.pem", "");
    let input =
        post.scratch.write("orders.ndjson", format!("{}\n", json!({ "id": "A", "to": ONE[0].1 })));
    let mut command =
        post.command(&["run"], &["--mail", "smtp", "--input", &input.to_string_lossy()]);
    finish(command.env("SSL_CERT_FILE", empty)).exits(1);
    assert_eq!((post.cause().as_str(), post.server.accepted().len()), ("unavailable", 0));
    // One that does not encrypt.
    let post = Post::new("a server without STARTTLS", &[], "security: starttls").unwrap();
    let (code, _) = post.send(ONE);
    assert_eq!((code, post.cause().as_str()), (1, "refused"));
    assert_eq!(post.server.accepted().len(), 0);
    // One that does not know us.
    let more = "security: none, user: orders, password: { env: POST_PASSWORD }";
    let post = Post::new("a wrong password", &["--auth", "orders:another"], more).unwrap();
    let (code, _) = post.send(ONE);
    assert_eq!((code, post.cause().as_str()), (1, "refused"));
    let shown = post.call(&["runs", "show"], &["A"]).exits(0).stdout;
    assert!(shown.contains("login") && !shown.contains(post.password), "{shown}");
    assert_eq!(post.server.accepted().len(), 0);
}

#[test]
fn addresses_beyond_ascii_travel_as_the_server_can_take_them() {
    let domain = ("A", "jane@bücher.example");
    let local = ("B", "用户@bücher.example");
    let Some(post) = Post::plain("addresses beyond ASCII") else { return };
    let (code, summary) = post.send(&[domain, local]);
    assert_eq!((code, &summary["completed"]), (0, &json!(2)), "{summary}");
    let mut accepted = post.server.accepted();
    accepted.sort_by_key(|mail| mail["envelope_to"][0].as_str().unwrap().is_ascii());
    assert_eq!(accepted[0]["envelope_to"], json!([local.1]));
    assert!(accepted[0]["mail_options"].to_string().contains("SMTPUTF8"), "{}", accepted[0]);
    assert_eq!(accepted[1]["envelope_to"], json!(["jane@xn--bcher-kva.example"]));
    assert!(!accepted[1]["mail_options"].to_string().contains("SMTPUTF8"), "{}", accepted[1]);
    let post = Post::new("no SMTPUTF8", &["--no-smtputf8"], "security: none").unwrap();
    let (code, summary) = post.send(&[domain, local]);
    assert_eq!(
        (code, &summary["completed"], &summary["parked"]),
        (1, &json!(1), &json!(1)),
        "{summary}"
    );
    assert_eq!(
        post.site.count("select count(*) from oms_runs where key = 'B' and cause = 'bad_address'"),
        1
    );
    assert_eq!(post.server.accepted().len(), 1);
}

#[test]
fn where_mail_went_out_once_nobody_keeps_it_back_unnoticed() {
    let Some(post) = Post::plain("where mail goes") else { return };
    post.send(ONE);
    let output = post.call(&["run"], &[]).exits(4);
    assert!(output.stderr.contains("--mail smtp"), "{}", output.stderr);
    post.call(&["run"], &["--mail", "outbox"]).exits(0);
    post.call(&["run"], &[]).exits(0);
    // A password that is not there is told before anything runs.
    post.scratch.edit(
        "post.yaml",
        "security: none",
        "security: none, user: orders, password: { secret: smtp }",
    );
    let output = post.call(&["run"], &["--mail", "smtp"]).exits(4);
    assert!(output.stderr.contains("CREDENTIALS_DIRECTORY"), "{}", output.stderr);
    let folder = post.scratch.path("credentials");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("smtp"), "x\n").unwrap();
    let mut command = post.command(&["run"], &["--mail", "smtp"]);
    finish(command.env("CREDENTIALS_DIRECTORY", folder)).exits(0);
}

#[test]
fn the_console_says_by_what_the_mail_server_knows_a_held_mail() {
    let Some(post) = Post::plain("a held mail in the console") else { return };
    post.server.fail(&[json!({ "at": "message", "do": "close", "times": 1 })]);
    assert_eq!((post.send(ONE).0, post.cause().as_str()), (1, "unknown_outcome"));
    let intake = "name: post\nintake: { path: \"/post/{key}\" }\n";
    post.scratch.edit("post.yaml", "name: post\n", intake);
    let site = Site { pipeline: post.site.pipeline.clone(), state: post.site.state.clone() };
    let server = crate::serve::server::Server::start(site, &["--mail", "smtp"]);
    let page = server.get("/console/post/runs/A").is(200);
    let sent = post.server.accepted()[0]["message_id"].as_str().unwrap().to_owned();
    let id = sent.trim_matches(['<', '>']);
    assert!(
        page.body.contains(&format!("<dt>Message-ID</dt><dd><code>{id}</code></dd>")),
        "{id}: {}",
        page.body
    );
    assert!(page.body.contains("<dt>Recipient</dt><dd><bdi>«email»</bdi></dd>"), "{}", page.body);
    assert!(!page.body.contains(ONE[0].1), "{}", page.body);
    let cookie = page.header("set-cookie").and_then(|cookie| cookie.split(';').next()).unwrap();
    let csrf =
        page.body.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let headers =
        ["content-type: application/x-www-form-urlencoded".to_owned(), format!("cookie: {cookie}")];
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    let form = format!("csrf={}", csrf.unwrap());
    server.call("POST", "/console/post/runs/A/reveal", &headers, form.as_bytes()).is(303);
    let page = server.call("GET", "/console/post/runs/A", &headers, b"").is(200).body;
    assert!(
        page.contains(&format!("<dt>Recipient</dt><dd><bdi>{}</bdi></dd>", ONE[0].1)),
        "{page}"
    );
}
