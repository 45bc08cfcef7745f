//! Reports for the tests of this module.

use std::sync::Arc;

use oms_engine::diagnostic::{Code, Diagnostic, Label, Report, Severity, codes};

pub(super) const REFUND: &str = "\
oms: 1
name: refund

steps:
  notify:
    uses: email.send
    needs: [charge]
  charge:
    uses: topic.publish
    needs: [notify]
";

/// Returns a label at the `nth` occurrence (from 0) of `needle` in `text`.
pub(super) fn label(
    path: &str,
    text: &str,
    needle: &str,
    nth: usize,
    note: &str,
    primary: bool,
) -> Label {
    let (start, _) = text.match_indices(needle).nth(nth).unwrap();
    Label { path: path.into(), span: start..start + needle.len(), text: note.into(), primary }
}

pub(super) fn finding(
    code: Code,
    severity: Severity,
    message: &str,
    labels: Vec<Label>,
) -> Diagnostic {
    Diagnostic { code, severity, message: message.into(), labels, help: None }
}

/// Returns two findings. The second one also has a label in another file.
pub(super) fn report() -> Report {
    let (path, other): (Arc<str>, Arc<str>) =
        ("pipelines/refund.yaml".into(), "a b/order.json".into());
    let schema = "{\n  \"title\": \"größe\"\n}";
    let mut report = Report::new();
    report.add_source(&path, &REFUND.into());
    report.add_source(&other, &schema.into());
    let mut circle = finding(
        codes::CYCLE,
        Severity::Error,
        "steps wait for each other in a circle",
        vec![
            label(&path, REFUND, "notify", 1, "`charge` waits for `notify`", true),
            label(&path, REFUND, "charge", 0, "`notify` waits for `charge`", false),
        ],
    );
    circle.help = Some("drop one of these two entries".into());
    report.push(circle);
    report.push(finding(
        codes::UNREACHABLE_STEP,
        Severity::Warning,
        "50% of `notify` is never used, at all",
        vec![
            label(&path, REFUND, "email.send", 0, "", true),
            label(&other, schema, "größe", 0, "declared here", false),
        ],
    ));
    report
}
