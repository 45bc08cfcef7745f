//! Generated pipelines of the shipped kinds.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::expressions::{KnownValue, expression, flatten};
use super::rng::Rng;
use super::types::{self, Field, Ty, column, fields, printed, record_schema, scalar};

/// A generated pipeline with its files.
pub(super) struct Generated {
    pub(super) text: String,
    /// Mail templates: path and content.
    pub(super) templates: Vec<(String, String)>,
    fields: Vec<Field>,
}

impl Generated {
    /// Generates a valid order with this key.
    pub(super) fn order(&self, key: &str, rng: &mut Rng) -> Json {
        let mut order = types::object(&self.fields, rng);
        order["id"] = key.into();
        order["currency"] = rng.text(&["USD", "EUR", "CAD", "JPY"]).into();
        order
    }
}

const STEPS_MAX: usize = 9;

struct Writer<'c> {
    rng: &'c mut Rng,
    known: Vec<KnownValue>,
    steps: String,
    tables: String,
    templates: Vec<(String, String)>,
    made: Vec<String>,
}

/// The settings of a step, and its output with whether it may be missing.
struct GeneratedStep {
    with: String,
    output: Option<(Ty, bool)>,
}

fn quoted(expression: &str) -> String {
    Json::from(format!("${{{{ {expression} }}}}")).to_string()
}

fn field(name: &str, ty: Ty) -> Field {
    Field { name: name.to_owned(), ty, optional: false, nullable: false }
}

/// Generates a pipeline.
pub(super) fn generate(rng: &mut Rng) -> Generated {
    let mut order = fields(rng, "f", 2);
    order.push(field("currency", Ty::Currency));
    order.push(field("id", Ty::Text));
    let mut known = vec![KnownValue { path: "run.key".into(), ty: Ty::Text, guards: Vec::new() }];
    flatten("order", &Ty::Rec(order.clone()), false, &[], &mut known);
    let mut writer = Writer {
        rng,
        known,
        steps: String::new(),
        tables: String::new(),
        // The folder of templates must exist, even if no step sends mail.
        templates: vec![("mail/README.md".to_owned(), String::new())],
        made: Vec::new(),
    };
    for _ in 0..1 + writer.rng.below(STEPS_MAX) {
        writer.step();
    }
    let mut schema = record_schema(&order);
    schema["properties"]["id"] = json!({ "type": "string", "maxLength": 20 });
    let tables = if writer.tables.is_empty() {
        String::new()
    } else {
        format!("tables:\n{}", writer.tables)
    };
    let text = format!(
        "oms: 1\nname: generated\norder:\n  schema: {schema}\n  key: ${{{{ order.id }}}}\n\
         rates:\n  fixed: {{ source: fixed, base: USD, quote: base_per_unit, table: {{ USD: \"1\", CAD: \"0.79\", EUR: \"1.1\" }} }}\n\
         mail: {{ from: \"Orders <orders@example.com>\", templates: mail }}\n{tables}steps:\n{}",
        writer.steps
    );
    Generated { text, templates: writer.templates, fields: order }
}

