//! Generated expressions over the values that a step may refer to.

use super::chance::Chance;
use super::types::{Field, Ty};

/// A value that an expression may refer to.
#[derive(Clone, Debug)]
pub(super) struct Known {
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
    into: &mut Vec<Known>,
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
    into.push(Known { path: path.to_owned(), ty: ty.clone(), guards });
}

/// Generates an expression of a type from known values. Returns `None` if that is not possible.
pub(super) fn expression(
    ty: &Ty,
    known: &[Known],
    chance: &mut Chance,
    depth: usize,
) -> Option<String> {
    if depth == 0 || chance.one_in(3) {
        return leaf(ty, known, chance);
    }
    let below = depth - 1;
    let of = |ty: &Ty, chance: &mut Chance| expression(ty, known, chance, below);
    if chance.one_in(5) {
        let condition = of(&Ty::Bool, chance)?;
        let (yes, no) = (of(ty, chance)?, of(ty, chance)?);
        return Some(format!("({condition} ? {yes} : {no})"));
    }
    Some(match ty {
        Ty::Text => match chance.below(5) {
            0 => format!("({} + {})", of(ty, chance)?, of(ty, chance)?),
            1 => format!("upper({})", of(ty, chance)?),
            2 => format!("string({})", of(&Ty::Int, chance)?),
            3 => format!("string({})", of(&Ty::Dec(None), chance)?),
            _ => format!("coalesce(get({}, 1), 'none')", of(&Ty::Tags, chance)?),
        },
        Ty::Int => match chance.below(5) {
            0 => format!("({} + {})", of(ty, chance)?, of(ty, chance)?),
            1 => format!("({} * 3)", of(ty, chance)?),
            2 => format!("size({})", of(&Ty::Text, chance)?),
            3 => format!("size({})", of(&Ty::Tags, chance)?),
            _ => {
                let divisor = known.iter().find(|k| k.ty == Ty::Int && k.guards.is_empty())?;
                let path = &divisor.path;
                format!("({path} != 0 ? {} / {path} : 1)", of(ty, chance)?)
            }
        },
        Ty::Dec(unit) => match chance.below(6) {
            0 => format!("({} + {})", of(ty, chance)?, of(ty, chance)?),
            1 => format!("round({}, 2, 'half_even')", of(ty, chance)?),
            2 => format!("min({}, {})", of(ty, chance)?, of(ty, chance)?),
            3 => format!("sum([{}, {}])", of(ty, chance)?, of(ty, chance)?),
            4 => format!("({} * {})", of(ty, chance)?, of(&Ty::Int, chance)?),
            _ if unit.is_none() => format!("decimal({}, 0)", of(&Ty::Text, chance)?),
            _ => format!("div({}, 3, 4, 'down')", of(ty, chance)?),
        },
        Ty::Bool => match chance.below(6) {
            0 => format!("({} && {})", of(ty, chance)?, of(ty, chance)?),
            1 => format!("({} || !{})", of(ty, chance)?, of(ty, chance)?),
            2 => format!("({} < {})", of(&Ty::Int, chance)?, of(&Ty::Int, chance)?),
            3 => format!("({} == {})", of(&Ty::Text, chance)?, of(&Ty::Text, chance)?),
            4 => format!("{}.exists(x, x == {})", of(&Ty::Tags, chance)?, of(&Ty::Text, chance)?),
            _ => {
                let optional: Vec<&Known> = known.iter().filter(|k| k.guards.len() == 1).collect();
                format!("({} != null)", chance.pick(&optional)?.guards.first()?)
            }
        },
        Ty::Tags => match chance.below(3) {
            0 => format!("{}.map(t, t + {})", of(ty, chance)?, of(&Ty::Text, chance)?),
            1 => format!("{}.filter(t, size(t) > 0)", of(ty, chance)?),
            _ => format!("({} + {})", of(ty, chance)?, of(ty, chance)?),
        },
        Ty::Date => format!("date({})", of(&Ty::Stamp, chance)?),
        _ => return leaf(ty, known, chance),
    })
}

fn literal(ty: &Ty, chance: &mut Chance) -> Option<String> {
    Some(match ty {
        Ty::Text => chance.text(&["'none'", "'x y'", "''", "'é'"]),
        Ty::Int => chance.text(&["0", "7", "-3", "100000"]),
        Ty::Dec(_) => chance.text(&["0.5", "12", "-1.25"]),
        Ty::Bool => chance.text(&["true", "false"]),
        Ty::Tags => chance.text(&["[]", "['a', 'b']"]),
        _ => return None,
    })
}

fn leaf(ty: &Ty, known: &[Known], chance: &mut Chance) -> Option<String> {
    let fitting: Vec<&Known> = known.iter().filter(|known| known.ty == *ty).collect();
    let Some(chosen) = chance.pick(&fitting) else { return literal(ty, chance) };
    let instead = literal(ty, chance);
    let sure = || fitting.iter().find(|known| known.guards.is_empty());
    guarded(chosen, instead).or_else(|| sure().map(|known| known.path.clone()))
}

fn guarded(known: &Known, instead: Option<String>) -> Option<String> {
    if known.guards.is_empty() {
        return Some(known.path.clone());
    }
    let guards: Vec<String> = known.guards.iter().map(|path| format!("{path} != null")).collect();
    Some(format!("({} ? {} : {})", guards.join(" && "), known.path, instead?))
}
