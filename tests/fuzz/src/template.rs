//! The HTML body of an e-mail template: MJML with Handlebars tags.
//!
//! Promises: problems point into the file. A template without errors renders, unless the result is
//! too large.

use std::sync::{Arc, LazyLock};

use oms_engine::diagnostic::Severity;
use oms_engine::document::MemoryFiles;
use oms_engine::schema::{OrderSchema, TypeRules};
use oms_engine::template::{Template, TemplateError};
use oms_engine::time_zone::TimeZone;
use oms_engine::value::{Type, Value};

const SCHEMA: &str = include_str!("order.schema.json");
const ORDER: &str = include_str!("order.json");

static DATA: LazyLock<(Type, Value)> = LazyLock::new(|| {
    let schema = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let (schema, _) = OrderSchema::compile(&schema, TypeRules::Current);
    let order = schema.read(ORDER.as_bytes()).expect("the order fits its schema");
    (schema.ty().clone(), order.value)
});

pub(crate) fn run(data: &[u8]) {
    let (ty, order) = &*DATA;
    let files = MemoryFiles::new([
        ("mails/x/subject.hbs".to_owned(), Arc::from(&b"Order {{id}}"[..])),
        ("mails/x/body.mjml".to_owned(), Arc::from(data)),
    ]);
    let check = |problem: &oms_engine::template::TemplateProblem| {
        let inside = !problem.path.ends_with("body.mjml") || problem.span.end <= data.len();
        assert!(inside, "{problem:?} is outside of the file");
    };
    match Template::load(&files, "mails", "x", "en", &TimeZone::UTC) {
        Err(problems) => problems.iter().for_each(check),
        Ok(template) => {
            let problems = template.check(ty);
            problems.iter().for_each(check);
            if problems.iter().all(|problem| problem.severity != Severity::Error) {
                match template.render(order, None) {
                    Ok(_) | Err(TemplateError::TooLarge { .. }) => {}
                    Err(error) => panic!("the template passes its check and fails: {error}"),
                }
            }
        }
    }
}
