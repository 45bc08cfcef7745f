//! `render-email preview --serve`: a page on this machine that shows the mails as they are now, and again when a file is saved.
//!
//! The page asks for its state and for one mail at a time; [`Current`] renders what is asked for. Only this machine is answered: the listener
//! is on loopback, and a request that came by another name is refused, so that no page elsewhere can reach it through the browser.

mod current;
mod watch;

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
use oms_serve::is_this_machine;
use serde::Deserialize;
use serde_json::json;

use crate::commands::run::STACK_BYTES;
use crate::exit::{self, Usage};
use crate::output;
use current::Current;

/// Where the page is if nobody says otherwise.
pub(crate) const ADDRESS: &str = "127.0.0.1:8025";

/// What the page may do: run and show what comes from here, and pictures of mails from wherever they are.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; \
     img-src 'self' https: data:; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What is shown: the mails of a pipeline, for its samples or for a file of orders.
#[derive(Clone)]
pub(crate) struct Subject {
    pub(crate) pipeline: PathBuf,
    pub(crate) orders: Option<PathBuf>,
    pub(crate) template: Option<String>,
}

#[derive(Clone)]
struct Shared {
    current: Arc<Mutex<Current>>,
    versions: tokio::sync::watch::Receiver<u64>,
}

/// Serves the page until somebody interrupts it.
///
/// # Errors
/// When the address cannot be listened at or the files cannot be watched.
pub(crate) fn serve(subject: Subject, address: &str, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let address: SocketAddr = address
        .parse()
        .map_err(|_| Usage(format!("`{address}` is no address and port, such as `{ADDRESS}`")))?;
    if !address.ip().is_loopback() {
        let message = "the preview is only for this machine; give a loopback address, such as";
        return Err(Usage(format!("{message} `{ADDRESS}`")).into());
    }
    let checker = crate::check::checker(kinds)?;
    let current = Current::new(subject, checker);
    let folders = current.folders();
    let (announce, versions) = tokio::sync::watch::channel(current.version());
    let current = Arc::new(Mutex::new(current));
    let renewed = Arc::clone(&current);
    let _watching = watch::changes(&folders, move || {
        let mut current = renewed.lock().unwrap_or_else(PoisonError::into_inner);
        current.renew();
        // Without a page that is open nobody listens.
        let _unheard = announce.send(current.version());
        current.folders()
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(address)
            .await
            .with_context(|| format!("`{address}` cannot be listened at"))?;
        let address = listener.local_addr()?;
        output::answer(&format!("http://{address}/\n"))?;
        output::say("the page renews itself when a file is saved; Ctrl-C ends it");
        let server = axum::serve(listener, routes(Shared { current, versions }));
        tokio::select! {
            ended = server => ended.context("the page cannot be served"),
            interrupted = tokio::signal::ctrl_c() => interrupted.context("Ctrl-C cannot be heard"),
        }
    })?;
    // Pages that are open hold their streams, and do not keep us.
    runtime.shutdown_background();
    Ok(exit::FINE)
}

fn routes(shared: Shared) -> Router {
    let text = |kind: &'static str, content: &'static str| {
        get(move || std::future::ready(([(header::CONTENT_TYPE, kind)], content)))
    };
    Router::new()
        .route("/", text("text/html; charset=utf-8", include_str!("live/page.html")))
        .route("/page.css", text("text/css; charset=utf-8", include_str!("live/page.css")))
        .route("/page.js", text("text/javascript; charset=utf-8", include_str!("live/page.js")))
        .route("/state", get(state))
        .route("/mail", get(mail))
        .route("/events", get(events))
        .layer(middleware::from_fn(guarded))
        .with_state(shared)
}

/// Refuses who asked for another host than this machine, and says what the answers may be used for.
async fn guarded(request: Request, next: Next) -> Response {
    if !is_this_machine(request.headers()) {
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

async fn state(State(shared): State<Shared>) -> Response {
    answered(shared, |current| Some(current.state())).await
}

#[derive(Deserialize)]
struct Wanted {
    id: String,
    locale: Option<String>,
}

async fn mail(State(shared): State<Shared>, Query(wanted): Query<Wanted>) -> Response {
    let Wanted { id, locale } = wanted;
    answered(shared, move |current| current.mail(&id, locale.as_deref())).await
}

/// Renders an answer, on a thread that may take its time.
async fn answered(
    shared: Shared,
    ask: impl FnOnce(&Current) -> Option<anyhow::Result<serde_json::Value>> + Send + 'static,
) -> Response {
    let asked = tokio::task::spawn_blocking(move || {
        ask(&shared.current.lock().unwrap_or_else(PoisonError::into_inner))
    });
    let failed = |error: String| {
        (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "error": error }))).into_response()
    };
    match asked.await {
        Ok(Some(Ok(answer))) => Json(answer).into_response(),
        Ok(Some(Err(error))) => failed(format!("{error:#}")),
        Ok(None) => {
            let error = json!({ "error": "there is no such mail" });
            (StatusCode::NOT_FOUND, Json(error)).into_response()
        }
        Err(error) => failed(error.to_string()),
    }
}

async fn events(
    State(shared): State<Shared>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    // What is there already is no news; the page asked for it when it opened.
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
