//! The context of a step: [`PlanContext`] while it is planned, and [`StepContext`] while it runs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use oms_core::diagnostic::{
    Diagnostic, Finding, Label, Place, Route, Severity, codes, did_you_mean, without_line_break,
};
use oms_core::document::Files;
use oms_core::effects::{Call, Effects};
use oms_core::mail::Mailbox;
use oms_core::money::{QuoteSource, RateTable, Rounding};
use oms_core::table::TableDef;
use oms_core::time_zone::TimeZone;
use oms_core::value::{Record, RecordType, Shape, Type, Typed, Value};
use oms_expression::{Compiled, Env, EvalError, Problem, Scope};
use oms_template::{Template, TemplateProblem};

use super::expr::Expr;
use super::fault::{Fault, Faults};
use super::service::Service;
use super::settings::Settings;
use crate::pipeline::SmtpSection;

/// A rate table with the pipeline's rules for its use.
#[derive(Debug)]
pub struct RateSource {
    /// The name in the pipeline.
    pub name: Arc<str>,
    /// The rates.
    pub table: RateTable,
    /// The maximum age of a rate in days.
    pub max_age_days: u32,
    /// The rounding of amounts.
    pub rounding: Rounding,
    /// The recorded source of the rates: `ECB` or `fixed`.
    pub label: Arc<str>,
}

/// The recorded sources for a fixed conversion rate of the euro and for an override.
const CHANGEOVER: &str = "euro";
const OVERRIDE: &str = "override";

impl RateSource {
    /// Returns the recorded source of the quotes of a conversion: one name, or two joined by `+`.
    pub fn source_label(&self, sources: [Option<QuoteSource>; 2]) -> Arc<str> {
        let name = |source| match source {
            QuoteSource::Table => &*self.label,
            QuoteSource::Override => OVERRIDE,
            QuoteSource::Changeover => CHANGEOVER,
        };
        match sources.map(|source| source.map(name)) {
            [Some(from), Some(to)] if from != to => Arc::from(format!("{from}+{to}")),
            [Some(one), _] | [None, Some(one)] => Arc::from(one),
            [None, None] => Arc::clone(&self.label),
        }
    }

    /// Returns the maximum number of characters that [`Self::source_label`] returns.
    pub fn source_label_chars_max(&self) -> u64 {
        // A fixed table, or a table under semantics that do not know the euro's conversion rates.
        const LABEL: u64 = 5;
        let changeover = (self.label.len() + "+".len() + CHANGEOVER.len()) as u64;
        let overridden = (self.label.len() + "+".len() + OVERRIDE.len()) as u64;
        match (self.table.has_changeovers(), self.table.has_overrides()) {
            (false, _) => LABEL,
            (true, false) => changeover,
            (true, true) => overridden.max((CHANGEOVER.len() + "+".len() + OVERRIDE.len()) as u64),
        }
    }
}

/// The pipeline's settings for e-mails.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// The sender.
    pub from: Mailbox,
    /// The folder of the templates.
    pub templates: Arc<str>,
    /// The locale in which the templates are written.
    pub locale: Arc<str>,
    /// The time zone for dates.
    pub time_zone: TimeZone,
    /// The SMTP server.
    pub smtp: Option<SmtpSection>,
}

/// The resources that a pipeline declares. A name without a value belongs to an invalid
/// declaration.
#[derive(Default)]
pub struct Resources {
    /// Tables by name.
    pub tables: BTreeMap<Arc<str>, Option<Arc<TableDef>>>,
    /// Rate tables by name.
    pub rates: BTreeMap<Arc<str>, Option<Arc<RateSource>>>,
    /// Services by name.
    pub services: BTreeMap<Arc<str>, Option<Arc<Service>>>,
    /// The time zone of the pipeline.
    pub time_zone: TimeZone,
    /// The settings, if the pipeline has any.
    pub settings: Option<Settings>,
    /// The settings for e-mails, if they are declared and valid.
    pub mail: Option<Arc<MailSettings>>,
    /// Whether the pipeline has a `mail` section.
    pub has_mail_section: bool,
    /// The sections whose declarations are unknown because they are not maps. They have their own
    /// findings.
    pub unreadable: Vec<&'static str>,
}

