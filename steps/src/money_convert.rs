//! `money.convert`: converts an amount with a dated rate. It has no effects, because the rates are
//! part of the plan.

use std::sync::Arc;

use jiff::civil::Date;
use oms_engine::diagnostic::{Finding, Place, Route, codes};
use oms_engine::effects::{StepError, cause};
use oms_engine::expression::Compiled;
use oms_engine::money::{self, ConvertError, Currency, Decimal, RATE_PLACES};
use oms_engine::record;
use oms_engine::step::{Expr, Faults, PlanContext, Planned, RateSource, Step, StepContext};
use oms_engine::value::{DateFormat, Shape, Type, Unit, Value};
use schemars::JsonSchema;
use serde::Deserialize;

/// Converts an amount to another currency at the rate of a given day.
///
/// The rates come from the rate table's newest row that quotes both currencies and is dated on or
/// before the day. The amount is multiplied by the exact quotient of the two rates. The result is
/// rounded once, to the minor units (ISO 4217) of the target currency, with the rate table's
/// `rounding`. If there is no rate, the run is parked with the cause `no_rate`.
///
/// Some currencies were replaced by the euro after 1 January 1999. From the day of the replacement,
/// a table of the European Central Bank uses the fixed conversion rate of the European Union for
/// such a currency, and `rate_source` contains `euro`. For a rate from the overrides file, it
/// contains `override`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The amount to convert.
    amount: Expr<Decimal>,
    /// The currency of the amount.
    from: Expr<Currency>,
    /// The target currency.
    to: Expr<Currency>,
    /// The day of the rates: a date or a timestamp. A timestamp is converted to its day in the
    /// pipeline's `time_zone`. Fixed rate tables do not need a day.
    on: Option<Expr<Value>>,
    /// The name of the rate table.
    rates: String,
}

record! {
    /// The evaluated settings.
    pub struct Input {
        amount: Decimal,
        from: Currency,
        to: Currency,
        on: Option<Date>,
    }
}

record! {
    /// The converted amount and the rates that were used.
    pub struct Output {
        /// The amount in the target currency, rounded to its minor units.
        pub amount: Decimal,
        /// Units of the target currency per unit of the source currency, rounded to 12 decimals. It
        /// is informational and not used for the conversion.
        pub rate: Decimal,
        /// The source currency's rate in the table.
        pub from_rate: Decimal,
        /// The target currency's rate in the table.
        pub to_rate: Decimal,
        /// The date of the rates, or null for a fixed table.
        pub rate_date: Option<Date>,
        /// The source of the rates: `ECB`, `fixed`, `override` or `euro`, or two of them, as in
        /// `euro+ECB`.
        pub rate_source: Arc<str>,
        /// Whether no rounding was needed.
        pub exact: bool,
    }
}

/// The planned step.
pub struct MoneyConvert {
    rates: Arc<RateSource>,
}

/// Maximum number of digits before the decimal point of a converted amount.
const AMOUNT_DIGITS_MAX: u32 = 17;
/// Maximum numbers of digits before and after the decimal point of a quote.
const QUOTE_DIGITS_MAX: (u32, u32) = (12, 8);

impl Step for MoneyConvert {
    const NAME: &'static str = "money.convert";
    type Config = Config;
    type Input = Input;
    type Output = Output;

    fn plan(config: Config, cx: &mut PlanContext<'_>) -> Result<Planned<Self>, Faults> {
        let amount = cx.expr("amount", &config.amount);
        let from = cx.expr("from", &config.from);
        let to = cx.expr("to", &config.to);
        let on = config.on.as_ref().map(|on| cx.day("on", on));
        if let (Some(amount), Some(from)) = (&amount, &from) {
            check_unit(amount, from, cx);
        }
        let rates = cx.rates("rates", &config.rates);
        if let Some(rates) = &rates {
            check_has_rate("from", from.as_ref(), rates, cx);
            check_has_rate("to", to.as_ref(), rates, cx);
            if rates.table.is_dated() && on.is_none() {
                let message = format!(
                    "the rates of `{}` depend on the date, but the day of the conversion is missing",
                    rates.name
                );
                cx.fault(
                    Finding::error(codes::MISSING_KEY, Place::key(Route::root()), message)
                        .help("add `on:`, such as `${{ order.placed_at }}`".to_owned()),
                );
            }
        }
        let input = cx.finish()?;
        let Some(rates) = rates else { return Err(Vec::new()) };
        let is_personal = |part: Option<&Compiled>| part.is_some_and(|part| part.ty().pii);
        // The rate reveals the currencies and the day. The converted amount and `exact` also reveal
        // the amount.
        let rate = is_personal(from.as_ref())
            || is_personal(to.as_ref())
            || is_personal(on.flatten().as_ref());
        let pii = PersonalParts { rate, amount: rate || is_personal(amount.as_ref()) };
        Ok(Planned {
            input,
            output: output_type(to.as_ref(), &rates, pii),
            effects: Vec::new(),
            step: Self { rates },
        })
    }

