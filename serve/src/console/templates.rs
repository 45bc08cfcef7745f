//! The templates of the console.

use std::sync::OnceLock;

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use handlebars::Handlebars;
use serde_json::Value as Json;

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../templates/console/", $name, ".hbs")))),*]
    };
}

const TEMPLATES: &[(&str, &str)] = templates![
    "audit",
    "badge",
    "confirm",
    "error",
    "layout",
    "live_parts",
    "login",
    "metrics",
    "overview",
    "parked",
    "pipeline",
    "progress",
    "run",
    "runs",
];

fn registry() -> &'static Handlebars<'static> {
    static REGISTRY: OnceLock<Handlebars<'static>> = OnceLock::new();
    REGISTRY.get_or_init(|| {
        let mut registry = Handlebars::new();
        registry.set_strict_mode(true);
        for (name, text) in TEMPLATES {
            // A test parses all templates.
            let read = registry.register_template_string(name, text);
            debug_assert!(read.is_ok(), "{name}: {read:?}");
        }
        registry
    })
}

/// Renders a template. Returns an error page of one line if that fails.
pub(super) fn render_template(name: &str, data: &Json) -> Result<String, Box<Response>> {
    registry().render(name, data).map_err(|error| {
        let text = format!("cannot render the page `{name}`: {error}\n");
        Box::new((StatusCode::INTERNAL_SERVER_ERROR, text).into_response())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_can_be_parsed() {
        let mut registry = Handlebars::new();
        for (name, text) in TEMPLATES {
            registry.register_template_string(name, text).unwrap();
        }
    }
}
