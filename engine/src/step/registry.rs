//! The kinds that a program knows.

use std::collections::BTreeMap;

use super::kind::StepKind;
use crate::pipeline::KindSchema;

/// Kinds by name.
#[derive(Clone)]
pub struct Registry {
    kinds: BTreeMap<&'static str, StepKind>,
}

/// Two kinds have one name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are two step kinds with the name `{0}`")]
pub struct DuplicateKind(pub &'static str);

impl Registry {
    /// Collects kinds.
    ///
    /// # Errors
    /// When two have the same name.
    pub fn new(kinds: impl IntoIterator<Item = StepKind>) -> Result<Self, DuplicateKind> {
        let mut known = BTreeMap::new();
        for kind in kinds {
            if known.insert(kind.name(), kind).is_some() {
                return Err(DuplicateKind(kind.name()));
            }
        }
        Ok(Self { kinds: known })
    }

    /// Returns a kind.
    pub fn get(&self, name: &str) -> Option<&StepKind> {
        self.kinds.get(name)
    }

    /// Returns the kinds in the order of their names.
    pub fn kinds(&self) -> impl Iterator<Item = &StepKind> {
        self.kinds.values()
    }

    /// Returns what the schema of the pipeline file says about the kinds.
    pub fn schemas(&self) -> Vec<KindSchema> {
        self.kinds()
            .map(|kind| KindSchema {
                name: kind.name(),
                summary: kind.summary(),
                config: kind.config_schema(),
            })
            .collect()
    }
}
