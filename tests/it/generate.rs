//! `oms generate lambda`: the same bytes each time, and a folder that is not what would be written is told.

use crate::harness::{Scratch, oms};

#[test]
fn a_generated_folder_is_checked_file_by_file() {
    let scratch = Scratch::new();
    for name in ["storefront", "order-management"] {
        let pipeline = format!("pipelines/{name}.yaml");
        let out = scratch.path(name);
        let shown = out.to_string_lossy();
        let words = ["generate", "lambda", &pipeline, "--out", &shown];
        let check = || oms([&words[..], &["--check"]].concat());
        assert!(check().exits(1).stderr.contains("template.yaml"));
        assert!(!out.exists(), "a check writes nothing");
        oms(words).exits(0);
        check().exits(0);
        assert!(oms(words).exits(0).stderr.contains(" 0 of "));
        let template = std::fs::read_to_string(out.join("template.yaml")).unwrap();
        let parsed: serde_yaml::Value = serde_yaml::from_str(&template).unwrap();
        let has = |id: &str| parsed["Resources"].get(id).is_some();
        assert!(has("InitiateBillingQueue") && has("CustomerCommunicationsRole"));
        // What somebody changed, and what is there too much.
        std::fs::write(out.join("iam.md"), "changed").unwrap();
        std::fs::write(out.join("handlers/intake/bundle/old.csv"), "old").unwrap();
        let stale = check().exits(1).stderr;
        assert!(stale.contains("iam.md") && stale.contains("old.csv"), "{stale}");
        oms(words).exits(0);
        assert!(!out.join("handlers/intake/bundle/old.csv").exists());
        check().exits(0);
    }
}

#[test]
fn what_lambda_cannot_do_is_not_generated() {
    let scratch = Scratch::new();
    let out = scratch.path("out");
    let pipeline = "tests/diagnostics/OMS0702-needs-another-handler.yaml";
    let refused = oms(["generate", "lambda", pipeline, "--out", &out.to_string_lossy()]).exits(1);
    assert!(refused.stderr.contains("OMS0702"), "{}", refused.stderr);
    assert!(!out.exists());
}
