//! The summary of a check: a line for each file, and a total.

use oms_engine::diagnostic::Report;
use oms_engine::value::format_quantity;

use super::table::table_with_gap;

/// The result for one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSummary {
    /// The path as shown.
    pub path: String,
    /// The number of errors.
    pub errors: usize,
    /// The number of warnings.
    pub warnings: usize,
    /// The number of steps, if the pipeline has no errors.
    pub steps: Option<usize>,
}

impl FileSummary {
    /// Counts the findings in the report on one file.
    pub fn new(path: impl Into<String>, report: &Report, steps: Option<usize>) -> Self {
        let (errors, warnings) = (report.errors(), report.warnings());
        Self { path: path.into(), errors, warnings, steps }
    }

    fn result(&self) -> String {
        if self.errors > 0 {
            return counts(self.errors, self.warnings);
        }
        let mut parts = vec!["ok".to_owned()];
        parts.extend(self.steps.map(|steps| quantity(steps, "step")));
        if self.warnings > 0 {
            parts.push(quantity(self.warnings, "warning"));
        }
        parts.join("   ")
    }
}

/// Returns the counts, such as `1 error, 2 warnings`. Counts of 0 are omitted. Without findings,
/// returns `ok`.
pub fn counts(errors: usize, warnings: usize) -> String {
    match (errors, warnings) {
        (0, 0) => "ok".to_owned(),
        (0, _) => quantity(warnings, "warning"),
        (_, 0) => quantity(errors, "error"),
        _ => format!("{}, {}", quantity(errors, "error"), quantity(warnings, "warning")),
    }
}

/// Returns a line for each file, and a total if there are several files.
pub fn summary(files: &[FileSummary]) -> String {
    let rows: Vec<_> = files.iter().map(|file| vec![file.path.clone(), file.result()]).collect();
    let mut text = table_with_gap(&rows, 3);
    if files.len() > 1 {
        let errors = files.iter().map(|file| file.errors).sum();
        let warnings = files.iter().map(|file| file.warnings).sum();
        text += &format!("{}: {}\n", quantity(files.len(), "file"), counts(errors, warnings));
    }
    text
}

fn quantity(number: usize, noun: &str) -> String {
    format_quantity(number as u64, noun)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_use_the_singular_and_the_plural() {
        let cases = [
            (0, 0, "ok"),
            (1, 0, "1 error"),
            (2, 0, "2 errors"),
            (0, 1, "1 warning"),
            (1, 1, "1 error, 1 warning"),
            (3, 2, "3 errors, 2 warnings"),
        ];
        for (errors, warnings, expected) in cases {
            assert_eq!(counts(errors, warnings), expected);
        }
    }

    #[test]
    fn files_are_in_columns_and_the_last_line_is_the_total() {
        let file = |path: &str, errors, warnings, steps| FileSummary {
            path: path.to_owned(),
            errors,
            warnings,
            steps,
        };
        let files = [
            file("pipelines/order-intake.yaml", 0, 0, Some(7)),
            file("pipelines/refund.yaml", 1, 1, Some(3)),
            file("pipelines/single.yaml", 0, 1, Some(1)),
        ];
        let expected = "\
pipelines/order-intake.yaml   ok   7 steps
pipelines/refund.yaml         1 error, 1 warning
pipelines/single.yaml         ok   1 step   1 warning
3 files: 1 error, 2 warnings
";
        assert_eq!(summary(&files), expected);
        assert_eq!(summary(&files[..1]), "pipelines/order-intake.yaml   ok   7 steps\n");
        assert_eq!(summary(&[]), "");
    }
}
