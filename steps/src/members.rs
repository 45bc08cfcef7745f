//! The setting `from` of the table kinds: takes columns from the members of a record.

use std::sync::Arc;

use oms_engine::diagnostic::{Finding, Place, Route, codes};
use oms_engine::expression::Compiled;
use oms_engine::step::PlanContext;
use oms_engine::table::Column;
use oms_engine::value::RecordType;
use serde_json::Value as Json;

/// A record whose members are the values of columns.
pub(crate) struct Members {
    /// The expression of the record, such as `order`.
    pub(crate) code: String,
    ty: Arc<RecordType>,
}

/// Returns the place of the setting.
pub(crate) fn route() -> Route {
    Route::root().key("from")
}

/// Compiles the setting. Records a fault if it is not the path of a record.
pub(crate) fn compile(from: Option<&Json>, cx: &mut PlanContext<'_>) -> Option<Members> {
    let from = from?;
    let compiled = cx.uncaptured_value(&route(), from)?;
    let code = from.as_str().and_then(|text| {
        let code = text.trim().strip_prefix("${{")?.strip_suffix("}}")?.trim();
        compiled.path().map(|_| code.to_owned())
    });
    let record = compiled.ty().as_record().filter(|_| !compiled.ty().nullable);
    let place = Place::value(route());
    let (Some(code), Some(ty)) = (code, record) else {
        let (code, message) = match compiled.ty().as_record() {
            Some(_) if compiled.ty().nullable => {
                let path = compiled.path().unwrap_or("the record");
                (codes::MAY_BE_MISSING, format!("`{path}` may be missing"))
            }
            Some(_) => (codes::WRONG_TYPE, "`from` must be the path of a record".to_owned()),
            None => {
                let found = compiled.ty();
                (codes::WRONG_TYPE, format!("`from` must be the path of a record, not {found}"))
            }
        };
        let help = match (code, compiled.path()) {
            (codes::MAY_BE_MISSING, Some(path)) => {
                format!("run the step only if it is present: `when: ${{{{ {path} != null }}}}`")
            }
            _ => "write the path of a record, such as `${{ order }}`".to_owned(),
        };
        cx.fault(Finding::error(code, place, message).help(help));
        return None;
    };
    Some(Members { code, ty: Arc::clone(ty) })
}

impl Members {
    /// Returns whether the record has a member for a column.
    pub(crate) fn has(&self, column: &Column) -> bool {
        self.ty.field(&column.name).is_some()
    }

    /// Compiles the member for a column as a field of the step's input. Records a fault that names
    /// both types if it does not fit.
    pub(crate) fn value(&self, column: &Column, cx: &mut PlanContext<'_>) -> Option<Compiled> {
        let (name, code) = (&column.name, &self.code);
        let raw = Json::String(format!("${{{{ {code}.{name} }}}}"));
        if let Ok(value) = cx.quiet_value(name, &raw, &column.ty()) {
            return value;
        }
        let found =
            cx.type_of(&raw).or_else(|| self.ty.field(name).map(|field| field.ty.clone()))?;
        let place = Place::value(route());
        let fits_if_present = column.ty().accepts(&found.clone().not_null()).is_ok();
        let finding = if found.nullable && fits_if_present {
            let message =
                format!("`{code}.{name}` may be missing, but the column `{name}` must not be null");
            Finding::error(codes::MAY_BE_MISSING, place, message).help(format!(
                "add `{name}:` to `row`, such as `{name}: ${{{{ coalesce({code}.{name}, …) }}}}`"
            ))
        } else {
            let message =
                format!("`{code}.{name}` is {found}, but the column `{name}` is `{column}`");
            Finding::error(codes::WRONG_TYPE, place, message)
                .help(format!("add `{name}:` with a value of type `{column}` to `row`"))
        };
        cx.fault(finding);
        None
    }

    /// Returns the finding for a column that must not be null and has no value.
    pub(crate) fn missing(&self, column: &Column) -> Finding {
        let (name, code) = (&column.name, &self.code);
        let message =
            format!("`{code}` has no member `{name}`, but the column `{name}` must not be null");
        Finding::error(codes::ROW, Place::value(route()), message)
            .help(format!("add `{name}:` with a value of type `{column}` to `row`"))
    }
}
