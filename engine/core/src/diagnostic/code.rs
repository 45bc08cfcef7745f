//! The numbered kinds of findings. A number is never reused; each has a page under `docs/errors/`.

use std::fmt;

use serde::{Serialize, Serializer};

/// A numbered kind of finding, such as `OMS0303`. The first two digits are the phase: 01 document,
/// 02 schema, 03 graph, 04 step and expression, 05 template, 06 order, 07 AWS Lambda.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code {
    number: u16,
    title: &'static str,
    page: &'static str,
}

impl Code {
    /// Returns the number without the prefix.
    pub const fn number(self) -> u16 {
        self.number
    }

    /// Returns a short description of the finding.
    pub const fn title(self) -> &'static str {
        self.title
    }

    /// Returns the Markdown page that explains the code.
    pub const fn page(self) -> &'static str {
        self.page
    }

    /// Finds a code by its name, such as `OMS0303`, `oms0303` or `303`.
    pub fn find(name: &str) -> Option<Self> {
        let digits = name.trim_start_matches(['O', 'M', 'S', 'o', 'm', 's']);
        let number: u16 = digits.parse().ok()?;
        codes::ALL.iter().copied().find(|code| code.number == number)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OMS{:04}", self.number)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Declares the codes and includes their pages. A code without a page does not compile.
macro_rules! codes {
    ($($name:ident = $number:literal, $file:literal, $title:literal;)*) => {
        /// All codes.
        pub mod codes {
            use super::Code;
            $(
                #[doc = $title]
                pub const $name: Code = Code {
                    number: $number,
                    title: $title,
                    page: include_str!(concat!("../../../../docs/errors/", $file, ".md")),
                };
            )*
            /// All codes, sorted by number.
            pub static ALL: &[Code] = &[$($name),*];
        }
    };
}

codes! {
    YAML_SYNTAX = 101, "OMS0101", "invalid YAML";
    DUPLICATE_KEY = 102, "OMS0102", "duplicate key";
    DOCUMENT_LIMIT = 103, "OMS0103", "the file exceeds a limit on size or nesting";
    NOT_UTF8 = 104, "OMS0104", "the file is not UTF-8 text";
    FILE_UNREADABLE = 105, "OMS0105", "a file that the pipeline refers to cannot be read";
    USELESS_ALLOW = 107, "OMS0107", "a comment that allows a warning has no effect";

    UNKNOWN_KEY = 201, "OMS0201", "unknown key";
    WRONG_SHAPE = 202, "OMS0202", "a value has the wrong YAML type";
    MISSING_KEY = 203, "OMS0203", "a required key is missing";
    VALUE_NOT_ALLOWED = 204, "OMS0204", "a value is not allowed here";
    NUMBER_FOR_DECIMAL = 205, "OMS0205", "a number is used where an exact decimal is required";
    BAD_NAME = 206, "OMS0206", "invalid name";
    ORDER_SCHEMA = 207, "OMS0207", "the order schema cannot be used";
    ORDER_KEY = 208, "OMS0208", "the order key cannot identify a run";
    SAMPLE = 209, "OMS0209", "a sample order does not match the order schema";
    SEED = 210, "OMS0210", "a seed row does not match its table";
    TABLE = 211, "OMS0211", "invalid table declaration";
    RATES = 212, "OMS0212", "a rate table cannot be used";
    INTAKE_PATH = 213, "OMS0213", "an intake path is invalid or already in use";
    TIME_ZONE = 214, "OMS0214", "unknown time zone";
    RETRY_WAIT = 215, "OMS0215", "a retry waits less than configured";
    PERSONAL_KEY = 216, "OMS0216", "the order key is personal data";
    UNUSED_SETTING = 217, "OMS0217", "a setting has no effect";
    UNSIGNED_KEY = 219, "OMS0219", "a signature does not cover the order key";
    IGNORED_MEMBER = 220, "OMS0220", "a member of an order cannot be ignored";
    IGNORED_MEMBER_USED = 221, "OMS0221", "a step uses an ignored member";
    RETRY_CAUSE = 222, "OMS0222", "a step cannot fail with a cause in `retry.on`";
    UNENCRYPTED_SERVICE = 227, "OMS0227", "credentials are sent unencrypted";

    UNKNOWN_STEP = 301, "OMS0301", "unknown step";
    UNREACHABLE_STEP = 302, "OMS0302", "a step can never run, or its condition has no effect";
    CYCLE = 303, "OMS0303", "steps depend on each other in a cycle";
    CATCH = 304, "OMS0304", "invalid use of a catch step";
    HANDLER = 305, "OMS0305", "invalid handler";
    DUPLICATE_NEED = 306, "OMS0306", "duplicate entry in `needs`";

    OUTDATED_READ = 307, "OMS0307", "a row may be overwritten with outdated data";

    UNKNOWN_KIND = 401, "OMS0401", "unknown step kind";
    EXPRESSION_SYNTAX = 402, "OMS0402", "syntax error in an expression";
    UNKNOWN_NAME = 403, "OMS0403", "unknown name in an expression";
    EXPRESSION_TYPE = 404, "OMS0404", "an operation does not support its operands";
    WRONG_TYPE = 405, "OMS0405", "a value has the wrong type";
    MAY_BE_MISSING = 406, "OMS0406", "a value that may be missing is used without a check";
    CURRENCY_MISMATCH = 407, "OMS0407", "amounts in different currencies are combined";
    MAY_FAIL = 408, "OMS0408", "an operation may fail and is not guarded";
    WHEN_NOT_BOOLEAN = 409, "OMS0409", "`when` is not a condition";
    NOT_A_LIST = 410, "OMS0410", "`for_each` is not a list";
    UNKNOWN_RESOURCE = 411, "OMS0411", "unknown table, rate table or template";
    ROW = 412, "OMS0412", "a row does not match its table";
    KEY_NOT_UNIQUE = 413, "OMS0413", "a row's key is not unique per order";
    UNSAFE_RETRY = 414, "OMS0414", "a step with retries is not safe to repeat";
    NO_SUCH_RATE = 415, "OMS0415", "a rate table has no rates for a currency";
    MAY_NOT_FIT = 416, "OMS0416", "a value may be too large for its column";
    EXPRESSION_LIMIT = 417, "OMS0417", "an expression is too large or nested too deeply";
    CURRENCY_UNKNOWN = 418, "OMS0418", "unknown currency code";
    MISSING_BRACES = 419, "OMS0419", "a text looks like an expression without braces";
    LIST_LIMIT = 420, "OMS0420", "a list may be too long for a step";
    UNFIT_VALUE = 421, "OMS0421", "the order schema describes a value that no order can have";

    TEMPLATE_MISSING = 501, "OMS0501", "an e-mail template is incomplete";
    TEMPLATE_SYNTAX = 502, "OMS0502", "syntax error in a template";
    TEMPLATE_NAME = 503, "OMS0503", "unknown name in a template";
    TEMPLATE_MAY_BE_MISSING = 504, "OMS0504", "a template prints a value that may be missing";
    TEMPLATE_HELPER = 505, "OMS0505", "unknown helper or partial in a template";
    TEMPLATE_UNESCAPED = 506, "OMS0506", "a template prints a value without escaping";
    TEMPLATE_SUBJECT = 507, "OMS0507", "a subject has more than one line";
    TEMPLATE_SHAPE = 508, "OMS0508", "a template uses a value incorrectly";
    TEMPLATE_MJML = 509, "OMS0509", "invalid MJML in an e-mail";
    TEMPLATE_LOCALE = 510, "OMS0510", "an e-mail is not fully translated";
    TEMPLATE_ALT = 511, "OMS0511", "an image in an e-mail has no alternative text";
    TEMPLATE_LINK = 512, "OMS0512", "a link in an e-mail is not encrypted";
    TEMPLATE_SAMPLE = 513, "OMS0513", "the sample of an e-mail does not match its data";
    TEMPLATE_CONTRAST = 514, "OMS0514", "text in an e-mail has too little contrast";
    TEMPLATE_CSS = 515, "OMS0515", "e-mail clients drop this CSS";
    TEMPLATE_LENGTH = 516, "OMS0516", "an e-mail is longer than e-mail clients show";
    TEMPLATE_LINK_TARGET = 517, "OMS0517", "a link in an e-mail may be removed";

    ORDER_SYNTAX = 601, "OMS0601", "an order is not valid JSON or CSV";
    ORDER_REJECTED = 602, "OMS0602", "an order does not match the order schema";
    ORDER_KEY_REJECTED = 603, "OMS0603", "invalid order key";
    ORDER_CONFLICT = 604, "OMS0604", "the order key belongs to another order";
    ORDER_TOO_LARGE = 605, "OMS0605", "an order is too large";

    LAMBDA_INTAKE = 701, "OMS0701", "the pipeline cannot receive orders on AWS Lambda";
    LAMBDA_JOIN = 702, "OMS0702", "a step waits for a step of another handler";
    LAMBDA_REFERENCE = 703, "OMS0703", "a handler cannot read a referenced value";
    LAMBDA_LIMIT = 704, "OMS0704", "the pipeline exceeds a limit of AWS Lambda";
    LAMBDA_DIRECT = 705, "OMS0705", "API Gateway cannot accept these orders without a handler";
    SEVERAL_WRITES = 706, "OMS0706", "several writes in separate transactions depend on one read";
    LAMBDA_SETTING = 707, "OMS0707", "a handler cannot read this setting";
    LAMBDA_WEBHOOK = 708, "OMS0708", "a handler cannot receive webhooks";
    LAMBDA_SERVICE = 710, "OMS0710", "a handler cannot call a service";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_their_pages_start_with_the_code() {
        for pair in codes::ALL.windows(2) {
            assert!(pair[0].number < pair[1].number, "{} before {}", pair[0], pair[1]);
        }
        for code in codes::ALL {
            assert!(code.page.starts_with(&format!("# {code}: ")), "page of {code}");
        }
    }

    #[test]
    fn a_code_is_found_by_any_spelling_of_its_number() {
        for name in ["OMS0303", "oms0303", "303"] {
            assert_eq!(Code::find(name), Some(codes::CYCLE));
        }
        assert_eq!(Code::find("OMS9999"), None);
    }
}
