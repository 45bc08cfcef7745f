//! The names that an expression can use, with their types and the facts about them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use oms_core::time_zone::TimeZone;
use oms_core::value::{Shape, Type, Value};

use super::facts::Facts;

/// A name that an expression can start with, besides `steps`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Root {
    /// The order.
    Order,
    /// The run: its key, its id and the time of its acceptance.
    Run,
    /// The element of a `for_each`.
    Item,
    /// The position of the element in a `for_each`.
    Index,
    /// The failure that a catch step handles.
    Error,
    /// How an order arrived.
    Intake,
    /// The settings of the pipeline.
    Settings,
    /// The current row, in `table.update`.
    Row,
}

impl Root {
    /// Every root, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::Order,
        Self::Run,
        Self::Item,
        Self::Index,
        Self::Error,
        Self::Intake,
        Self::Settings,
        Self::Row,
    ];

    /// Returns its default name. An item and its position may have other names (see
    /// [`Scope::name_item`] and [`Scope::name_index`]).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Run => "run",
            Self::Item => "item",
            Self::Index => "index",
            Self::Error => "error",
            Self::Intake => "intake",
            Self::Settings => "settings",
            Self::Row => "row",
        }
    }

    /// Returns the help for an expression that uses it where it is not available.
    pub(super) const fn availability(self) -> &'static str {
        match self {
            Self::Order => "`order` is not available here",
            Self::Run => "`run` is only available in steps",
            Self::Item => "`item` is only available in a step with `for_each`",
            Self::Index => {
                "add `index: i` to `for_each` and write `i` for the position of an element"
            }
            Self::Error => {
                "`error` is only available in a catch step, that is, a step that `on_failure` names"
            }
            Self::Intake => "`intake` is only available in `order.key`",
            Self::Row => "`row` is only available in `set` and `only_if` of `table.update`",
            Self::Settings => {
                "`settings` is only available in steps, `mail` and `services`, if the pipeline has a `settings` section"
            }
        }
    }
}

/// The value of `steps.<id>`.
#[derive(Clone, Debug, PartialEq)]
pub enum StepVar {
    /// The output of a step.
    Known {
        /// Its position in [`Env::steps`](super::Env::steps).
        index: usize,
        /// Its type.
        ty: Type,
    },
    /// A step with errors. Expressions that use it have no type, and nothing more is reported about
    /// them.
    Broken,
}

/// The names that an expression can use, with their types, and the facts that hold.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    roots: BTreeMap<Root, Type>,
    item_name: Option<Arc<str>>,
    index_name: Option<Arc<str>>,
    steps: Arc<BTreeMap<String, StepVar>>,
    /// Steps that exist but whose outputs are not available here.
    other_steps: Arc<BTreeSet<String>>,
    facts: Facts,
    time_zone: TimeZone,
    settings: Option<Value>,
}

impl Scope {
    /// Creates a scope without names. `time_zone` determines the days of timestamps.
    pub fn new(time_zone: TimeZone) -> Self {
        Self { time_zone, ..Self::default() }
    }

    /// Adds a root, or changes its type.
    pub fn define(&mut self, root: Root, ty: Type) {
        self.roots.insert(root, ty);
    }

    /// Defines the settings, with their values in this environment.
    pub fn set_settings(&mut self, ty: Type, values: Value) {
        self.define(Root::Settings, ty);
        self.settings = Some(values);
    }

    /// Returns the values of the settings.
    pub(super) fn settings(&self) -> Value {
        self.settings.clone().unwrap_or(Value::Missing)
    }

    /// Renames the item, as `for_each.as` does. The name `item` is then undefined.
    pub fn name_item(&mut self, name: &str) {
        self.item_name = Some(Arc::from(name));
    }

    /// Defines the position of the element under a name, as `for_each.index` does.
    pub fn name_index(&mut self, name: &str) {
        self.index_name = Some(Arc::from(name));
        self.define(Root::Index, Type::of(Shape::Int));
    }

    /// Adds `steps.<id>`.
    pub fn step(&mut self, id: &str, step: StepVar) {
        Arc::make_mut(&mut self.steps).insert(id.to_owned(), step);
    }

    /// Sets the ids of all steps of the pipeline, including those whose outputs are not available
    /// here.
    pub fn set_step_ids(&mut self, ids: Arc<BTreeSet<String>>) {
        self.other_steps = ids;
    }

    pub(super) fn has_other_step(&self, id: &str) -> bool {
        self.other_steps.contains(id)
    }

    /// Returns whether this is the scope of a step, which has its own condition.
    pub(super) fn is_within_step(&self) -> bool {
        self.roots.contains_key(&Root::Run)
    }

    /// Returns this scope with additional facts.
    #[must_use]
    pub fn assume(&self, facts: &Facts) -> Self {
        Self { facts: self.facts.clone().and(facts), ..self.clone() }
    }

    pub(super) const fn time_zone(&self) -> &TimeZone {
        &self.time_zone
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Finds a root by its name here, whether it is defined or not.
    pub(super) fn root(&self, name: &str) -> Option<(Root, Option<&Type>)> {
        let root = Root::ALL.into_iter().find(|root| self.name_of(*root) == name)?;
        Some((root, self.roots.get(&root)))
    }

    /// Returns whether the element of a `for_each` or its position has this name.
    pub fn names_element(&self, name: &str) -> bool {
        [Root::Item, Root::Index]
            .into_iter()
            .any(|root| self.roots.contains_key(&root) && self.name_of(root) == name)
    }

    /// Returns the name of a root here.
    pub fn name_of(&self, root: Root) -> &str {
        let named = match root {
            Root::Item => &self.item_name,
            Root::Index => &self.index_name,
            _ => &None,
        };
        named.as_deref().unwrap_or(root.as_str())
    }

    pub(super) fn item_is_renamed(&self) -> Option<&str> {
        self.item_name.as_deref().filter(|_| self.roots.contains_key(&Root::Item))
    }

    /// Returns the steps whose outputs are available, by id.
    pub fn steps(&self) -> &BTreeMap<String, StepVar> {
        &self.steps
    }

    /// Returns the names that an expression can start with here.
    pub(super) fn names(&self) -> Vec<&str> {
        let steps = (!self.steps.is_empty()).then_some("steps");
        self.roots.keys().map(|root| self.name_of(*root)).chain(steps).collect()
    }
}
