//! Mail over SMTP to a real server that injects faults on request. By default, no e-mail is sent
//! twice, even if replies are lost.

mod mail_server;

use std::process::{Child, Command, Stdio};

use serde_json::{Value as Json, json};

use crate::harness::{TestPipeline, finish};
use mail_server::{POLL_INTERVAL, POLLS_MAX, SmtpTest};

const ONE: &[(&str, &str)] = &[("A", "jane@example.com")];

#[test]
fn mails_are_sent_encrypted_over_reused_connections_and_stored_unchanged() {
    for (tls, security) in [("starttls", "starttls"), ("tls", "tls")] {
        let options = ["--tls", tls, "--auth", "orders:secret of the test"];
        let more = format!(
            "security: {security}, user: orders, password: {{ env: POST_PASSWORD }}, connections: 2"
        );
        let Some(smtp) = SmtpTest::new("SMTP with TLS", &options, &more) else { return };
        let orders: Vec<(String, String)> =
            (0..40).map(|n| (format!("O-{n}"), format!("reader{n}@example.com"))).collect();
        let orders: Vec<(&str, &str)> =
            orders.iter().map(|(id, to)| (id.as_str(), to.as_str())).collect();
        let (code, summary) = smtp.send(&orders);
        assert_eq!((code, &summary["completed"]), (0, &json!(40)), "{summary}");
        let accepted = smtp.server.accepted();
        assert_eq!(accepted.len(), 40);
        assert!(smtp.server.connections() <= 2, "{} connections", smtp.server.connections());
        for mail in &accepted {
            assert_eq!((&mail["tls"], &mail["user"]), (&json!(true), &json!("orders")), "{mail}");
        }
        // The stored e-mails equal the sent e-mails byte for byte, except for white space at the
        // end.
        let export = smtp.scratch.path("kept");
        smtp.call(&["mail", "export"], &[&export.to_string_lossy()]).exits(0);
        let mut kept: Vec<Vec<u8>> = std::fs::read_dir(export.join("new"))
            .unwrap()
            .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
            .collect();
        let mut went: Vec<Vec<u8>> = (1..=40)
            .map(|n| {
                std::fs::read(smtp.server.folder.join(format!("accepted/{n:06}.eml"))).unwrap()
            })
            .collect();
        for message in kept.iter_mut().chain(&mut went) {
            message.truncate(message.trim_ascii_end().len());
        }
        kept.sort();
        went.sort();
        assert!(kept == went, "the stored mails differ from the sent mails");
        // The same orders send no more mail.
        let (code, summary) = smtp.send(&orders);
        assert_eq!((code, &summary["duplicates"]), (0, &json!(40)), "{summary}");
        assert_eq!(smtp.server.accepted().len(), 40);
    }
}

#[test]
fn a_mail_without_a_reply_is_held_until_a_user_decides() {
    for (held, sent) in [("sent", 1), ("resend", 2)] {
        let Some(smtp) = SmtpTest::plain("a held mail") else { return };
        smtp.server.fail(&[json!({ "at": "message", "do": "close", "times": 1 })]);
        let orders = [ONE[0], ("B", "joe@example.com")];
        let (code, summary) = smtp.send(&orders);
        assert_eq!((code, &summary["parked"]), (1, &json!(1)), "{summary}");
        assert_eq!(smtp.server.accepted().len(), 2);
        let parked =
            smtp.site.count("select count(*) from oms_runs where cause = 'unknown_outcome'");
        assert_eq!(parked, 1);
        // A retry of all parked runs skips a held e-mail and explains which decision is needed.
        let output = smtp.call(&["runs", "retry"], &["--all", "--mail", "smtp"]).exits(1);
        assert!(output.stderr.contains("--held sent"), "{}", output.stderr);
        assert_eq!(smtp.server.accepted().len(), 2);
        let (code, summary) = smtp.retry(&["--held", held]);
        assert_eq!((code, &summary["completed"]), (0, &json!(1)), "{summary}");
        let accepted = smtp.server.accepted();
        assert_eq!(accepted.len(), 1 + sent);
        // Every e-mail of an order has the message id that the order's step returned.
        let told = smtp.site.export("told");
        assert_eq!(told.len(), orders.len(), "{told:?}");
        for (id, to) in orders {
            let row = told.iter().find(|row| row["id"] == id).unwrap();
            let mails = accepted.iter().filter(|mail| mail["envelope_to"] == json!([to]));
            let ids: Vec<&Json> = mails.map(|mail| &mail["message_id"]).collect();
            assert!(
                !ids.is_empty() && ids.iter().all(|id| **id == row["message"]),
                "{row} {ids:?}"
            );
        }
        assert_ne!(told[0]["message"], told[1]["message"], "two orders have the same message id");
        assert_eq!(smtp.site.count("select count(*) from oms_mails"), 2);
    }
}

