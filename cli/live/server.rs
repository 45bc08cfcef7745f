//! `render-email preview --serve`: a local page that shows the current e-mails and updates when a
//! file is saved.
//!
//! The page requests its state and one e-mail at a time, and [`Current`] renders them. The listener
//! is on a loopback address and rejects requests for other hosts, so that pages of other sites
//! cannot reach it through the browser.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use axum::extract::{Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::stream::{self, Stream};
use oms_engine::step::StepKind;
use oms_serve::{PALETTE, names_this_machine};
use serde::Deserialize;
use serde_json::json;

use super::current::Current;
use super::watch;
use crate::exit::{self, Usage};
use crate::output;
use crate::runtime;

/// The default address of the page.
pub(crate) const ADDRESS: &str = "127.0.0.1:8025";

/// The content security policy of the page: resources of this server, and images in e-mails from
/// any HTTPS address or `data:` URL.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; \
     img-src 'self' https: data:; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The e-mails to show: those of a pipeline, for its samples or for a file of orders.
#[derive(Clone)]
pub(crate) struct Subject {
    pub(crate) pipeline: PathBuf,
    pub(crate) orders: Option<PathBuf>,
    pub(crate) template: Option<String>,
}

#[derive(Clone)]
struct ServerState {
    current: Arc<Mutex<Current>>,
    versions: tokio::sync::watch::Receiver<u64>,
}

/// Serves the page until the command is interrupted.
///
/// # Errors
/// Returns an error if the address cannot be used or the files cannot be watched.
pub(crate) fn serve(subject: Subject, address: &str, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let address: SocketAddr = address.parse().map_err(|_| {
        Usage(format!("expected an address with a port, such as `{ADDRESS}`, found `{address}`"))
    })?;
    if !address.ip().is_loopback() {
        let message = "the preview runs only on this machine; use a loopback address, such as";
        return Err(Usage(format!("{message} `{ADDRESS}`")).into());
    }
    let checker = crate::check::checker(kinds)?;
    let current = Current::new(subject, checker);
    let folders = current.folders();
    let (announce, versions) = tokio::sync::watch::channel(current.version());
    let current = Arc::new(Mutex::new(current));
    let reloaded = Arc::clone(&current);
    let _watching = watch::on_change(&folders, move || {
        let mut current = reloaded.lock().unwrap_or_else(PoisonError::into_inner);
        current.reload();
        // Without an open page, there is no receiver.
        let _unheard = announce.send(current.version());
        current.folders()
    })?;
    let runtime = runtime::multi_thread()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on `{address}`"))?;
        let address = listener.local_addr()?;
        output::result(&format!("http://{address}/\n"))?;
        output::message("the page updates when a file is saved; press Ctrl-C to stop");
        let server = axum::serve(listener, routes(ServerState { current, versions }));
        tokio::select! {
            ended = server => ended.context("cannot serve the page"),
            interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot listen for Ctrl-C"),
        }
    })?;
    // Open pages keep their streams open. The shutdown does not wait for them.
    runtime.shutdown_background();
    Ok(exit::SUCCESS)
}

fn routes(shared: ServerState) -> Router {
    let text = |kind: &'static str, content: &'static str| {
        get(move || std::future::ready(([(header::CONTENT_TYPE, kind)], content)))
    };
    Router::new()
        .route("/", text("text/html; charset=utf-8", include_str!("page.html")))
        .route("/page.css", get(style))
        .route("/page.js", text("text/javascript; charset=utf-8", include_str!("page.js")))
        .route("/state", get(state))
        .route("/mail", get(mail))
        .route("/events", get(events))
        .layer(middleware::from_fn(security_headers))
        .with_state(shared)
}

/// Rejects requests for a host other than this machine, and adds security headers to the responses.
async fn security_headers(request: Request, next: Next) -> Response {
    if !names_this_machine(request.headers()) {
        return StatusCode::MISDIRECTED_REQUEST.into_response();
    }
    let mut response = next.run(request).await;
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, header::HeaderValue::from_static(value));
    }
    response
}

async fn style() -> impl IntoResponse {
    let sheet = [PALETTE, include_str!("page.css")].concat();
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], sheet)
}

async fn state(State(shared): State<ServerState>) -> Response {
    respond(shared, |current| Some(current.state())).await
}

#[derive(Deserialize)]
struct MailQuery {
    id: String,
    locale: Option<String>,
}

async fn mail(State(shared): State<ServerState>, Query(query): Query<MailQuery>) -> Response {
    let MailQuery { id, locale } = query;
    respond(shared, move |current| current.mail(&id, locale.as_deref())).await
}

/// Renders a response on a thread that may block.
async fn respond(
    shared: ServerState,
    ask: impl FnOnce(&Current) -> Option<anyhow::Result<serde_json::Value>> + Send + 'static,
) -> Response {
    let rendered = tokio::task::spawn_blocking(move || {
        ask(&shared.current.lock().unwrap_or_else(PoisonError::into_inner))
    });
    let failed = |error: String| {
        (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "error": error }))).into_response()
    };
    match rendered.await {
        Ok(Some(Ok(answer))) => Json(answer).into_response(),
        Ok(Some(Err(error))) => failed(format!("{error:#}")),
        Ok(None) => {
            let error = json!({ "error": "this e-mail does not exist" });
            (StatusCode::NOT_FOUND, Json(error)).into_response()
        }
        Err(error) => failed(error.to_string()),
    }
}

async fn events(
    State(shared): State<ServerState>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    // The page requested the current version when it opened.
    let mut versions = shared.versions;
    versions.mark_unchanged();
    let news = stream::unfold(versions, async |mut versions| {
        versions.changed().await.ok()?;
        let version = *versions.borrow_and_update();
        Some((Ok(Event::default().data(version.to_string())), versions))
    });
    let opened = stream::once(std::future::ready(Ok(Event::default().comment("open"))));
    Sse::new(stream::StreamExt::chain(opened, news)).keep_alive(KeepAlive::default())
}
