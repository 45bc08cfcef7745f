//! JSON Schemas that settings of steps name, such as that of a service's answer.

use std::sync::Arc;

use oms_core::diagnostic::{Finding, Place, Route, Segment, Severity, codes};
use oms_core::document;
use oms_core::value::{JsonProblem, Type, Unit, Value};
use serde_json::Value as Json;

use super::context::PlanContext;
use super::fault::Fault;
use crate::pipeline::SchemaSource;
use crate::schema::{OrderSchema, TypeRules, in_schema};

/// A compiled schema of data that a step receives. The same keywords apply as in an order schema,
/// including the marks such as `x-pii`.
#[derive(Debug)]
pub struct DataSchema {
    schema: OrderSchema,
    ty: Type,
}

impl DataSchema {
    /// Returns the type of the data.
    pub const fn ty(&self) -> &Type {
        &self.ty
    }

    /// Reads a JSON text.
    ///
    /// # Errors
    /// Returns all problems, with their places and without values.
    pub fn read(&self, text: &[u8]) -> Result<Value, Vec<JsonProblem>> {
        self.schema.read(text).map(|parsed| parsed.value)
    }
}

impl PlanContext<'_> {
    /// Compiles the schema that the setting at a route names. `root` is the path under which
    /// expressions refer to the data, such as `steps.charge.body`.
    pub fn schema(
        &mut self,
        route: &Route,
        source: &SchemaSource,
        root: &str,
    ) -> Option<Arc<DataSchema>> {
        let schema = match source {
            SchemaSource::Inline(json) => Some(self.inline_schema(json, route)),
            SchemaSource::File(path) => self.schema_file(path, route),
        };
        let schema = schema.filter(OrderSchema::is_usable);
        self.broken |= schema.is_none();
        let schema = schema?;
        let ty = schema.ty().map_units(&|unit| {
            Some(match unit {
                Unit::Field(path) => {
                    let below = path.strip_prefix("order").unwrap_or(path);
                    Unit::Field(Arc::from(format!("{root}{below}")))
                }
                Unit::Code(_) => unit.clone(),
            })
        });
        Some(Arc::new(DataSchema { schema, ty }))
    }

    fn inline_schema(&mut self, json: &Json, route: &Route) -> OrderSchema {
        let (schema, problems) = OrderSchema::compile(json, TypeRules::Current);
        for problem in problems {
            let below = Route::from_pointer(&problem.pointer, |above| {
                let parent =
                    above.segments().iter().try_fold(json, |json, segment| match segment {
                        Segment::Key(key) => json.get(key),
                        Segment::Index(index) => json.get(index),
                    });
                parent.is_some_and(Json::is_array)
            });
            let place = match problem.on_key {
                true => Place::key(route.join(&below)),
                false => Place::value(route.join(&below)),
            };
            let finding = Finding::error(codes::ORDER_SCHEMA, place, problem.message);
            self.fault(finding.help(problem.help).ignored_in_bundles());
        }
        schema
    }

    fn schema_file(&mut self, path: &str, route: &Route) -> Option<OrderSchema> {
        let shown = self.files.shown(path);
        let unreadable = |message: String| {
            Finding::error(codes::FILE_UNREADABLE, Place::value(route.clone()), message)
        };
        let bytes = match self.files.read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.fault(unreadable(format!("cannot read `{shown}`: {error}")));
                return None;
            }
        };
        let document = match document::parse(&shown, &bytes) {
            Ok(document) => document,
            Err((text, diagnostic)) => {
                let source = Some((shown, text));
                self.fault(Fault::OtherFile { diagnostic, source });
                return None;
            }
        };
        let (schema, problems) =
            OrderSchema::compile(&document.root().to_json(), TypeRules::Current);
        for problem in problems {
            let diagnostic = in_schema(&document, codes::ORDER_SCHEMA, Severity::Error, problem);
            let source = Some((Arc::clone(&shown), Arc::clone(document.text())));
            self.fault(Fault::OtherFile { diagnostic: Box::new(diagnostic), source });
        }
        Some(schema)
    }
}
