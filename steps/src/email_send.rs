//! `email.send`: renders a template and sends it, once for each key, step and element.

use std::sync::Arc;

use oms_engine::diagnostic::{Finding, Place, Route, codes};
use oms_engine::effects::{StepError, cause};
use oms_engine::expression::Compiled;
use oms_engine::locale::language;
use oms_engine::mail::Mail;
use oms_engine::record;
use oms_engine::step::{
    Effect, Expr, Faults, MailSettings, OnUnknown, PlanContext, Planned, Port, Safety, Step,
    StepContext, Verb,
};
use oms_engine::template::Template;
use oms_engine::value::{EmailAddress, Type, Typed, Value};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

/// Renders a mail template and sends it (SES, SMTP; an outbox table locally), once for each order, step and element.
///
/// Every name in the template is checked against `data` when the pipeline is validated. A failed attempt is only repeated when the mail
/// surely was not sent.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The template: a folder in the pipeline's `mail.templates`.
    template: String,
    /// The address.
    to: Expr<EmailAddress>,
    /// The reader's locale (BCP 47), such as `de-CH`. Without it, or without such a translation, the mail's own language is used.
    locale: Option<Expr<Option<String>>>,
    /// What the template may use.
    data: Map<String, Json>,
    /// What becomes of a mail of which it is not known whether it was sent, since the answer was lost: `hold` (default) parks the run until a
    /// person decides (`oms runs retry --held`), `resend` sends it again. It matters where mail leaves this machine.
    #[serde(default)]
    on_unknown: OnUnknown,
}

record! {
    /// The evaluated settings.
    pub struct Input {
        to: EmailAddress,
        locale: Option<Arc<str>>,
        data: Value,
    }
}

record! {
    /// What was sent.
    pub struct Output {
        /// The mail's Message-ID, without angle brackets.
        pub message_id: Arc<str>,
    }
}

/// The planned step.
pub struct EmailSend {
    template: Arc<Template>,
    settings: Arc<MailSettings>,
    domain: String,
}

impl Step for EmailSend {
    const NAME: &'static str = "email.send";
    type Config = Config;
    type Input = Input;
    type Output = Output;

    fn plan(config: Config, cx: &mut PlanContext<'_>) -> Result<Planned<Self>, Faults> {
        cx.expr("to", &config.to);
        let locale = config.locale.as_ref().and_then(|locale| cx.expr("locale", locale));
        let data = cx.value("data", &Route::root().key("data"), &Json::Object(config.data), None);
        let settings = cx.mail();
        let template = settings.as_ref().and_then(|settings| {
            cx.template("template", &config.template, settings, data.as_ref().map(|data| data.ty()))
        });
        if let (Some(template), Some(locale)) = (&template, locale.as_ref().and_then(written)) {
            translated(&locale, template, cx);
        }
        let input = cx.finish()?;
        let (Some(settings), Some(template)) = (settings, template) else { return Err(Vec::new()) };
        let domain = settings.from.address.rsplit('@').next().unwrap_or_default().to_owned();
        Ok(Planned {
            input,
            output: Output::ty().unwrap_or_else(Type::text),
            effects: vec![Effect {
                port: Port::Mail,
                verb: Verb::Send,
                resource: Arc::from(config.template),
                safety: Safety::Claimed(config.on_unknown),
            }],
            step: Self { template, settings, domain },
        })
    }

    async fn run(&self, cx: &StepContext<'_>, input: Input) -> Result<Output, StepError> {
        let rendered =
            self.template.render(&input.data, input.locale.as_deref()).map_err(|error| {
                StepError::permanent(cause::TEMPLATE, "the mail cannot be rendered")
                    .caused_by(error)
            })?;
        let message_id = format!("{}@{}", cx.call.key, self.domain);
        let mail = Mail {
            message_id: message_id.clone(),
            from: self.settings.from.clone(),
            to: input.to.0.to_string(),
            subject: rendered.subject,
            text: rendered.text,
            html: rendered.html,
            date: cx.call.run.accepted_at,
            unsubscribe: None,
            attachments: Vec::new(),
        };
        cx.effects.mail().send(cx.call, mail).await?;
        Ok(Output { message_id: Arc::from(message_id) })
    }
}

/// Returns a locale that is written in the pipeline.
fn written(locale: &Compiled) -> Option<Arc<str>> {
    locale.constant().and_then(Value::as_text).cloned()
}

/// Warns of a locale that the mail has no words in.
fn translated(locale: &str, template: &Template, cx: &mut PlanContext<'_>) {
    let wanted = language(locale);
    let known: Vec<&str> =
        std::iter::once(template.own_locale()).chain(template.locales()).collect();
    if known.iter().any(|known| language(known) == wanted) {
        return;
    }
    let at = Place::value(Route::root().key("locale"));
    let message = format!("the mail is not translated to `{locale}`");
    let help =
        format!("it has {}; other readers get `{}`", known.join(", "), template.own_locale());
    cx.fault(Finding::warning(codes::TEMPLATE_LOCALE, at, message).help(help));
}
