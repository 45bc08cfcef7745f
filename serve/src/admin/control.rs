//! The control socket of a running server. The command line sends its requests to the socket in the
//! state directory.

use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use oms_runtime::control::{Request, Response, at_socket, socket};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::requests::execute;
use crate::state::flow::Flow;
use crate::state::site::Site;

/// Maximum size of a request in bytes. It allows for two million runs.
const REQUEST_MAX: u64 = 32 << 20;
/// Time limit for reading a request, and for writing the response.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of concurrent clients. Others wait in the socket's backlog.
const CLIENTS_MAX: usize = 64;
/// Delay after a failed `accept`, for example because no file descriptor is free.
const ACCEPT_DELAY: Duration = Duration::from_millis(50);

/// Listens on the socket of a state directory.
///
/// # Errors
/// Returns an error if the socket cannot be created.
pub(crate) fn open(directory: &Path) -> io::Result<UnixListener> {
    let path = socket(directory);
    // The umask sets the mode of a new socket. It therefore gets its own mode in a private
    // directory, before others can reach it.
    let folder = directory.join(".new");
    let _left_by_a_crash = std::fs::remove_dir_all(&folder);
    std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700))?;
    let new = socket(&folder);
    let listener = at_socket(&folder, |path| UnixListener::bind(path))?;
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&new, &path)?;
    std::fs::remove_dir(&folder)?;
    Ok(listener)
}

/// Serves the clients at the socket of a flow until the future is dropped.
pub(crate) async fn serve_socket(site: Arc<Site>, index: usize, listener: UnixListener) {
    let Some(flow) = site.flows.get(index) else { return };
    let execution = Mutex::new(());
    let mut clients = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(_broken) = clients.next(), if !clients.is_empty() => {}
            accepted = listener.accept(), if clients.len() < CLIENTS_MAX => match accepted {
                Ok((stream, _)) => clients.push(serve_client(flow, stream, &execution)),
                Err(_) => tokio::time::sleep(ACCEPT_DELAY).await,
            },
        }
    }
}

/// Serves one client. Requests of several clients are read concurrently, because a client may be
/// silent, and executed one after the other.
async fn serve_client(flow: &Flow, stream: UnixStream, execution: &Mutex<()>) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut read = BufReader::new(read.take(REQUEST_MAX));
    let received = timeout(CLIENT_TIMEOUT, read.read_line(&mut line)).await;
    let response = match received.map(|read| read.map(|_| serde_json::from_str::<Request>(&line))) {
        Ok(Ok(Ok(request))) => {
            let _only_one = execution.lock().await;
            execute(flow, request).await
        }
        Ok(Ok(Err(error))) => Response::Failed(format!("invalid request: {error}")),
        Ok(Err(error)) => return Err(error),
        Err(_) => Response::Failed("no request within the time limit".to_owned()),
    };
    let mut bytes = serde_json::to_vec(&response)?;
    bytes.push(b'\n');
    timeout(CLIENT_TIMEOUT, write.write_all(&bytes)).await?
}
