//! The registry of kinds.

use std::collections::BTreeMap;

use super::kind::StepKind;
use crate::pipeline::KindSchema;

/// Kinds by name.
#[derive(Clone)]
pub struct Registry {
    kinds: BTreeMap<&'static str, StepKind>,
}

/// The error for two kinds with the same name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("duplicate step kind `{0}`")]
pub struct DuplicateKind(pub &'static str);

impl Registry {
    /// Creates a registry of kinds.
    ///
    /// # Errors
    /// Returns an error if two kinds have the same name.
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

    /// Returns the kinds, sorted by name.
    pub fn kinds(&self) -> impl Iterator<Item = &StepKind> {
        self.kinds.values()
    }

    /// Returns the parts of the kinds that the schema of the pipeline file contains.
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