/// The context in which a step is planned.
pub struct PlanContext<'a> {
    pub(crate) step_id: &'a str,
    pub(crate) scope: &'a Scope,
    pub(crate) resources: &'a Resources,
    pub(crate) files: &'a dyn Files,
    pub(crate) templates: &'a RefCell<BTreeMap<String, Arc<Template>>>,
    pub(crate) order_key_path: Option<&'a str>,
    pub(crate) each_element: bool,
    pub(crate) faults: Faults,
    pub(crate) fields: Vec<(Arc<str>, Compiled)>,
    /// Expressions that are evaluated later, during the attempt.
    pub(crate) late: Vec<Compiled>,
    pub(crate) broken: bool,
}

impl PlanContext<'_> {
    /// Compiles a setting as the field `field` of the step's input, and checks its type. If it is
    /// invalid, records the faults and returns `None`.
    pub fn expr<T: Typed>(&mut self, field: &str, expr: &Expr<T>) -> Option<Compiled> {
        self.value(field, &Route::root().key(field), expr.raw(), T::ty().as_ref())
    }

    /// Compiles a setting as a date field of the step's input. The setting is a date or a
    /// timestamp. A timestamp is converted to its day in the pipeline's time zone.
    pub fn day(&mut self, field: &str, expr: &Expr<Value>) -> Option<Compiled> {
        let route = Route::root().key(field);
        let compiled = oms_expression::compile_value(expr.raw(), None, self.scope);
        let time_zone = &self.resources.time_zone;
        let compiled = compiled.map(|compiled| compiled.as_date(time_zone));
        let compiled = self.input(field, &route, compiled)?;
        let is_date = matches!(compiled.ty().shape, Shape::Date(_) | Shape::Timestamp);
        if is_date && !compiled.ty().nullable {
            return Some(compiled);
        }
        let code = if is_date { codes::MAY_BE_MISSING } else { codes::WRONG_TYPE };
        let message = format!("`{field}` must be a date or a timestamp, not {}", compiled.ty());
        self.fault(Finding::error(code, Place::value(route), message));
        None
    }

    /// Compiles a setting that is a URL as a field of the step's input. Values in the URL are
    /// percent-encoded.
    pub fn url(&mut self, field: &str, route: &Route, raw: &serde_json::Value) -> Option<Compiled> {
        let compiled = oms_expression::compile_value(raw, Some(&Type::text()), self.scope);
        self.input(field, route, compiled.map(Compiled::as_url))
    }

    /// Compiles any part of the settings as the field `field` of the step's input.
    pub fn value(
        &mut self,
        field: &str,
        route: &Route,
        raw: &serde_json::Value,
        expected: Option<&Type>,
    ) -> Option<Compiled> {
        self.input(field, route, oms_expression::compile_value(raw, expected, self.scope))
    }

    /// Compiles a setting that is only used for planning.
    pub fn uncaptured_value(&mut self, route: &Route, raw: &serde_json::Value) -> Option<Compiled> {
        let (known, compiled) =
            (self.fields.len(), oms_expression::compile_value(raw, None, self.scope));
        let compiled = self.input("", route, compiled);
        self.fields.truncate(known);
        compiled
    }

    /// Compiles a value that is not written in the file as the field `field` of the step's input.
    ///
    /// # Errors
    /// Returns the problems, so that the caller can record a fault at a place in the file.
    pub fn quiet_value(
        &mut self,
        field: &str,
        raw: &serde_json::Value,
        expected: &Type,
    ) -> Result<Option<Compiled>, Vec<Problem>> {
        let mut compiled = oms_expression::compile_value(raw, Some(expected), self.scope)?;
        // The places of the notes are not in the file.
        compiled.take_notes();
        Ok(self.input(field, &Route::root(), Ok(compiled)))
    }

    /// Returns the type of a value, or `None` if it has none.
    pub fn type_of(&self, raw: &serde_json::Value) -> Option<Type> {
        let compiled = oms_expression::compile_value(raw, None, self.scope).ok()?;
        (!compiled.is_broken()).then(|| compiled.ty().clone())
    }

    /// Adds a compiled setting to the step's input.
    fn input(
        &mut self,
        field: &str,
        route: &Route,
        compiled: Result<Compiled, Vec<Problem>>,
    ) -> Option<Compiled> {
        match compiled {
            // A setting that refers to a broken step is not checked, and the step cannot run.
            Ok(compiled) if compiled.is_broken() => {
                self.broken = true;
                None
            }
            Ok(mut compiled) => {
                let notes = compiled.take_notes().into_iter();
                self.faults.extend(notes.map(|problem| Fault::of_problem(problem, route)));
                self.fields.push((Arc::from(field), compiled.clone()));
                Some(compiled)
            }
            Err(problems) => {
                self.faults
                    .extend(problems.into_iter().map(|problem| Fault::of_problem(problem, route)));
                None
            }
        }
    }

    /// Returns the step's id.
    pub const fn step_id(&self) -> &str {
        self.step_id
    }

    /// Records a fault.
    pub fn fault(&mut self, fault: impl Into<Fault>) {
        self.faults.push(fault.into());
    }

    /// Returns the table that a setting refers to.
    pub fn table(&mut self, field: &str, name: &str) -> Option<Arc<TableDef>> {
        let tables = &self.resources.tables;
        match tables.get(name) {
            Some(table) => table.clone(),
            None if self.resources.unreadable.contains(&"tables") => None,
            None => {
                let known: Vec<&str> = tables.keys().map(AsRef::as_ref).collect();
                let finding = unknown("table", field, name, &known, "declare it under `tables:`");
                self.fault(finding);
                None
            }
        }
    }

    /// Returns the rate table that a setting refers to.
    pub fn rates(&mut self, field: &str, name: &str) -> Option<Arc<RateSource>> {
        let rates = &self.resources.rates;
        match rates.get(name) {
            Some(source) => source.clone(),
            None if self.resources.unreadable.contains(&"rates") => None,
            None => {
                let known: Vec<&str> = rates.keys().map(AsRef::as_ref).collect();
                let finding =
                    unknown("rate table", field, name, &known, "declare it under `rates:`");
                self.fault(finding);
                None
            }
        }
    }

    /// Returns the service that a setting refers to.
    pub fn service(&mut self, field: &str, name: &str) -> Option<Arc<Service>> {
        let services = &self.resources.services;
        match services.get(name) {
            Some(service) => {
                // An invalid service has its own findings.
                self.broken |= service.is_none();
                service.clone()
            }
            None if self.resources.unreadable.contains(&"services") => None,
            None => {
                let known: Vec<&str> = services.keys().map(AsRef::as_ref).collect();
                let finding =
                    unknown("service", field, name, &known, "declare it under `services:`");
                self.fault(finding);
                None
            }
        }
    }

    /// Returns the pipeline's settings for e-mails.
    pub fn mail(&mut self) -> Option<Arc<MailSettings>> {
        // An invalid section has its own finding.
        if self.resources.mail.is_none() && !self.resources.has_mail_section {
            self.fault(
                Finding::error(codes::MISSING_KEY, Place::key(Route::root()), "the pipeline has no `mail` section")
                    .help("add `mail: { from: \"Orders <orders@example.com>\", templates: templates }` to the pipeline".to_owned()),
            );
        }
        self.resources.mail.clone()
    }

    /// Compiles the e-mail template that a setting refers to, and checks its names against the type
    /// of `data`.
    pub fn template(
        &mut self,
        field: &str,
        name: &str,
        settings: &MailSettings,
        data: Option<&Type>,
    ) -> Option<Arc<Template>> {
        let known = self.templates.borrow().get(name).cloned();
        let template = match known {
            Some(template) => template,
            None => {
                let names = Template::names(self.files, &settings.templates);
                if names.is_empty() && self.files.list(&settings.templates).is_empty() {
                    // The `mail` section already has a finding about the folder.
                    return None;
                }
                if !names.iter().any(|known| known == name) {
                    let known: Vec<&str> = names.iter().map(String::as_str).collect();
                    let finding = unknown(
                        "e-mail template",
                        field,
                        name,
                        &known,
                        "create a folder with this name in the folder of `mail.templates`",
                    );
                    self.fault(finding);
                    return None;
                }
                match Template::load(
                    self.files,
                    &settings.templates,
                    name,
                    &settings.locale,
                    &settings.time_zone,
                ) {
                    Ok(template) => {
                        let template = Arc::new(template);
                        self.templates.borrow_mut().insert(name.to_owned(), Arc::clone(&template));
                        template
                    }
                    Err(problems) => {
                        self.template_problems(field, problems);
                        return None;
                    }
                }
            }
        };
        let problems = data.map(|data| template.check(data)).unwrap_or_default();
        self.template_problems(field, problems);
        Some(template)
    }

    fn template_problems(&mut self, field: &str, problems: Vec<TemplateProblem>) {
        for problem in problems {
            let path = self.files.shown(&problem.path);
            let text = self.files.read(&problem.path).ok();
            let text = text.and_then(|bytes| std::str::from_utf8(&bytes).map(Arc::from).ok());
            if text.is_none() {
                let message = format!("{}: {}", path, problem.message);
                self.fault(
                    Finding::error(problem.code, Place::value(Route::root().key(field)), message)
                        .help(problem.help),
                );
                continue;
            }
            let label = Label {
                path: Arc::clone(&path),
                span: problem.span,
                text: problem.label,
                primary: true,
            };
            let diagnostic = Diagnostic {
                code: problem.code,
                severity: problem.severity,
                message: problem.message,
                labels: vec![label],
                help: problem.help,
            };
            self.faults.push(Fault::OtherFile {
                diagnostic: Box::new(diagnostic),
                source: text.map(|text| (path, text)),
            });
        }
    }

    /// Returns whether the step runs once for each element of a list.
    pub const fn runs_each_element(&self) -> bool {
        self.each_element
    }

    /// Returns whether a value is unique for each order: the order key or the run's id can be
    /// derived from it.
    pub fn is_unique_per_order(&self, compiled: &Compiled) -> bool {
        ["run.key", "run.id"]
            .into_iter()
            .chain(self.order_key_path)
            .any(|path| compiled.determines_key(path))
    }

    /// Returns whether a value contains data of the current element or its index, so that it can
    /// differ between elements.
    pub fn depends_on_element(&self, compiled: &Compiled) -> bool {
        const OTHER_ROOTS: [&str; 5] = ["order", "run", "steps", "error", "settings"];
        compiled.readable_paths().any(|path| {
            let root = path.split(['.', '[']).next().unwrap_or_default();
            !OTHER_ROOTS.contains(&root)
        })
    }

    /// Ends planning. Returns the plan of the input if there are no errors.
    ///
    /// # Errors
    /// Returns the recorded faults.
    pub fn finish(&mut self) -> Result<InputPlan, Faults> {
        merge_missing_braces(&mut self.faults);
        // With newly refused faults, there is still a plan, because runs may have started with it.
        let grave = |fault: &Fault| match fault {
            Fault::Setting { finding, .. } => {
                finding.severity == Severity::Error && !finding.ignored_in_bundles
            }
            Fault::OtherFile { diagnostic, .. } => diagnostic.severity == Severity::Error,
        };
        if self.broken || self.faults.iter().any(grave) {
            return Err(std::mem::take(&mut self.faults));
        }
        let late = std::mem::take(&mut self.late);
        Ok(InputPlan { late, ..InputPlan::new(std::mem::take(&mut self.fields)) })
    }
}

