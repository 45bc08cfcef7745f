//! `email.send`: renders a template and sends it once for each key, step and element.

use std::collections::BTreeMap;
use std::sync::Arc;

use oms_engine::diagnostic::{Finding, Place, Route, codes, did_you_mean};
use oms_engine::effects::{StepError, cause};
use oms_engine::expression::Compiled;
use oms_engine::locale::language;
use oms_engine::mail::{Mail, Unsubscribe, message_id};
use oms_engine::record;
use oms_engine::step::{
    Effect, Expr, Faults, MailSettings, OnUnknown, PlanContext, Planned, Port, Safety, Step,
    StepContext, Verb,
};
use oms_engine::template::Template;
use oms_engine::value::{EmailAddress, RecordType, Shape, Type, Typed, Value};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::one_line;

/// Renders an e-mail template and sends the e-mail by SES or SMTP, or stores it in the local
/// outbox. It is sent once for each order, step and element.
///
/// `oms validate` checks every name in the template against `data`. By default, a failed attempt is
/// repeated only if it is certain that the e-mail was not sent.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The name of the template, which is a folder in the pipeline's `mail.templates`.
    template: String,
    /// The recipient's address.
    to: Expr<EmailAddress>,
    /// The reader's locale (BCP 47), such as `de-CH`. Without a locale, or without a translation
    /// for it, the e-mail is sent in the template's own language.
    locale: Option<Expr<Option<String>>>,
    /// The values that the template can use.
    data: Map<String, Json>,
    /// What to do if it is unknown whether the e-mail was sent, because the server's reply was
    /// lost. `hold` (default) parks the run until a person decides (`oms runs retry --held`).
    /// `resend` sends the e-mail again. The setting has no effect for e-mails in the local outbox.
    #[serde(default)]
    on_unknown: OnUnknown,
    /// Attachments: the names of files in the template's folder `attachments`, each with the
    /// condition under which the file is attached, such as `receipt.csv: true` or
    /// `receipt.csv: "${{ size(order.items) > 20 }}"`.
    #[serde(default)]
    attach: BTreeMap<String, Expr<bool>>,
    /// How readers unsubscribe from such e-mails (`List-Unsubscribe`, RFC 2369). It is meant for
    /// e-mails that are not only about the reader's own order.
    unsubscribe: Option<UnsubscribeConfig>,
}

/// How readers unsubscribe from e-mails.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UnsubscribeConfig {
    /// An address that begins with `https://` or `mailto:`, such as
    /// `https://shop.example/stop?c=${{ order.customer_id }}`. Values of expressions in it are
    /// percent-encoded.
    url: Expr<Arc<str>>,
    /// Whether a `POST` to the address unsubscribes the reader without further confirmation (RFC
    /// 8058).
    #[serde(default)]
    one_click: bool,
}

record! {
    /// The evaluated settings.
    pub struct Input {
        to: EmailAddress,
        locale: Option<Arc<str>>,
        data: Value,
        attach: Value,
        unsubscribe: Option<Arc<str>>,
    }
}

record! {
    /// The sent e-mail.
    pub struct Output {
        /// The `Message-ID` of the e-mail, without angle brackets.
        pub message_id: Arc<str>,
    }
}

/// The planned step.
pub struct EmailSend {
    template: Arc<Template>,
    settings: Arc<MailSettings>,
    domain: String,
    one_click: bool,
}

impl Step for EmailSend {
    const NAME: &'static str = "email.send";
    type Config = Config;
    type Input = Input;
    type Output = Output;

    fn plan(config: Config, cx: &mut PlanContext<'_>) -> Result<Planned<Self>, Faults> {
        cx.expr("to", &config.to);
        let locale = config.locale.as_ref().and_then(|locale| cx.expr("locale", locale));
        if let (Some(locale), Some(written)) = (&locale, &config.locale) {
            one_line::check("the locale", Route::root().key("locale"), locale, written, cx);
        }
        let data = cx.value("data", &Route::root().key("data"), &Json::Object(config.data), None);
        let settings = cx.mail();
        let template = settings.as_ref().and_then(|settings| {
            cx.template("template", &config.template, settings, data.as_ref().map(|data| data.ty()))
        });
        compile_attachments(&config.attach, template.as_deref(), cx);
        if let Some(unsubscribe) = &config.unsubscribe {
            compile_unsubscribe(unsubscribe, cx);
        }
        if let (Some(template), Some(locale)) = (&template, locale.as_ref().and_then(fixed_locale))
        {
            check_translation(&locale, template, cx);
        }
        let input = cx.finish()?;
        let (Some(settings), Some(template)) = (settings, template) else { return Err(Vec::new()) };
        // A sender without a domain was already rejected.
        let domain = settings.from.domain().unwrap_or_default();
        Ok(Planned {
            input,
            output: Output::ty().unwrap_or_else(Type::text),
            effects: vec![Effect {
                port: Port::Mail,
                verb: Verb::Send,
                resource: Arc::from(config.template),
                safety: Safety::Claimed(config.on_unknown),
            }],
            step: Self {
                template,
                settings,
                domain,
                one_click: config.unsubscribe.is_some_and(|unsubscribe| unsubscribe.one_click),
            },
        })
    }

