//! The pipeline that a handler embeds. It contains only the handler's own steps and the definitions
//! that they use, so that the handler starts faster and embeds fewer files.
//!
//! A step behaves the same in the reduced pipeline: its call depends only on the name of the
//! pipeline, the key of the order and the id of the step. The reduced pipeline is checked like any
//! other. If the check fails, the handler embeds the whole pipeline.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use oms_engine::document::{self, MemoryFiles};
use oms_engine::plan::{Checker, Choreography, Plan, choreography};
use serde_json::{Map, Value as Json};

/// Files by their paths relative to the pipeline, including the pipeline file itself.
pub(crate) type Files = BTreeMap<String, Arc<[u8]>>;

/// Sections of which a handler may use only some entries.
const SECTIONS: [&str; 2] = ["rates", "tables"];

/// The pipeline whose parts the handlers embed.
pub(crate) struct Source<'a> {
    pub(crate) checker: &'a Checker,
    pub(crate) plan: &'a Plan,
    pub(crate) choreography: &'a Choreography,
    /// Name of the pipeline file.
    pub(crate) pipeline: &'a str,
}

/// The files that each handler embeds.
pub(crate) struct Bundles {
    /// The files of the handlers without a branch.
    intake: Files,
    branches: BTreeMap<Arc<str>, Files>,
}

impl Bundles {
    pub(crate) fn of(source: &Source<'_>) -> Self {
        let embedded =
            |branch| source.reduced(branch).unwrap_or_else(|| source.plan.files().clone());
        let branches = source.choreography.branches.iter();
        let branches = branches.map(|one| (Arc::clone(&one.name), embedded(Some(&*one.name))));
        Self { intake: embedded(None), branches: branches.collect() }
    }

    /// Returns the files of the handler of a branch, or of a handler without a branch.
    pub(crate) fn get(&self, branch: Option<&str>) -> &Files {
        branch.and_then(|branch| self.branches.get(branch)).unwrap_or(&self.intake)
    }
}

impl Source<'_> {
    /// Returns the paths of the embedded files with the ECB's exchange rates.
    pub(crate) fn rates(&self, embedded: &Files) -> Vec<String> {
        let bytes = embedded.get(self.pipeline).cloned().unwrap_or_default();
        let document = document::parse(&Arc::from(self.pipeline), &bytes);
        let file = document.map_or(Json::Null, |document| document.root().to_json());
        let sources = file["rates"].as_object().into_iter().flat_map(Map::values);
        let ecb = sources.filter(|source| source["source"] == "ecb");
        ecb.filter_map(|source| source["file"].as_str()).map(str::to_owned).collect()
    }

    fn reduced(&self, branch: Option<&str>) -> Option<Files> {
        let bytes = self.plan.files().get(self.pipeline)?;
        let document = document::parse(&Arc::from(self.pipeline), bytes).ok()?;
        let mut root = document.root().to_json();
        let file = root.as_object_mut()?;
        self.remove_unused(file, branch);
        self.check(file, branch)?;
        // Remove everything that the steps do not need.
        let mut parts = vec![vec!["mail".to_owned()]];
        for section in SECTIONS {
            let names = file.get(section).and_then(Json::as_object).into_iter().flat_map(Map::keys);
            parts.extend(names.map(|name| vec![section.to_owned(), name.clone()]));
        }
        for part in parts {
            let mut less = file.clone();
            if remove(&mut less, &part) && self.check(&less, branch).is_some() {
                *file = less;
            }
        }
        self.check(file, branch)
    }

    /// Removes the steps of other branches, and data that handlers do not use.
    fn remove_unused(&self, file: &mut Map<String, Json>, branch: Option<&str>) {
        let branch = self.branch(branch);
        let own = branch.map(|branch| &branch.steps);
        let trunk = [self.choreography.store, self.choreography.announce];
        let kept: BTreeSet<usize> = own.into_iter().flatten().copied().chain(trunk).collect();
        let id = |step: &usize| self.plan.steps().get(*step).map(|step| step.id.to_string());
        let ids: BTreeSet<String> = kept.iter().filter_map(id).collect();
        if let Some(steps) = file.get_mut("steps").and_then(Json::as_object_mut) {
            steps.retain(|id, _| ids.contains(id));
        }
        file.shift_remove("handlers");
        if let Some(branch) = branch {
            let steps: Vec<String> = branch.steps.iter().filter_map(id).collect();
            let handlers = Map::from_iter([(branch.name.to_string(), Json::from(steps))]);
            file.insert("handlers".to_owned(), Json::Object(handlers));
        }
        file.shift_remove("description");
        if let Some(order) = file.get_mut("order").and_then(Json::as_object_mut) {
            order.shift_remove("samples");
        }
        let tables = file.get_mut("tables").and_then(Json::as_object_mut);
        for table in tables.into_iter().flat_map(Map::values_mut) {
            if let Some(table) = table.as_object_mut() {
                table.shift_remove("seed");
            }
        }
    }

    fn branch(&self, name: Option<&str>) -> Option<&oms_engine::plan::Branch> {
        self.choreography.branches.iter().find(|branch| Some(&*branch.name) == name)
    }

    /// Checks a reduced pipeline, including that the effects of its branch are unchanged. Returns
    /// the pipeline with the files that it uses.
    fn check(&self, file: &Map<String, Json>, branch: Option<&str>) -> Option<Files> {
        let json = Json::Object(file.clone());
        let text = format!(
            "# A part of {}, generated by `oms generate lambda`.\n{json:#}\n",
            self.pipeline
        );
        let mut files = self.plan.files().clone();
        files.insert(self.pipeline.to_owned(), Arc::from(text.into_bytes()));
        let files = MemoryFiles::new(files);
        let plan = self.checker.check_bundle(self.pipeline, &files, self.plan.semantics()).plan?;
        let found = choreography(&plan).ok()?;
        let does = |plan: &Plan, step: &usize| {
            plan.steps()
                .get(*step)
                .map(|step| (step.id.to_string(), step.kind, step.effects.clone()))
        };
        let of = |plan: &Plan, choreography: &Choreography| -> Option<Vec<_>> {
            let branch = choreography.branches.iter().find(|one| Some(&*one.name) == branch);
            branch.map(|branch| branch.steps.iter().map(|step| does(plan, step)).collect())
        };
        let same = of(&plan, &found) == of(self.plan, self.choreography);
        (same && plan.name() == self.plan.name()).then(|| plan.files().clone())
    }
}

/// Removes an entry of a file, and its section if the section becomes empty. Returns whether the
/// entry existed.
fn remove(file: &mut Map<String, Json>, part: &[String]) -> bool {
    match part {
        [name] => file.shift_remove(name).is_some(),
        [section, name] => {
            let Some(parts) = file.get_mut(section).and_then(Json::as_object_mut) else {
                return false;
            };
            let removed = parts.shift_remove(name).is_some();
            if parts.is_empty() {
                file.shift_remove(section);
            }
            removed
        }
        _ => false,
    }
}