/// Keeps a single finding about a text that was meant as an expression. An error about the value of
/// the text receives the help text, and a warning about it is dropped.
fn merge_missing_braces(faults: &mut Faults) {
    let (forgotten, mut others): (Faults, Faults) =
        std::mem::take(faults).into_iter().partition(|fault| {
            matches!(fault, Fault::Setting { finding, .. } if finding.code == codes::MISSING_BRACES)
        });
    for fault in forgotten {
        let Fault::Setting { finding: cause, .. } = &fault else { continue };
        let route = &cause.primary.0.route;
        let follows = |finding: &Finding| {
            let place = &finding.primary.0;
            place.within.is_none()
                && match finding.code {
                    // The key of a row consists of several values.
                    codes::KEY_NOT_UNIQUE => route.segments().starts_with(place.route.segments()),
                    codes::VALUE_NOT_ALLOWED
                    | codes::WRONG_TYPE
                    | codes::MAY_BE_MISSING
                    | codes::TEMPLATE_LOCALE => place.route == *route,
                    _ => false,
                }
        };
        others.retain(|other| {
            !matches!(other, Fault::Setting { finding, .. }
                if finding.severity == Severity::Warning && follows(finding))
        });
        let error = others.iter_mut().find_map(|other| match other {
            Fault::Setting { finding, .. } if follows(finding) => Some(finding),
            _ => None,
        });
        match error {
            Some(error) => error.help.clone_from(&cause.help),
            None => others.push(fault),
        }
    }
    *faults = others;
}

