//! Generated expressions over the values that a step may refer to.

use super::rng::Rng;
use super::types::{Field, Ty};

/// A value that an expression may refer to.
#[derive(Clone, Debug)]
pub(super) struct KnownValue {
    pub(super) path: String,
    pub(super) ty: Ty,
    /// Paths that must not be null where the value is used.
    pub(super) guards: Vec<String>,
}

/// Adds a value and everything in it to `into`.
pub(super) fn flatten(
    path: &str,
    ty: &Ty,
    missing: bool,
    guards: &[String],
    into: &mut Vec<KnownValue>,
) {
    let mut guards = guards.to_vec();
    if missing {
        guards.push(path.to_owned());
    }
    if let Ty::Rec(fields) = ty {
        for Field { name, ty, optional, nullable } in fields {
            flatten(&format!("{path}.{name}"), ty, *optional || *nullable, &guards, into);
        }
    }
    into.push(KnownValue { path: path.to_owned(), ty: ty.clone(), guards });
}

/// Generates an expression of a type from known values. Returns `None` if that is not possible.
pub(super) fn expression(
    ty: &Ty,
    known: &[KnownValue],
    rng: &mut Rng,
    depth: usize,
) -> Option<String> {
    if depth == 0 || rng.one_in(3) {
        return leaf(ty, known, rng);
    }
    let below = depth - 1;
    let of = |ty: &Ty, rng: &mut Rng| expression(ty, known, rng, below);
    if rng.one_in(5) {
        let condition = of(&Ty::Bool, rng)?;
        let (yes, no) = (of(ty, rng)?, of(ty, rng)?);
        return Some(format!("({condition} ? {yes} : {no})"));
    }
    Some(match ty {
        Ty::Text => match rng.below(5) {
            0 => format!("({} + {})", of(ty, rng)?, of(ty, rng)?),
            1 => format!("upper({})", of(ty, rng)?),
            2 => format!("string({})", of(&Ty::Int, rng)?),
            3 => format!("string({})", of(&Ty::Dec(None), rng)?),
            _ => format!("coalesce(get({}, 1), 'none')", of(&Ty::Tags, rng)?),
        },
        Ty::Int => match rng.below(5) {
            0 => format!("({} + {})", of(ty, rng)?, of(ty, rng)?),
            1 => format!("({} * 3)", of(ty, rng)?),
            2 => format!("size({})", of(&Ty::Text, rng)?),
            3 => format!("size({})", of(&Ty::Tags, rng)?),
            _ => {
                let divisor = known.iter().find(|k| k.ty == Ty::Int && k.guards.is_empty())?;
                let path = &divisor.path;
                format!("({path} != 0 ? {} / {path} : 1)", of(ty, rng)?)
            }
        },
        Ty::Dec(unit) => match rng.below(6) {
            0 => format!("({} + {})", of(ty, rng)?, of(ty, rng)?),
            1 => format!("round({}, 2, 'half_even')", of(ty, rng)?),
            2 => format!("min({}, {})", of(ty, rng)?, of(ty, rng)?),
            3 => format!("sum([{}, {}])", of(ty, rng)?, of(ty, rng)?),
            4 => format!("({} * {})", of(ty, rng)?, of(&Ty::Int, rng)?),
            _ if unit.is_none() => format!("decimal({}, 0)", of(&Ty::Text, rng)?),
            _ => format!("div({}, 3, 4, 'down')", of(ty, rng)?),
        },
        Ty::Bool => match rng.below(6) {
            0 => format!("({} && {})", of(ty, rng)?, of(ty, rng)?),
            1 => format!("({} || !{})", of(ty, rng)?, of(ty, rng)?),
            2 => format!("({} < {})", of(&Ty::Int, rng)?, of(&Ty::Int, rng)?),
            3 => format!("({} == {})", of(&Ty::Text, rng)?, of(&Ty::Text, rng)?),
            4 => format!("{}.exists(x, x == {})", of(&Ty::Tags, rng)?, of(&Ty::Text, rng)?),
            _ => {
                let optional: Vec<&KnownValue> =
                    known.iter().filter(|k| k.guards.len() == 1).collect();
                format!("({} != null)", rng.pick(&optional)?.guards.first()?)
            }
        },
        Ty::Tags => match rng.below(3) {
            0 => format!("{}.map(t, t + {})", of(ty, rng)?, of(&Ty::Text, rng)?),
            1 => format!("{}.filter(t, size(t) > 0)", of(ty, rng)?),
            _ => format!("({} + {})", of(ty, rng)?, of(ty, rng)?),
        },
        Ty::Date => format!("date({})", of(&Ty::Stamp, rng)?),
        _ => return leaf(ty, known, rng),
    })
}

fn literal(ty: &Ty, rng: &mut Rng) -> Option<String> {
    Some(match ty {
        Ty::Text => rng.text(&["'none'", "'x y'", "''", "'é'"]),
        Ty::Int => rng.text(&["0", "7", "-3", "100000"]),
        Ty::Dec(_) => rng.text(&["0.5", "12", "-1.25"]),
        Ty::Bool => rng.text(&["true", "false"]),
        Ty::Tags => rng.text(&["[]", "['a', 'b']"]),
        _ => return None,
    })
}

fn leaf(ty: &Ty, known: &[KnownValue], rng: &mut Rng) -> Option<String> {
    let fitting: Vec<&KnownValue> = known.iter().filter(|known| known.ty == *ty).collect();
    let Some(chosen) = rng.pick(&fitting) else { return literal(ty, rng) };
    let instead = literal(ty, rng);
    let sure = || fitting.iter().find(|known| known.guards.is_empty());
    guarded(chosen, instead).or_else(|| sure().map(|known| known.path.clone()))
}

fn guarded(known: &KnownValue, instead: Option<String>) -> Option<String> {
    if known.guards.is_empty() {
        return Some(known.path.clone());
    }
    let guards: Vec<String> = known.guards.iter().map(|path| format!("{path} != null")).collect();
    Some(format!("({} ? {} : {})", guards.join(" && "), known.path, instead?))
}
