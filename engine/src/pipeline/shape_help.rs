//! Help texts for settings of the wrong shape and for keys from other formats.

use jiff::SignedDuration;
use oms_core::diagnostic::{Route, Segment};
use serde_json::{Value as Json, json};

/// Returns the help text for a setting whose value has the wrong shape. `expected` contains the
/// allowed JSON types.
pub(super) fn value_help(route: &Route, expected: &[&str], found: &Json) -> Option<String> {
    let key = match route.segments().last()? {
        Segment::Key(key) => key.as_str(),
        Segment::Index(_) => return None,
    };
    let wants = |name: &str| expected.contains(&name);
    let value = match (key, found) {
        ("oms", _) => Some(json!(1)),
        ("retry", Json::Number(attempts)) => Some(json!({ "attempts": attempts })),
        ("retry", Json::Bool(false)) => Some(json!({ "attempts": 1 })),
        ("for_each", Json::String(_) | Json::Array(_)) => Some(json!({ "items": found })),
        ("on_failure", Json::String(_)) => Some(json!({ "run": found })),
        ("on_failure", Json::Array(steps)) => match steps.as_slice() {
            [only] => Some(json!({ "run": only })),
            _ => None,
        },
        ("intake", Json::String(_)) => Some(json!({ "path": found })),
        // The text may be the secret itself, which does not belong into the file.
        ("secret", Json::String(_)) => Some(json!({ "secret": "NAME" })),
        (_, Json::Object(members)) if wants("array") && !members.is_empty() => {
            Some(members.keys().cloned().map(Json::String).collect())
        }
        (_, Json::String(_) | Json::Number(_)) if wants("array") => Some(json!([found])),
        (_, Json::String(text)) if wants("integer") => whole(key, text).map(Json::from),
        (_, Json::Number(_)) if wants("integer") => None,
        (_, Json::String(text)) if wants("boolean") => boolean(text).map(Json::from),
        _ => None,
    };
    let written = match (value, key, found) {
        (Some(value), ..) => in_flow(&value),
        (None, "columns", _) => "{ order_id: text, … }".to_owned(),
        (None, "steps", _) => "{ store: { uses: … }, … }".to_owned(),
        (None, "tables", _) => "{ bills: { key: [order_id], columns: { … } }, … }".to_owned(),
        _ => return None,
    };
    Some(format!("write `{key}: {written}`"))
}

/// Returns the known key that corresponds to a key from another format.
pub(super) fn known_key<'k>(found: &str, known: &[&'k str]) -> Option<&'k str> {
    const NAMES: [(&str, &[&str]); 12] = [
        ("uses", &["type", "kind", "action", "use", "task", "module"]),
        ("with", &["args", "arguments", "params", "parameters", "inputs", "input", "config"]),
        ("needs", &["depends_on", "dependson", "depends", "after", "requires", "dependencies"]),
        ("when", &["if", "condition", "only_if", "onlyif", "cond"]),
        ("for_each", &["foreach", "loop", "each", "with_items", "matrix", "map"]),
        ("retry", &["retries", "attempts", "max_attempts", "maxattempts", "max_retries"]),
        ("timeout_seconds", &["timeout", "timeout_ms", "timeoutseconds", "timeout_minutes"]),
        ("on_failure", &["on_error", "onfailure", "onerror", "catch", "rescue", "except"]),
        ("step", &["id", "name"]),
        ("run", &["step", "then", "steps"]),
        ("oms", &["version", "apiversion", "api_version"]),
        ("max_concurrency", &["max", "concurrency", "parallel", "parallelism"]),
    ];
    let plain = found.to_lowercase().replace('-', "_");
    let matching = NAMES.iter().filter(|(_, others)| others.contains(&plain.as_str()));
    matching.into_iter().find_map(|(name, _)| known.iter().find(|known| **known == *name).copied())
}

/// Returns the help text that replaces a key from another format with ours and converts its value.
pub(super) fn key_help(matching: &str, found: &str, value: &Json) -> String {
    let value = match (matching, value) {
        ("retry", Json::Number(attempts)) if found.contains("retries") => {
            // `attempts` includes the first attempt.
            let attempts = attempts.as_u64().map_or(1, |retries| retries.saturating_add(1));
            Some(json!({ "attempts": attempts }))
        }
        ("retry", Json::Number(_)) => Some(json!({ "attempts": value })),
        ("timeout_seconds", Json::String(text)) => whole(matching, text).map(Json::from),
        ("timeout_seconds", Json::Number(number)) => {
            let number = number.as_u64().unwrap_or(1);
            let seconds = match found {
                "timeout_ms" => number.div_ceil(1000),
                "timeout_minutes" => number.saturating_mul(60),
                _ => number,
            };
            Some(Json::from(seconds))
        }
        ("on_failure", Json::String(_)) => Some(json!({ "run": value })),
        ("for_each", Json::String(_) | Json::Array(_)) => Some(json!({ "items": value })),
        ("needs", Json::String(_)) => Some(json!([value])),
        ("oms", _) => Some(json!(1)),
        ("uses" | "when" | "step" | "run" | "max_concurrency", _) => Some(value.clone()),
        _ => None,
    };
    match value.filter(|value| !value.is_object() || matching != "with") {
        Some(value) => format!("write `{matching}: {}`", in_flow(&value)),
        None => format!("use `{matching}` instead"),
    }
}

