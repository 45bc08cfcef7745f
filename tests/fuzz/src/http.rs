//! The bytes of a connection to `oms serve`, with one request or several.
//!
//! The server's own code serves them over a stream in memory, once on a site that requires no API
//! key and once on a site that requires one. In the input, `@key@` stands for an API key, `@cookie@`
//! for the cookie of a session, `@csrf@` for the session's CSRF token, and `@length@` for the length
//! of the body that follows.
//!
//! Promises: every response is valid HTTP with a documented status, and is complete when the server
//! closes the connection. No status is 5xx. Without an API key or a session, no response contains an
//! order of the site that requires a key. No thread panics.
//!
//! The sites keep their orders between inputs, so a failure may depend on earlier inputs.

mod response;
mod served;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Runtime;

use self::served::Served;

/// Time after which a request that may take long is dropped.
const LONG: Duration = Duration::from_millis(20);
/// Time within which every other connection must end.
const PATIENCE: Duration = Duration::from_secs(15);
/// Size of the buffers between the client and the server in bytes. The server writes its responses
/// in several parts if they are longer.
const BUFFER: usize = 16 << 10;

/// Whether a thread panicked. A panic of a task of the server ends only that task.
static PANICKED: AtomicBool = AtomicBool::new(false);

struct Sites {
    runtime: Runtime,
    open: Served,
    with_key: Served,
}

static SITES: LazyLock<Sites> = LazyLock::new(|| {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICKED.store(true, Ordering::SeqCst);
        report(panic);
    }));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("the runtime starts");
    let folder = served::folder();
    let (open, with_key) = runtime.block_on(async {
        (
            Served::start(&folder.join("open"), false).await,
            Served::start(&folder.join("key"), true).await,
        )
    });
    Sites { runtime, open, with_key }
});

pub(crate) fn run(data: &[u8]) {
    let sites = &*SITES;
    sites.runtime.block_on(async {
        for served in [&sites.open, &sites.with_key] {
            let (input, is_secret) = served.fill_in(data).await;
            // A wait is requested with `Prefer: wait`, and an invalid key delays the login.
            let may_take_long = contains(data, b"wait") || contains(data, b"login");
            let patience = if may_take_long { LONG } else { PATIENCE };
            match tokio::time::timeout(patience, exchange(served, &input)).await {
                Ok(output) => {
                    response::check(&input, &output);
                    if served.needs_key() && !is_secret {
                        let leaked = contains(&output, served::CUSTOMER);
                        assert!(!leaked, "the order is shown without a key");
                    }
                }
                Err(_) => assert!(may_take_long, "the connection stays open"),
            }
            if contains(data, b"logout") {
                served.end_session();
            }
        }
    });
    assert!(!PANICKED.load(Ordering::SeqCst), "a thread panicked");
}

/// Sends bytes on a new connection, closes the client's side, and returns everything that the
/// server sends.
async fn exchange(served: &Served, input: &[u8]) -> Vec<u8> {
    let (client, server) = tokio::io::duplex(BUFFER);
    let (mut reader, mut writer) = tokio::io::split(client);
    let send = async move {
        // The server may close the connection before it has received everything.
        let _unheard = writer.write_all(input).await;
        let _closed = writer.shutdown().await;
    };
    let mut output = Vec::new();
    let receive = async {
        reader.read_to_end(&mut output).await.expect("a stream in memory does not fail");
    };
    tokio::join!(served.routes().serve_stream(server), send, receive);
    output
}

/// Returns whether `bytes` contain `part`, ignoring ASCII case.
fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// Mutations of inputs that are all rejected for the same reason would find little.
    #[test]
    fn the_corpus_causes_most_kinds_of_responses() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/http");
        let mut statuses = BTreeSet::new();
        for entry in std::fs::read_dir(corpus).unwrap() {
            let data = std::fs::read(entry.unwrap().path()).unwrap();
            let output = SITES.runtime.block_on(async {
                let (input, _) = SITES.open.fill_in(&data).await;
                tokio::time::timeout(LONG, exchange(&SITES.open, &input)).await
            });
            run(&data);
            let Ok(output) = output else { continue };
            let line = String::from_utf8_lossy(&output).chars().take(12).collect::<String>();
            statuses.insert(line.split(' ').nth(1).unwrap_or_default().to_owned());
        }
        let statuses: Vec<&str> = statuses.iter().map(String::as_str).collect();
        let expected = ["200", "201", "303", "400", "403", "409", "413", "415", "421"];
        for status in expected {
            assert!(statuses.contains(&status), "{status} is not in {statuses:?}");
        }
    }
}
