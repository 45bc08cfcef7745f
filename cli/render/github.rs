//! Findings as workflow commands. GitHub Actions shows them next to the lines of a pull request.

use oms_engine::diagnostic::{Diagnostic, Report, Severity};

use super::place;

/// Returns a line with a command for each finding.
pub fn github(report: &Report) -> String {
    report.diagnostics().iter().map(|diagnostic| command(report, diagnostic) + "\n").collect()
}

fn command(report: &Report, diagnostic: &Diagnostic) -> String {
    let command = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut properties = place_properties(report, diagnostic);
    properties.push(format!("title={}", property(&diagnostic.code.to_string())));
    let mut message = diagnostic.message.clone();
    if let Some(label) = diagnostic.primary().filter(|label| !label.text.is_empty()) {
        message += &format!("\n{}", label.text);
    }
    if let Some(help) = &diagnostic.help {
        message += &format!("\nhelp: {help}");
    }
    format!("::{command} {}::{}", properties.join(","), data(&message))
}

fn place_properties(report: &Report, diagnostic: &Diagnostic) -> Vec<String> {
    let Some(label) = diagnostic.primary() else { return Vec::new() };
    let mut properties = vec![format!("file={}", property(&label.path))];
    let Some(source) = report.source(&label.path) else { return properties };
    let (start, end) = place::positions(source, &label.span);
    properties.push(format!("line={}", start.line));
    properties.push(format!("endLine={}", end.line));
    // The runner rejects columns for a range of several lines.
    if start.line == end.line {
        properties.push(format!("col={}", start.column));
        properties.push(format!("endColumn={}", end.column));
    }
    properties
}

/// Escapes the text of a command. The rules are those of `command.ts` in GitHub's actions toolkit.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes the value of a property, including the separators between properties.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use oms_engine::diagnostic::{Label, codes};

    #[test]
    fn a_finding_is_one_line_with_its_place() {
        let expected = "\
::error file=pipelines/refund.yaml,line=10,endLine=10,col=13,endColumn=19,title=OMS0303::\
steps wait for each other in a circle%0A`charge` waits for `notify`%0Ahelp: drop one of these two entries
::warning file=pipelines/refund.yaml,line=6,endLine=6,col=11,endColumn=21,title=OMS0302::\
50%25 of `notify` is never used, at all
";
        assert_eq!(github(&samples::report()), expected);
    }

    #[test]
    fn separators_are_escaped_and_multi_line_ranges_have_no_columns() {
        let path = "a,b:c%/d.yaml";
        let mut report = Report::new();
        report.add_source(&path.into(), &"a: |\n  b\n".into());
        let label = Label { path: path.into(), span: 0..7, text: String::new(), primary: true };
        let labels = vec![label];
        report.push(samples::finding(
            codes::WRONG_SHAPE,
            Severity::Error,
            "x\r\n::error::y",
            labels,
        ));
        report.push(samples::finding(codes::ORDER_SYNTAX, Severity::Error, "nowhere", vec![]));
        let expected = "\
::error file=a%2Cb%3Ac%25/d.yaml,line=1,endLine=2,title=OMS0202::x%0D%0A::error::y
::error title=OMS0601::nowhere
";
        assert_eq!(github(&report), expected);
    }
}