    async fn run(&self, _: &StepContext<'_>, input: Input) -> Result<Output, StepError> {
        let rates = &self.rates;
        // A fixed table has no dates, so it ignores the placeholder.
        let on = input.on.unwrap_or(Date::ZERO);
        let converted = money::convert(
            &rates.table,
            input.amount,
            input.from,
            input.to,
            on,
            rates.max_age_days,
            rates.rounding,
        )
        .map_err(|error| match &error {
            ConvertError::NoRate(why) => StepError::permanent(cause::NO_RATE, why.to_string()),
            ConvertError::OutOfRange { .. } => {
                StepError::permanent(cause::OUT_OF_RANGE, error.to_string())
            }
        })?;
        let (digits, places) = QUOTE_DIGITS_MAX;
        let quotes = [converted.from_rate, converted.to_rate];
        if converted.amount.integer_digits() > AMOUNT_DIGITS_MAX
            || converted.rate.integer_digits() > 28 - RATE_PLACES
            || quotes.iter().any(|quote| quote.integer_digits() > digits || quote.scale() > places)
        {
            let message = "the converted amount or its rate has too many digits";
            return Err(StepError::permanent(cause::OUT_OF_RANGE, message));
        }
        Ok(Output {
            amount: converted.amount,
            rate: converted.rate,
            from_rate: converted.from_rate,
            to_rate: converted.to_rate,
            rate_date: converted.rate_date,
            rate_source: rates.source_label(converted.sources),
            exact: converted.exact,
        })
    }
}

/// Reports an amount whose currency differs from `from`.
fn check_unit(amount: &Compiled, from: &Compiled, cx: &mut PlanContext<'_>) {
    let Some(unit) = &amount.ty().unit else { return };
    let source = unit_of(from);
    if source.as_ref().is_some_and(|source| source != unit) {
        let message = format!("the amount is in {unit}, but is converted from another currency");
        let from = Place::value(Route::root().key("from"));
        let place = Place::value(Route::root().key("amount"));
        cx.fault(
            Finding::error(codes::CURRENCY_MISMATCH, from, message)
                .related(place, format!("in {unit}"))
                .help(match unit {
                    Unit::Field(path) => format!("write `from: ${{{{ {path} }}}}`"),
                    Unit::Code(currency) => format!("write `from: {}`", currency.code()),
                }),
        );
    }
}

/// Returns the currency of an expression, as far as it is known in the plan.
fn unit_of(currency: &Compiled) -> Option<Unit> {
    match currency.constant() {
        Some(Value::Text(code)) => Currency::parse(code).ok().map(Unit::Code),
        _ => currency.path().map(|path| Unit::Field(Arc::from(path))),
    }
}

fn check_has_rate(
    field: &str,
    currency: Option<&Compiled>,
    rates: &RateSource,
    cx: &mut PlanContext<'_>,
) {
    let Some(Value::Text(code)) = currency.and_then(Compiled::constant) else { return };
    let Ok(currency) = Currency::parse(code) else { return };
    if !rates.table.has_currency(currency) {
        let message = format!("the rate table `{}` has no rate for {code}", rates.name);
        cx.fault(Finding::error(
            codes::NO_SUCH_RATE,
            Place::value(Route::root().key(field)),
            message,
        ));
    }
}

/// The parts of the output that reveal personal data.
struct PersonalParts {
    rate: bool,
    amount: bool,
}

fn output_type(to: Option<&Compiled>, rates: &RateSource, pii: PersonalParts) -> Type {
    let unit = to.and_then(unit_of);
    let scale = match &unit {
        Some(Unit::Code(currency)) => currency.minor_units(),
        _ => 4,
    };
    let decimal = |integer_digits, scale| Type::of(Shape::Decimal { integer_digits, scale });
    let amount = Type { unit, pii: pii.amount, ..decimal(AMOUNT_DIGITS_MAX, scale) };
    let (digits, places) = QUOTE_DIGITS_MAX;
    let date = Type { nullable: !rates.table.is_dated(), ..Type::of(Shape::Date(DateFormat::Iso)) };
    let chars_max = Some(rates.source_label_chars_max());
    let source = Type::of(Shape::Text { chars_max, values: None });
    Type::record([
        ("amount", amount),
        ("rate", decimal(28 - RATE_PLACES, RATE_PLACES).with_pii(pii.rate)),
        ("from_rate", decimal(digits, places).with_pii(pii.rate)),
        ("to_rate", decimal(digits, places).with_pii(pii.rate)),
        ("rate_date", date.with_pii(pii.rate)),
        ("rate_source", source),
        ("exact", Type::of(Shape::Bool).with_pii(pii.amount)),
    ])
}
