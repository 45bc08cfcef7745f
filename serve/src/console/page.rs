//! Pages: their layout, their headers and their status.

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Response};
use oms_clock::SystemClock;
use oms_engine::effects::Clock as _;
use oms_engine::run::RunState;
use serde_json::{Value as Json, json};

use super::templates::render_template;
use super::visit::Visit;
use crate::format;
use crate::state::flow::Flow;

/// The content security policy of a page: resources of this server, images in `data:` URLs, and no
/// inline code.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// The content security policy of an e-mail in a frame: inline styles and embedded images only.
const MAIL_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox";

const COOP: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

fn html(status: StatusCode, policy: &'static str, text: String) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, policy),
        (REFERRER_POLICY, "same-origin"),
        (CACHE_CONTROL, "no-store"),
        (COOP, "same-origin"),
    ];
    (status, headers, text).into_response()
}

/// A page.
pub(crate) struct Page<'a> {
    pub(crate) template: &'a str,
    /// The title in the browser.
    pub(crate) title: &'a str,
    /// The area of the console that it belongs to.
    pub(crate) area: &'a str,
    pub(crate) status: StatusCode,
    pub(crate) data: Json,
}

impl<'a> Page<'a> {
    pub(crate) const fn new(template: &'a str, title: &'a str, area: &'a str, data: Json) -> Self {
        Self { template, title, area, status: StatusCode::OK, data }
    }

    /// Creates a page without data, for [`read`](Self::read).
    pub(crate) const fn named(template: &'a str, title: &'a str, area: &'a str) -> Self {
        Self::new(template, title, area, Json::Null)
    }

    /// Creates an error page.
    pub(crate) fn error(status: StatusCode, message: &'a str, help: &str) -> Self {
        let data = json!({ "status": status.as_str(), "message": message, "help": help });
        Self { status, ..Self::new("error", message, "error", data) }
    }

    /// Renders the page with its data, or an error page if the data could not be read.
    pub(crate) fn read(self, read: Result<Json, oms_sqlite::Error>, visit: &mut Visit) -> Response {
        match read {
            Ok(data) => Self { data, ..self }.render(visit),
            Err(error) => {
                let message = format!("{} cannot be shown", self.title);
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                Page::error(status, &message, &error.to_string()).render(visit)
            }
        }
    }

    /// Renders the page for a visitor.
    pub(crate) fn render(self, visit: &mut Visit) -> Response {
        let flows = visit.site.flows.iter();
        let names: Vec<String> = flows.map(|flow| flow.plan().name().to_string()).collect();
        let current = visit.index.and_then(|at| names.get(at)).cloned().unwrap_or_default();
        // If the page counted the parked runs, the badge shows the same number.
        let parked = self.data["parked_now"].as_i64();
        let parked = parked.or_else(|| visit.flow().map(count_parked)).unwrap_or_default();
        let pipelines: Vec<Json> = match visit.index {
            Some(_) => names
                .iter()
                .map(|name| json!({ "name": name, "current": *name == current }))
                .collect(),
            None => Vec::new(),
        };
        let notice = visit.notice.take().unwrap_or_default();
        let layout = json!({
            "pipeline": current,
            "pipelines": pipelines,
            "user": visit.who,
            "can_log_out": visit.logged_in,
            "csrf": visit.csrf,
            "notice": notice.text,
            "notice_tone": notice.tone.class(),
        });
        visit.with_cookie(self.within_layout(layout, parked))
    }

    /// Renders the page for a visitor without a session.
    pub(crate) fn render_without_session(self) -> Response {
        let layout = json!({
            "pipeline": "", "pipelines": [], "user": "", "can_log_out": false, "csrf": "", "notice": "", "notice_tone": "",
        });
        self.within_layout(layout, 0)
    }

    /// Renders the page within the layout.
    fn within_layout(self, mut layout: Json, parked: i64) -> Response {
        let page = json!({ "title": self.title, "area": self.area, "page": self.data });
        let areas = ["overview", "runs", "parked", "pipeline", "audit"];
        if let (Some(layout), Json::Object(page), Json::Object(live)) =
            (layout.as_object_mut(), page, live_parts(parked))
        {
            layout.extend(page);
            layout.extend(live);
            layout.extend(areas.map(|area| (format!("is_{area}"), json!(self.area == area))));
        }
        let response = render_template(self.template, &layout);
        response.map_or_else(|error| *error, |text| html(self.status, POLICY, text))
    }
}

/// Returns how many runs of a flow are parked.
pub(crate) fn count_parked(flow: &Flow) -> i64 {
    let open = flow.runner.count_open().unwrap_or_default();
    open.iter().find(|(state, _)| *state == RunState::Parked).map_or(0, |(_, count)| *count)
}

/// Returns the live values of the layout: the number of parked runs and the current time.
fn live_parts(parked: i64) -> Json {
    let count = if parked == 0 { String::new() } else { format::count(parked) };
    json!({ "parked_count": count, "now": format!("{:.0}", SystemClock.now()) })
}

/// Returns a page fragment for a live update, together with the live values of the layout.
pub(crate) fn fragment(
    template: &str,
    pipeline: &str,
    read: Result<Json, oms_sqlite::Error>,
) -> Response {
    let Ok(data) = read else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let live =
        render_template("live_parts", &live_parts(data["parked_now"].as_i64().unwrap_or_default()));
    let data = json!({ "pipeline": pipeline, "page": data });
    let whole = render_template(template, &data).and_then(|text| Ok(text + &live?));
    whole.map_or_else(|error| *error, |text| html(StatusCode::OK, POLICY, text))
}

/// Returns a page that reloads itself, so that the request comes from this site.
pub(crate) fn reload_page() -> Response {
    let text = "<!doctype html><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"0\"><title>oms</title>\n";
    html(StatusCode::OK, POLICY, text.to_owned())
}

/// Returns an e-mail as the content of a frame.
pub(crate) fn mail_frame(text: String) -> Response {
    html(StatusCode::OK, MAIL_POLICY, text)
}