fn unknown(what: &str, field: &str, name: &str, known: &[&str], declare: &str) -> Finding {
    let place = Place::value(Route::root().key(field));
    if name.contains('\n') {
        let message = format!("the name of the {what} must not contain a line break");
        return Finding::error(codes::VALUE_NOT_ALLOWED, place, message)
            .help(without_line_break(name).to_owned());
    }
    let help = did_you_mean(name, known.iter().copied()).unwrap_or_else(|| declare.to_owned());
    Finding::error(codes::UNKNOWN_RESOURCE, place, format!("unknown {what} `{name}`")).help(help)
}

/// The compiled expressions of a step's input.
#[derive(Clone, Debug)]
pub struct InputPlan {
    ty: Arc<RecordType>,
    fields: Vec<Compiled>,
    /// Expressions that the step evaluates during the attempt.
    late: Vec<Compiled>,
}

impl InputPlan {
    fn new(fields: Vec<(Arc<str>, Compiled)>) -> Self {
        let sorted: BTreeMap<Arc<str>, Compiled> = fields.into_iter().collect();
        let ty = RecordType::new(
            sorted.iter().map(|(name, field)| (Arc::clone(name), field.ty().clone())),
        );
        let (ty, late) = (Arc::new(ty), Vec::new());
        Self { ty, fields: sorted.into_values().collect(), late }
    }