    async fn run(&self, cx: &StepContext<'_>, input: Input) -> Result<Output, StepError> {
        let unrendered = |error| {
            StepError::permanent(cause::TEMPLATE, "cannot render the e-mail").caused_by(error)
        };
        let (data, locale) = (&input.data, input.locale.as_deref());
        let rendered = self.template.render(data, locale).map_err(unrendered)?;
        let mut attachments = Vec::new();
        for name in files_to_attach(&input.attach) {
            attachments.extend(self.template.attachment(name, data, locale).map_err(unrendered)?);
        }
        let unsubscribe = input.unsubscribe.as_deref();
        let unsubscribe = unsubscribe.map(|url| Unsubscribe::encoded(url, self.one_click));
        let unsubscribe = unsubscribe.transpose().map_err(|error| {
            StepError::permanent(cause::OUT_OF_RANGE, "invalid unsubscribe address")
                .caused_by(error)
        })?;
        let message_id = message_id(&cx.call.key, &self.domain);
        let mail = Mail {
            message_id: message_id.clone(),
            from: self.settings.from.clone(),
            to: input.to.0.to_string(),
            subject: rendered.subject,
            text: rendered.text,
            html: rendered.html,
            date: cx.call.run.accepted_at,
            unsubscribe,
            attachments,
        };
        cx.effects.mail().send(cx.call, mail).await?;
        Ok(Output { message_id: Arc::from(message_id) })
    }
}

/// Compiles the conditions under which files are attached.
fn compile_attachments(
    attach: &BTreeMap<String, Expr<bool>>,
    template: Option<&Template>,
    cx: &mut PlanContext<'_>,
) {
    let route = Route::root().key("attach");
    if let Some(template) = template {
        let known: Vec<&str> = template.attachments().collect();
        for name in attach.keys().filter(|name| !known.contains(&name.as_str())) {
            let message = format!("the template has no attachment `{name}`");
            let help = did_you_mean(name, known.iter().copied()).unwrap_or_else(|| {
                format!("create `attachments/{name}.hbs` in the template's folder")
            });
            let at = Place::key(route.key(name));
            cx.fault(Finding::error(codes::UNKNOWN_RESOURCE, at, message).help(help));
        }
    }
    let raw = attach.iter().map(|(name, when)| (name.clone(), when.raw().clone())).collect();
    let conditions = attach.keys().map(|name| (Arc::from(name.as_str()), Type::of(Shape::Bool)));
    let expected = Type::of(Shape::Record(Arc::new(RecordType::new(conditions))));
    cx.value("attach", &route, &Json::Object(raw), Some(&expected));
}

/// Returns the names of the files to attach.
fn files_to_attach(attach: &Value) -> impl Iterator<Item = &str> {
    let all = attach.as_record().into_iter().flat_map(|record| record.iter());
    all.filter(|(_, when)| matches!(when, Value::Bool(true))).map(|(name, _)| name.as_ref())
}

/// Checks the unsubscribe address. Values that are inserted at run time are encoded, so only the
/// beginning can be invalid.
fn compile_unsubscribe(unsubscribe: &UnsubscribeConfig, cx: &mut PlanContext<'_>) {
    let route = Route::root().key("unsubscribe").key("url");
    let raw = unsubscribe.url.raw();
    let compiled = cx.url("unsubscribe", &route, raw);
    let text = raw.as_str().unwrap_or_default();
    let fixed = text.split("${{").next().unwrap_or_default();
    // The host must be fixed text.
    let has_host = fixed.strip_prefix("https://").is_some_and(|host| !host.is_empty());
    let begins = has_host || fixed.starts_with("mailto:") && !unsubscribe.one_click;
    if let Some(compiled) = compiled.as_ref().filter(|compiled| compiled.constant().is_none()) {
        one_line::check("the address", route.clone(), compiled, &unsubscribe.url, cx);
    }
    let constant = compiled.as_ref().and_then(|compiled| compiled.constant()?.as_text().cloned());
    let checked = constant.map(|url| Unsubscribe::new(&url, unsubscribe.one_click).map(drop));
    let why = match checked {
        _ if !begins && unsubscribe.one_click => {
            "with `one_click`, it must begin with `https://` and a host".to_owned()
        }
        _ if !begins => "it must begin with `https://` or `mailto:`".to_owned(),
        Some(Err(error)) => error.to_string(),
        _ => return,
    };
    let message = format!("invalid unsubscribe address: {why}");
    let help = "write an address such as `https://shop.example/stop?c=${{ order.customer_id }}`"
        .to_owned();
    cx.fault(Finding::error(codes::VALUE_NOT_ALLOWED, Place::value(route), message).help(help));
}

/// Returns the locale if it is fixed text.
fn fixed_locale(locale: &Compiled) -> Option<Arc<str>> {
    locale.constant().and_then(Value::as_text).cloned()
}

/// Warns about a locale without a translation.
fn check_translation(locale: &str, template: &Template, cx: &mut PlanContext<'_>) {
    let requested = language(locale);
    let known: Vec<&str> =
        std::iter::once(template.default_locale()).chain(template.locales()).collect();
    if known.iter().any(|known| language(known) == requested) {
        return;
    }
    let at = Place::value(Route::root().key("locale"));
    let message = format!("the e-mail has no translation for `{locale}`");
    let help = format!(
        "add a translation; the e-mail is available in: {}; readers of other languages get `{}`",
        known.join(", "),
        template.default_locale()
    );
    cx.fault(Finding::warning(codes::TEMPLATE_LOCALE, at, message).help(help));
}
