//! Checks that keys are unique for each order, and for each element in a step with `for_each`.

use oms_engine::diagnostic::{Finding, Place, Route, codes};
use oms_engine::expression::Compiled;
use oms_engine::step::PlanContext;

/// Warns about a key that may be the same for all elements of a step, because the second write is a
/// conflict.
pub(crate) fn check_elements(what: &str, at: Route, parts: &[&Compiled], cx: &mut PlanContext<'_>) {
    if !cx.runs_each_element() || parts.iter().any(|part| cx.depends_on_element(part)) {
        return;
    }
    let message = format!("{what} may be the same for two elements, which is a conflict");
    cx.fault(
        Finding::warning(codes::KEY_NOT_UNIQUE, Place::value(at), message)
            .help(PER_ELEMENT.to_owned()),
    );
}

/// The help on how to make a key unique for each element.
const PER_ELEMENT: &str = "include the element's index (add `index: i` to `for_each`) or a field of the element, separated by a `/`";

/// Reports a key that may not be unique. One of its parts must contain the order key, and with
/// `for_each`, one of them must contain data of the element. `at` is the place of the key.
/// `instead` is an alternative for the help text, or empty.
pub(crate) fn check(
    what: &str,
    at: Route,
    parts: &[&Compiled],
    instead: &str,
    cx: &mut PlanContext<'_>,
) {
    let by_order = parts.iter().any(|part| cx.is_unique_per_order(part));
    let by_element =
        !cx.runs_each_element() || parts.iter().any(|part| cx.depends_on_element(part));
    let (per, help) = match (by_order, by_element) {
        (true, true) => return,
        (false, _) => {
            let help = format!(
                "include the order key, such as `${{{{ run.key }}}}`, separated by a `/` from other variable parts{instead}"
            );
            ("order", help)
        }
        (true, false) => ("element", PER_ELEMENT.to_owned()),
    };
    let message = format!("{what} is not unique per {per}");
    cx.fault(Finding::error(codes::KEY_NOT_UNIQUE, Place::value(at), message).help(help));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use oms_engine::document::MemoryFiles;
    use oms_engine::plan::Checker;
    use oms_engine::step::Registry;

    const HEAD: &str = r#"
oms: 1
name: example
order:
  schema:
    type: object
    required: [id, lines]
    properties:
      id: { type: string, maxLength: 20 }
      lines: { type: array, maxItems: 10, items: { type: object, required: [sku], properties: { sku: { type: string, maxLength: 20 } } } }
  key: ${{ order.id }}
tables:
  lines: { key: [line], columns: { line: text, sku: text } }
steps:
"#;

    fn findings(step: &str) -> Vec<String> {
        let text = format!("{HEAD}{step}");
        let files = MemoryFiles::new([("a.yaml".to_owned(), Arc::from(text.into_bytes()))]);
        let checker = Checker::new(Registry::new(crate::ALL.iter().copied()).unwrap()).unwrap();
        let report = checker.check("a.yaml", &files).report;
        report
            .diagnostics()
            .iter()
            .map(|found| format!("{} {}", found.code, found.message))
            .collect()
    }

    fn put(key: &str, each: &str) -> Vec<String> {
        findings(&format!(
            "  s:\n    uses: object.put\n{each}    with: {{ bucket: docs, key: \"{key}\", body: x }}\n"
        ))
    }

    fn insert(key: &str, each: &str) -> Vec<String> {
        findings(&format!(
            "  s:\n    uses: table.insert\n{each}    with: {{ table: lines, row: {{ line: \"{key}\", sku: x }} }}\n"
        ))
    }

    const EACH: &str = "    for_each: { items: \"${{ order.lines }}\", as: line, index: i }\n";

    #[test]
    fn objects_and_rows_have_the_same_rules_for_keys() {
        for (key, each, per) in [
            ("${{ run.key }}", "", None),
            ("${{ order.id }}.json", "", None),
            ("fixed", "", Some("order")),
            ("${{ size(order.id) > 3 ? 'a' : 'b' }}", "", Some("order")),
            ("${{ run.key }}", EACH, Some("element")),
            ("${{ line.sku }}", EACH, Some("order")),
            ("${{ run.key }}-${{ line.sku }}", EACH, Some("order")),
            ("${{ run.key }}/${{ size(line.sku) }}", EACH, Some("element")),
            ("${{ run.key }}/${{ line.sku }}", EACH, None),
            ("${{ run.key }}/${{ i }}", EACH, None),
            ("x/${{ i }}", EACH, Some("order")),
        ] {
            for found in [put(key, each), insert(key, each)] {
                let errors: Vec<&String> =
                    found.iter().filter(|found| found.contains("not unique")).collect();
                match per {
                    None => assert!(found.is_empty(), "{key}: {found:?}"),
                    Some(per) => {
                        assert_eq!(errors.len(), 1, "{key}: {found:?}");
                        assert!(errors[0].ends_with(&format!("per {per}")), "{key}: {found:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_misspelled_column_causes_one_finding() {
        let found = findings(
            "  s:\n    uses: table.insert\n    with: { table: lines, row: { line: \"${{ run.key }}\", skuu: x } }\n",
        );
        assert_eq!(found.len(), 1, "{found:?}");
    }
}