impl Writer<'_> {
    fn expression(&mut self, ty: &Ty, known: &[KnownValue], depth: usize) -> Option<String> {
        expression(ty, known, self.rng, depth)
    }

    fn step(&mut self) {
        let id = format!("s{}", self.made.len());
        let mut known = self.known.clone();
        let mut head = String::new();
        if let Some(need) = self.rng.pick(&self.made).cloned().filter(|_| self.rng.one_in(3)) {
            if self.rng.one_in(2) {
                let _written = writeln!(head, "    needs: [{need}]");
            } else {
                // The output of a step that may not have run is used only behind a guard.
                let _written =
                    writeln!(head, "    needs: [{{ step: {need}, allow: [skipped, failed] }}]");
                let path = format!("steps.{need}");
                for known in &mut known {
                    if known.path == path || known.path.starts_with(&format!("{path}.")) {
                        known.guards.insert(0, path.clone());
                    }
                }
            }
        }
        if self.rng.one_in(5)
            && let Some(when) = self.expression(&Ty::Bool, &known, 2)
        {
            let _written = writeln!(head, "    when: {}", quoted(&when));
        }
        let lists: Vec<KnownValue> = known
            .iter()
            .filter(|k| k.guards.is_empty() && matches!(k.ty, Ty::List(_) | Ty::Tags))
            .cloned()
            .collect();
        let each = self.rng.pick(&lists).cloned().filter(|_| self.rng.one_in(3));
        if let Some(list) = &each {
            let _written = writeln!(head, "    for_each:");
            let _written = writeln!(head, "      items: {}", quoted(&list.path));
            let _written = writeln!(head, "      as: each");
            let _written = writeln!(head, "      index: at");
            let _written = writeln!(head, "      max_concurrency: 3");
            match &list.ty {
                Ty::List(fields) => {
                    flatten("each", &Ty::Rec(fields.clone()), false, &[], &mut known);
                }
                _ => flatten("each", &Ty::Text, false, &[], &mut known),
            }
        }
        let made = self.kind(&id, &known, each.as_ref());
        let Some((kind, GeneratedStep { with, output })) = made else { return };
        let caught = self.rng.one_in(5);
        let _written = writeln!(self.steps, "  {id}:\n    uses: {kind}\n{head}    with:\n{with}");
        if caught {
            let _written = writeln!(self.steps, "    on_failure: {{ run: c{} }}", self.made.len());
            let _written = writeln!(
                self.steps,
                "  c{}:\n    uses: value.compute\n    with:\n      values:\n        why: {}",
                self.made.len(),
                quoted("error.cause + ': ' + error.message + ' in ' + error.step")
            );
        }
        self.made.push(id.clone());
        if let (Some((ty, missing)), false) = (output, caught) {
            let path = format!("steps.{id}");
            match (each.is_some(), ty) {
                (false, ty) => flatten(&path, &ty, missing, &[], &mut self.known),
                (true, Ty::Rec(fields)) if !missing => {
                    flatten(&path, &Ty::List(fields), false, &[], &mut self.known);
                }
                _ => {}
            }
        }
    }

    fn kind(
        &mut self,
        id: &str,
        known: &[KnownValue],
        each: Option<&KnownValue>,
    ) -> Option<(&'static str, GeneratedStep)> {
        Some(match self.rng.below(9) {
            0 | 1 => ("value.compute", self.compute(known)?),
            2 => ("money.convert", self.convert(known)?),
            3 => ("table.insert", self.row(id, known, each, true)?),
            4 => ("table.upsert", self.row(id, known, each, false)?),
            5 => ("table.get", self.row_read(id)),
            6 => ("object.put", self.put(id, known, each)?),
            7 => match self.rng.below(2) {
                0 => ("object.get", self.object_read(known)),
                _ => (
                    "topic.publish",
                    GeneratedStep { with: "      topic: told".to_owned(), output: None },
                ),
            },
            _ => ("email.send", self.mail(id, known)?),
        })
    }

    fn compute(&mut self, known: &[KnownValue]) -> Option<GeneratedStep> {
        let mut with = "      values:".to_owned();
        let mut output = Vec::new();
        for position in 0..1 + self.rng.below(3) {
            let ty = if self.rng.one_in(6) { Ty::Tags } else { scalar(self.rng) };
            let Some(made) = self.expression(&ty, known, 3) else { continue };
            let name = format!("v{position}");
            let _written = write!(with, "\n        {name}: {}", quoted(&made));
            // The checker may derive a narrower type for a literal or a number than the generated
            // type, so later steps do not refer to it.
            let exact = made.contains("order.") || made.contains("steps.");
            if exact && !matches!(ty, Ty::Dec(_) | Ty::Int) {
                output.push(field(&name, ty));
            }
        }
        with.contains('\n')
            .then_some(GeneratedStep { with, output: Some((Ty::Rec(output), false)) })
    }

    fn convert(&mut self, known: &[KnownValue]) -> Option<GeneratedStep> {
        let amount = Ty::Dec(Some("order.currency".to_owned()));
        let amount = self.expression(&amount, known, 1)?;
        let to = self.rng.text(&["USD", "CAD", "EUR"]);
        let with = format!(
            "      amount: {}\n      from: {}\n      to: {to}\n      rates: fixed",
            quoted(&amount),
            quoted("order.currency")
        );
        let mut output = ["rate", "from_rate", "to_rate"].map(|n| field(n, Ty::Dec(None))).to_vec();
        output.push(field("amount", Ty::Dec(Some(to))));
        output.push(field("rate_source", Ty::Text));
        output.push(field("exact", Ty::Bool));
        output.push(Field { nullable: true, ..field("rate_date", Ty::Date) });
        Some(GeneratedStep { with, output: Some((Ty::Rec(output), false)) })
    }

    /// Makes a key that is unique for the order, and for the element if there is one.
    fn key(&mut self, id: &str, known: &[KnownValue], each: Option<&KnownValue>) -> Option<String> {
        let order = self.rng.text(&["run.key", "order.id"]);
        let Some(_) = each else { return Some(format!("{id}-${{{{ {order} }}}}")) };
        let texts: Vec<&KnownValue> = known
            .iter()
            .filter(|k| k.path.starts_with("each") && k.guards.is_empty())
            .filter(|k| matches!(k.ty, Ty::Text | Ty::Int | Ty::Date))
            .collect();
        let element = self.rng.pick(&texts)?;
        // Elements may be equal, but their positions never are.
        Some(format!("${{{{ {order} }}}}/${{{{ {} }}}}/${{{{ at }}}}", element.path))
    }

    fn row(
        &mut self,
        id: &str,
        known: &[KnownValue],
        each: Option<&KnownValue>,
        unique: bool,
    ) -> Option<GeneratedStep> {
        let key = match (unique, each) {
            (true, _) => self.key(id, known, each)?,
            (false, Some(_)) => "${{ run.key }}/${{ at }}".to_owned(),
            (false, None) => "${{ run.key }}".to_owned(),
        };
        let mut with = format!("      table: t_{id}\n      row:\n        k: {}", Json::from(key));
        let mut columns = vec!["k: text".to_owned()];
        for position in 0..self.rng.below(4) {
            let ty = scalar(self.rng);
            let (Some(column), Some(made)) = (column(&ty), self.expression(&ty, known, 2)) else {
                continue;
            };
            let _written = write!(with, "\n        c{position}: {}", quoted(&made));
            columns.push(format!("c{position}: \"{column}\""));
        }
        columns.push("left_out: \"date?\"".to_owned());
        if !unique {
            // An upsert must set every column.
            with.push_str("\n        left_out: null");
        }
        let columns = columns.join(", ");
        let _written = writeln!(self.tables, "  t_{id}: {{ key: [k], columns: {{ {columns} }} }}");
        Some(GeneratedStep { with, output: None })
    }

    fn row_read(&mut self, id: &str) -> GeneratedStep {
        let missing = self.rng.one_in(2);
        let _written = writeln!(
            self.tables,
            "  g_{id}: {{ key: [k], columns: {{ k: text, n: integer, e: email?, d: \"decimal(10,2)\" }} }}"
        );
        let on_missing = if missing { "null" } else { "fail" };
        let with = format!(
            "      table: g_{id}\n      key: {{ k: {} }}\n      missing: \"{on_missing}\"",
            quoted("order.id")
        );
        let output = vec![
            field("k", Ty::Text),
            field("n", Ty::Int),
            field("d", Ty::Dec(None)),
            Field { nullable: true, ..field("e", Ty::Email) },
        ];
        GeneratedStep { with, output: Some((Ty::Rec(output), missing)) }
    }

    fn put(
        &mut self,
        id: &str,
        known: &[KnownValue],
        each: Option<&KnownValue>,
    ) -> Option<GeneratedStep> {
        let key = self.key(id, known, each)?;
        let body = match self.rng.below(3) {
            0 => "order".to_owned(),
            1 => self.rng.pick(known)?.path.clone(),
            _ => self.expression(&Ty::Text, known, 2)?,
        };
        let bucket = format!("      bucket: docs\n      key: {}\n", Json::from(key));
        // A path below a value that may be missing needs a guard.
        let bare = known.iter().find(|k| k.path == body).is_none_or(|k| k.guards.len() <= 1);
        let body = if bare { body } else { "order".to_owned() };
        let with = format!("{bucket}      body: {}", quoted(&body));
        let output = vec![field("bucket", Ty::Text), field("key", Ty::Text)];
        Some(GeneratedStep { with, output: Some((Ty::Rec(output), false)) })
    }

    fn object_read(&mut self, known: &[KnownValue]) -> GeneratedStep {
        let missing = self.rng.one_in(2);
        let on_missing = if missing { "null" } else { "fail" };
        let key = self.expression(&Ty::Text, known, 1).unwrap_or_else(|| "run.key".to_owned());
        let with = format!(
            "      bucket: docs\n      key: {}\n      missing: \"{on_missing}\"",
            quoted(&key)
        );
        GeneratedStep { with, output: Some((Ty::Rec(vec![field("text", Ty::Text)]), missing)) }
    }

    fn mail(&mut self, id: &str, known: &[KnownValue]) -> Option<GeneratedStep> {
        let to = self
            .expression(&Ty::Email, known, 1)
            .map_or_else(|| "ada@example.com".to_owned(), |to| format!("${{{{ {to} }}}}"));
        let mut with = format!("      template: {id}\n      to: {}\n      data:", Json::from(to));
        let mut body = "Hello\n".to_owned();
        let nameable: Vec<&KnownValue> =
            known.iter().filter(|k| k.guards.iter().all(|guard| *guard == k.path)).collect();
        for position in 0..1 + self.rng.below(4) {
            let known = self.rng.pick(&nameable)?;
            let _written = write!(with, "\n        d{position}: {}", quoted(&known.path));
            let missing = !known.guards.is_empty();
            let _written =
                writeln!(body, "{}", printed(&format!("d{position}"), &known.ty, missing));
        }
        for (file, text) in [
            ("subject.hbs", "Hello\n"),
            ("body.txt.hbs", body.as_str()),
            ("body.html.hbs", &format!("<p>{body}</p>\n")),
        ] {
            self.templates.push((format!("mail/{id}/{file}"), text.to_owned()));
        }
        let output = Ty::Rec(vec![field("message_id", Ty::Text)]);
        Some(GeneratedStep { with, output: Some((output, false)) })
    }
}