#[test]
fn a_mail_is_held_if_the_server_dies_before_it_replies() {
    let Some(smtp) = SmtpTest::plain("a server that dies") else { return };
    smtp.server.fail(&[json!({ "at": "message", "do": "die" })]);
    let order = format!("{}\n", json!({ "id": "A", "to": ONE[0].1 }));
    let input = smtp.scratch.write("orders.ndjson", order);
    let output = smtp.call(&["run"], &["--mail", "smtp", "--input", &input.to_string_lossy()]);
    assert!(
        output.stdout.contains("--mail smtp --cause unknown_outcome --held sent"),
        "{}",
        output.stdout
    );
    assert_eq!((output.code, smtp.cause().as_str()), (1, "unknown_outcome"));
    assert_eq!(smtp.server.accepted().len(), 1);
}

#[test]
fn with_resend_a_mail_is_sent_again_with_the_same_message_id() {
    let Some(smtp) = SmtpTest::plain("a mail sent again") else { return };
    smtp.scratch.edit("post.yaml", "template: hello,", "template: hello, on_unknown: resend,");
    smtp.server.fail(&[json!({ "at": "message", "do": "close", "times": 2 })]);
    let (code, summary) = smtp.send(ONE);
    assert_eq!((code, &summary["completed"]), (0, &json!(1)), "{summary}");
    let ids: Vec<Json> =
        smtp.server.accepted().iter().map(|mail| mail["message_id"].clone()).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn a_mail_in_transit_is_not_sent_again_after_a_kill() {
    let Some(smtp) = SmtpTest::plain("a process that ends") else { return };
    smtp.server.fail(&[json!({ "at": "message", "do": "stall", "seconds": 60 })]);
    let input =
        smtp.scratch.write("orders.ndjson", format!("{}\n", json!({ "id": "A", "to": ONE[0].1 })));
    let mut command =
        smtp.command(&["run"], &["--mail", "smtp", "--input", &input.to_string_lossy()]);
    let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut looks = 0;
    while smtp.server.accepted().is_empty() {
        looks += 1;
        assert!(looks < POLLS_MAX, "no mail arrived");
        std::thread::sleep(POLL_INTERVAL);
    }
    process.kill().unwrap();
    process.wait().unwrap();
    smtp.server.fail(&[]);
    let output = smtp.call(&["run"], &["--mail", "smtp", "--format", "json"]);
    assert_eq!((output.code, &output.json()["resumed"]), (1, &json!(1)), "{}", output.stdout);
    assert_eq!(smtp.cause(), "unknown_outcome");
    assert_eq!(smtp.server.accepted().len(), 1);
}

/// Returns the orders `O-0`, `O-1` and so on, one per line.
fn many(count: usize) -> String {
    (0..count)
        .map(|n| {
            format!("{}\n", json!({ "id": format!("O-{n}"), "to": format!("r{n}@example.com") }))
        })
        .collect()
}

impl SmtpTest {
    /// Starts a run of many orders, and waits until all of them are accepted and the server has
    /// received some of their mails.
    fn start(&self, orders: usize, taken: usize) -> Child {
        let input = self.scratch.write("many.ndjson", many(orders));
        let words = ["--mail", "smtp", "--input", &input.to_string_lossy()];
        let mut command = self.command(&["run"], &words);
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let all = "select count(*) from oms_runs";
        let accepted =
            || self.site.state.join("oms.db").exists() && self.site.count(all) == orders as i64;
        for _ in 0..POLLS_MAX {
            if self.server.accepted().len() >= taken && accepted() {
                return process;
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        process.kill().and_then(|()| process.wait()).unwrap();
        panic!("too few mails arrived, or not all orders were accepted");
    }

    /// Asserts that the server received one e-mail per order, and the number of parked runs.
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
fn only_mails_in_transit_are_held_after_a_kill() {
    let Some(smtp) = SmtpTest::new("mails that wait", &[], "security: none, connections: 2") else {
        return;
    };
    smtp.server.fail(&[json!({ "at": "message", "do": "stall", "seconds": 60 })]);
    // All orders are accepted while most of their e-mails wait for a connection.
    let mut process = smtp.start(40, 2);
    process.kill().unwrap();
    process.wait().unwrap();
    smtp.server.fail(&[]);
    smtp.call(&["run"], &["--mail", "smtp"]).exits(1);
    smtp.each_once(40, 2);
}

#[test]
fn an_interrupt_waits_only_for_mails_in_transit() {
    let Some(smtp) = SmtpTest::new("an interrupted run", &[], "security: none, connections: 1")
    else {
        return;
    };
    smtp.server.fail(&[json!({ "at": "message", "do": "stall", "seconds": 1 })]);
    let mut process = smtp.start(30, 1);
    let id = process.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_eq!(process.wait().unwrap().code(), Some(130));
    let sent = smtp.server.accepted().len();
    assert!(sent < 10, "{sent} mails were sent after the interruption");
    smtp.server.fail(&[]);
    smtp.call(&["run"], &["--mail", "smtp"]).exits(0);
    smtp.each_once(30, 0);
}

#[test]
fn a_timeout_is_an_unknown_outcome_only_after_the_message_was_sent() {
    let Some(smtp) = SmtpTest::plain("attempts that take too long") else { return };
    let limit = "uses: email.send\n    timeout_seconds: 1";
    smtp.scratch.edit("post.yaml", "uses: email.send", limit);
    smtp.server.fail(&[json!({ "at": "message", "do": "stall", "seconds": 20 })]);
    let (code, _) = smtp.send(ONE);
    assert_eq!((code, smtp.cause().as_str()), (1, "unknown_outcome"));
    assert_eq!(smtp.server.accepted().len(), 1);
    // A server that sends no greeting has received nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let smtp = SmtpTest::plain("a server that says nothing").unwrap();
    smtp.scratch.edit("post.yaml", "uses: email.send", limit);
    smtp.scratch.edit(
        "post.yaml",
        &format!("port: {}", smtp.server.port),
        &format!("port: {port}"),
    );
    let (code, _) = smtp.send(ONE);
    assert_eq!((code, smtp.cause().as_str()), (1, "timeout"));
}

#[test]
fn a_mail_marked_as_sent_stays_sent_if_another_one_fails() {
    let Some(smtp) = SmtpTest::plain("a held mail beside a refused one") else { return };
    let one = "to: { type: string, format: email, x-pii: true }";
    let many = "to: { type: array, items: { type: string, format: email, x-pii: true } }";
    smtp.scratch.edit("post.yaml", one, many);
    let each = "for_each: { items: \"${{ order.to }}\", as: reader, max_concurrency: 1 }\n    with: { template: hello, to: \"${{ reader }}\"";
    smtp.scratch.edit("post.yaml", "with: { template: hello, to: \"${{ order.to }}\"", each);
    let message = "message: \"${{ steps.confirm.message_id }}\"";
    smtp.scratch.edit("post.yaml", message, "message: \"${{ string(size(steps.confirm)) }}\"");
    // The first mail is to be retried much later, and the second one is held in the meantime.
    let later = "initial_ms: 60000, max_ms: 60000, jitter: none";
    smtp.scratch.edit("post.yaml", "initial_ms: 1, max_ms: 5", later);
    let refused = |code: u32| json!({ "at": "rcpt", "do": "reply", "code": code, "text": "no", "to": "gone@" });
    smtp.server.fail(&[refused(451), json!({ "at": "message", "do": "close", "times": 1 })]);
    let order = json!({ "id": "A", "to": ["gone@example.com", "jane@example.com"] });
    let input = smtp.scratch.write("orders.ndjson", format!("{order}\n"));
    smtp.call(&["run"], &["--mail", "smtp", "--input", &input.to_string_lossy()]).exits(1);
    // The cause that needs a user's decision takes precedence over the other failure.
    assert_eq!((smtp.cause().as_str(), smtp.server.accepted().len()), ("unknown_outcome", 1));
    smtp.server.fail(&[refused(550)]);
    let (code, _) = smtp.retry(&["--held", "sent"]);
    assert_eq!((code, smtp.cause().as_str()), (1, "bad_address"));
    assert_eq!(smtp.site.count("select count(*) from oms_mails"), 1);
    // An e-mail marked as sent is neither held nor sent again.
    let (code, _) = smtp.retry(&[]);
    assert_eq!((code, smtp.cause().as_str()), (1, "bad_address"));
    smtp.server.fail(&[]);
    let (code, summary) = smtp.retry(&[]);
    assert_eq!((code, &summary["completed"]), (0, &json!(1)), "{summary}");
    let readers: Vec<String> =
        smtp.server.accepted().iter().map(|mail| mail["envelope_to"].to_string()).collect();
    assert_eq!(readers, ["[\"jane@example.com\"]", "[\"gone@example.com\"]"]);
}

#[test]
fn a_mail_that_the_pipeline_no_longer_sends_cannot_be_marked_as_sent() {
    let Some(smtp) = SmtpTest::plain("a held mail of a pipeline that changed") else { return };
    smtp.server.fail(&[json!({ "at": "message", "do": "close", "times": 1 })]);
    smtp.scratch.edit(
        "post.yaml",
        "uses: email.send",
        "when: ${{ order.id == 'A' }}\n    uses: email.send",
    );
    let (code, _) = smtp.send(ONE);
    assert_eq!((code, smtp.cause().as_str()), (1, "unknown_outcome"));
    smtp.scratch.edit("post.yaml", "order.id == 'A'", "order.id == 'B'");
    let words = ["--all", "--mail", "smtp", "--held", "sent"];
    let output = smtp.call(&["runs", "retry"], &words).exits(1);
    assert!(
        output.stderr.contains("cannot continue with the current pipeline"),
        "{}",
        output.stderr
    );
    assert_eq!((smtp.cause().as_str(), smtp.server.accepted().len()), ("unknown_outcome", 1));
}

#[test]
fn a_catch_step_does_not_run_for_a_held_mail() {
    let Some(smtp) = SmtpTest::plain("a catch step and a held mail") else { return };
    let again = "    on_failure: { run: again }\n  again:\n    uses: email.send\n    with: { template: hello, to: \"${{ order.to }}\", data: { id: \"${{ order.id }}\" } }\n  tell:\n";
    smtp.scratch.edit("post.yaml", "  tell:\n", again);
    smtp.server.fail(&[json!({ "at": "message", "do": "close", "times": 1 })]);
    let (code, _) = smtp.send(ONE);
    assert_eq!((code, smtp.cause().as_str()), (1, "unknown_outcome"));
    assert_eq!(smtp.server.accepted().len(), 1);
    let (code, summary) = smtp.retry(&["--held", "sent"]);
    assert_eq!((code, &summary["completed"]), (0, &json!(1)), "{summary}");
    assert_eq!(smtp.server.accepted().len(), 1);
}

#[test]
fn an_unusable_export_folder_leaves_no_mail_held() {
    let Some(smtp) = SmtpTest::plain("files that cannot be written") else { return };
    let file = smtp.scratch.write("a-file", "");
    let input = smtp.scratch.write("many.ndjson", many(30));
    let (input, file) = (input.to_string_lossy(), file.to_string_lossy());
    let words = ["--mail", "smtp", "--input", &input, "--export", &file];
    smtp.call(&["run"], &words).exits(4);
    smtp.call(&["run"], &["--mail", "smtp", "--input", &input]).exits(0);
    smtp.each_once(30, 0);
}

#[test]
fn unexpected_replies_are_failures() {
    let reply = |at: &str, code: u32| json!({ "at": at, "do": "reply", "code": code, "text": "x" });
    for (fault, cause) in
        [(reply("data", 250), "unavailable"), (reply("message", 354), "unknown_outcome")]
    {
        let Some(smtp) = SmtpTest::plain("replies out of turn") else { return };
        smtp.server.fail(&[fault]);
        let (code, _) = smtp.send(ONE);
        assert_eq!((code, smtp.cause().as_str()), (1, cause));
        assert_eq!(smtp.server.accepted().len(), 0);
    }
}

#[test]
fn mail_for_samples_is_sent_only_on_request() {
    let Some(smtp) = SmtpTest::plain("samples") else { return };
    smtp.scratch.write("sample.json", json!({ "id": "A", "to": ONE[0].1 }).to_string());
    let key = "key: ${{ order.id }}\nmail:";
    smtp.scratch.edit("post.yaml", key, "key: ${{ order.id }}\n  samples: [sample.json]\nmail:");
    smtp.call(&["run"], &["--mail", "smtp"]).exits(0);
    assert_eq!(smtp.server.accepted().len(), 0);
    smtp.call(&["run"], &["--mail", "smtp", "--samples"]).exits(0);
    assert_eq!(smtp.server.accepted().len(), 1);
}

#[test]
fn a_mail_that_was_certainly_not_sent_is_retried_and_sent_once() {
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
        let Some(smtp) = SmtpTest::plain("faults of a mail server") else { return };
        smtp.server.fail(std::slice::from_ref(&fault));
        let (code, summary) = smtp.send(ONE);
        assert_eq!((code, &summary["completed"]), (0, &json!(1)), "{fault}: {summary}");
        assert_eq!(smtp.server.accepted().len(), 1, "{fault}");
    }
}

#[test]
fn a_refused_mail_parks_the_run_and_its_failure_does_not_name_the_recipient() {
    let faults = [
        ("rcpt", 550, "5.1.1 <jane@example.com>: no such mailbox", "bad_address", "550 5.1.1"),
        ("mail", 553, "5.1.8 orders@example.com is not a sender here", "refused", "553 5.1.8"),
        ("data", 554, "5.7.1 not for jane@example.com", "refused", "554 5.7.1"),
        ("message", 554, "jane@example.com: message looks like spam", "refused", "554"),
        ("rcpt", 450, "jane@example.com is over quota", "unavailable", "450"),
    ];
    for (at, code, text, cause, error_text) in faults {
        let Some(smtp) = SmtpTest::plain("refusals of a mail server") else { return };
        smtp.server.fail(&[json!({ "at": at, "do": "reply", "code": code, "text": text })]);
        let (exit, _) = smtp.send(ONE);
        assert_eq!((exit, smtp.cause().as_str()), (1, cause), "{at}");
        assert_eq!(smtp.server.accepted().len(), 0, "{at}");
        let shown = smtp.call(&["runs", "show"], &["A"]).exits(0).stdout;
        assert!(shown.contains(error_text) && !shown.contains("jane@"), "{shown}");
        // Once the cause is fixed, a retry sends the mail.
        smtp.server.fail(&[]);
        let (exit, summary) = smtp.retry(&[]);
        assert_eq!((exit, &summary["completed"]), (0, &json!(1)), "{at}: {summary}");
        assert_eq!(smtp.server.accepted().len(), 1, "{at}");
    }
}

#[test]
fn nothing_is_sent_over_a_connection_with_the_wrong_security() {
    // A server with an untrusted certificate.
    let Some(smtp) = SmtpTest::new("an untrusted certificate", &["--tls", "tls"], "security: tls")
    else {
        return;
    };
    let empty = smtp.scratch.write("empty.pem", "");
    let input =
        smtp.scratch.write("orders.ndjson", format!("{}\n", json!({ "id": "A", "to": ONE[0].1 })));
    let mut command =
        smtp.command(&["run"], &["--mail", "smtp", "--input", &input.to_string_lossy()]);
    finish(command.env("SSL_CERT_FILE", empty)).exits(1);
    assert_eq!((smtp.cause().as_str(), smtp.server.accepted().len()), ("unavailable", 0));
    // A server without encryption.
    let smtp = SmtpTest::new("a server without STARTTLS", &[], "security: starttls").unwrap();
    let (code, _) = smtp.send(ONE);
    assert_eq!((code, smtp.cause().as_str()), (1, "refused"));
    assert_eq!(smtp.server.accepted().len(), 0);
    // A server that rejects the password.
    let more = "security: none, user: orders, password: { env: POST_PASSWORD }";
    let smtp = SmtpTest::new("a wrong password", &["--auth", "orders:another"], more).unwrap();
    let (code, _) = smtp.send(ONE);
    assert_eq!((code, smtp.cause().as_str()), (1, "refused"));
    let shown = smtp.call(&["runs", "show"], &["A"]).exits(0).stdout;
    assert!(shown.contains("login") && !shown.contains(smtp.password), "{shown}");
    assert_eq!(smtp.server.accepted().len(), 0);
}

#[test]
fn non_ascii_addresses_are_sent_as_the_server_supports_them() {
    let domain = ("A", "jane@bücher.example");
    let local = ("B", "用户@bücher.example");
    let Some(smtp) = SmtpTest::plain("non-ASCII addresses") else { return };
    let (code, summary) = smtp.send(&[domain, local]);
    assert_eq!((code, &summary["completed"]), (0, &json!(2)), "{summary}");
    let mut accepted = smtp.server.accepted();
    accepted.sort_by_key(|mail| mail["envelope_to"][0].as_str().unwrap().is_ascii());
    assert_eq!(accepted[0]["envelope_to"], json!([local.1]));
    assert!(accepted[0]["mail_options"].to_string().contains("SMTPUTF8"), "{}", accepted[0]);
    assert_eq!(accepted[1]["envelope_to"], json!(["jane@xn--bcher-kva.example"]));
    assert!(!accepted[1]["mail_options"].to_string().contains("SMTPUTF8"), "{}", accepted[1]);
    let smtp = SmtpTest::new("no SMTPUTF8", &["--no-smtputf8"], "security: none").unwrap();
    let (code, summary) = smtp.send(&[domain, local]);
    assert_eq!(
        (code, &summary["completed"], &summary["parked"]),
        (1, &json!(1), &json!(1)),
        "{summary}"
    );
    assert_eq!(
        smtp.site.count("select count(*) from oms_runs where key = 'B' and cause = 'bad_address'"),
        1
    );
    assert_eq!(smtp.server.accepted().len(), 1);
}

#[test]
fn a_state_that_sent_mail_needs_an_explicit_choice_to_stop_sending() {
    let Some(smtp) = SmtpTest::plain("where mail goes") else { return };
    smtp.send(ONE);
    let output = smtp.call(&["run"], &[]).exits(4);
    assert!(output.stderr.contains("--mail smtp"), "{}", output.stderr);
    smtp.call(&["run"], &["--mail", "outbox"]).exits(0);
    smtp.call(&["run"], &[]).exits(0);
    // A missing password is reported before anything runs.
    smtp.scratch.edit(
        "post.yaml",
        "security: none",
        "security: none, user: orders, password: { secret: smtp }",
    );
    let output = smtp.call(&["run"], &["--mail", "smtp"]).exits(4);
    assert!(output.stderr.contains("CREDENTIALS_DIRECTORY"), "{}", output.stderr);
    let folder = smtp.scratch.path("credentials");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("smtp"), "x\n").unwrap();
    let mut command = smtp.command(&["run"], &["--mail", "smtp"]);
    finish(command.env("CREDENTIALS_DIRECTORY", &folder)).exits(0);
    let mut command = smtp.command(&["run"], &["--mail", "smtp"]);
    finish(command.env("smtp_FILE", folder.join("smtp"))).exits(0);
    let mut command = smtp.command(&["run"], &["--mail", "smtp"]);
    finish(command.env("smtp", "x")).exits(0);
    // A file in the folder takes precedence, and one that cannot be read is an error.
    let mut command = smtp.command(&["run"], &["--mail", "smtp"]);
    let output = finish(command.env("smtp_FILE", folder.join("missing")).env("smtp", "x")).exits(4);
    assert!(output.stderr.contains("missing"), "{}", output.stderr);
}

#[test]
fn the_console_shows_the_message_id_of_a_held_mail() {
    let Some(smtp) = SmtpTest::plain("a held mail in the console") else { return };
    smtp.server.fail(&[json!({ "at": "message", "do": "close", "times": 1 })]);
    assert_eq!((smtp.send(ONE).0, smtp.cause().as_str()), (1, "unknown_outcome"));
    let intake = "name: post\nintake: { path: \"/post/{key}\" }\n";
    smtp.scratch.edit("post.yaml", "name: post\n", intake);
    let site =
        TestPipeline { pipeline: smtp.site.pipeline.clone(), state: smtp.site.state.clone() };
    let server = crate::serve::server::Server::start(site, &["--mail", "smtp"]);
    let page = server.get("/console/post/runs/A").is(200);
    let sent = smtp.server.accepted()[0]["message_id"].as_str().unwrap().to_owned();
    let id = sent.trim_matches(['<', '>']);
    assert!(
        page.body.contains(&format!("<dt>Message-ID</dt><dd><code>{id}</code></dd>")),
        "{id}: {}",
        page.body
    );
    assert!(page.body.contains("<dt>Recipient</dt><dd><bdi>«email»</bdi></dd>"), "{}", page.body);
    assert!(page.body.contains(">Mark as sent</a>"), "{}", page.body);
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