    /// Returns the type of the input.
    pub fn ty(&self) -> Type {
        Type::of(Shape::Record(Arc::clone(&self.ty)))
    }

    /// Returns the expressions of the fields, sorted by name.
    pub fn fields(&self) -> impl Iterator<Item = &Compiled> {
        self.fields.iter()
    }

    /// Returns the expressions that the step evaluates during the attempt.
    pub fn late(&self) -> impl Iterator<Item = &Compiled> {
        self.late.iter()
    }

    /// Returns the expression of a field.
    pub fn field(&self, name: &str) -> Option<&Compiled> {
        self.fields.get(self.ty.position(name)?)
    }

    /// Computes the input.
    ///
    /// # Errors
    /// Returns an error if an expression cannot be evaluated, for example because a number is out
    /// of range.
    pub fn eval(&self, env: &Env<'_>) -> Result<Value, EvalError> {
        let values = self.fields.iter().map(|field| field.eval(env)).collect::<Result<_, _>>()?;
        Ok(Value::Record(Arc::new(Record::new(Arc::clone(&self.ty), values))))
    }

    /// Returns the positions of the steps whose outputs the input uses.
    pub fn reads_steps(&self) -> impl Iterator<Item = usize> {
        self.fields.iter().flat_map(|field| field.reads_steps().iter().copied())
    }
}

/// The context in which a step runs.
pub struct StepContext<'a> {
    /// The ports through which the step has effects.
    pub effects: &'a dyn Effects,
    /// The caller: the run, the step, the element and the idempotency key.
    pub call: &'a Call,
}