/// Parses an integer, or a duration in the unit of the key.
fn whole(key: &str, text: &str) -> Option<i64> {
    if let Ok(number) = text.trim().parse() {
        return Some(number);
    }
    let duration: SignedDuration = text.trim().parse().ok()?;
    match key {
        key if key.ends_with("_seconds") => {
            let whole = duration.as_secs();
            Some(if duration.subsec_nanos() > 0 { whole + 1 } else { whole })
        }
        key if key.ends_with("_ms") => i64::try_from(duration.as_millis()).ok(),
        _ => None,
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "true" | "yes" | "on" | "y" => Some(true),
        "false" | "no" | "off" | "n" => Some(false),
        _ => None,
    }
}

/// Writes a value as YAML on one line.
fn in_flow(value: &Json) -> String {
    match value {
        Json::String(text) => {
            let plain =
                |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '*');
            let is_word =
                text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(plain);
            let is_other = matches!(text.as_str(), "true" | "false" | "null");
            if is_word && !is_other {
                text.clone()
            } else if text.contains('"') && !text.contains('\'') {
                format!("'{text}'")
            } else {
                value.to_string()
            }
        }
        Json::Array(elements) => {
            format!("[{}]", elements.iter().map(in_flow).collect::<Vec<_>>().join(", "))
        }
        Json::Object(members) => {
            let members = members.iter().map(|(key, value)| format!("{key}: {}", in_flow(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help(key: &str, expected: &str, found: Json) -> Option<String> {
        value_help(&Route::root().key("steps").key("a").key(key), &[expected], &found)
    }

    #[test]
    fn a_setting_of_the_wrong_shape_has_a_help_text() {
        for (key, expected, found, written) in [
            ("needs", "array", json!("store"), "needs: [store]"),
            ("needs", "array", json!({ "store": {} }), "needs: [store]"),
            ("allow", "array", json!("skipped"), "allow: [skipped]"),
            ("samples", "array", json!("s/*.json"), "samples: [s/*.json]"),
            ("retry", "object", json!(3), "retry: { attempts: 3 }"),
            ("retry", "object", json!(false), "retry: { attempts: 1 }"),
            ("on_failure", "object", json!("x"), "on_failure: { run: x }"),
            ("oms", "integer", json!("1"), "oms: 1"),
            ("timeout_seconds", "integer", json!("5s"), "timeout_seconds: 5"),
            ("timeout_seconds", "integer", json!("2m"), "timeout_seconds: 120"),
            ("initial_ms", "integer", json!("1s 500ms"), "initial_ms: 1500"),
            ("attempts", "integer", json!("3"), "attempts: 3"),
            (
                "for_each",
                "object",
                json!("${{ order.items }}"),
                "for_each: { items: \"${{ order.items }}\" }",
            ),
            ("pii", "boolean", json!("yes"), "pii: true"),
        ] {
            assert_eq!(help(key, expected, found), Some(format!("write `{written}`")));
        }
        assert_eq!(help("attempts", "integer", json!("many")), None);
    }

    #[test]
    fn a_key_from_another_format_is_recognized() {
        let known =
            ["uses", "with", "needs", "when", "for_each", "retry", "timeout_seconds", "on_failure"];
        for (found, value, written) in [
            ("timeout", json!("5s"), "write `timeout_seconds: 5`"),
            ("timeout_minutes", json!(2), "write `timeout_seconds: 120`"),
            ("retries", json!(3), "write `retry: { attempts: 4 }`"),
            ("depends_on", json!(["a"]), "use `needs` instead"),
            ("depends-on", json!("a"), "write `needs: [a]`"),
            ("if", json!("${{ order.gift }}"), "write `when: \"${{ order.gift }}\"`"),
            ("on_error", json!("x"), "write `on_failure: { run: x }`"),
            ("args", json!({ "a": 1 }), "use `with` instead"),
        ] {
            assert_eq!(
                known_key(found, &known)
                    .map(|matching| key_help(matching, found, &value))
                    .as_deref(),
                Some(written)
            );
        }
        assert_eq!(known_key("id", &known), None);
    }
}
