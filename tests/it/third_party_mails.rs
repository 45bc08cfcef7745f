//! The text parts of MJML templates from other projects: each folder of `tests/mails/templates/`
//! holds a template and its text part in `expected.txt`. `OMS_UPDATE=1` rewrites the text parts.

use crate::harness::{oms, root, setting};

const FOLDER: &str = "tests/mails/templates";

/// Minimum number of templates.
const TEMPLATES_MIN: usize = 5;

#[test]
fn text_parts_of_third_party_templates_match_the_expected_text() {
    let entries = std::fs::read_dir(root().join(FOLDER)).unwrap().map(|entry| entry.unwrap());
    let mut folders: Vec<_> =
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    assert!(folders.len() >= TEMPLATES_MIN, "{folders:?}");
    for folder in folders {
        let name = folder.file_name().unwrap().to_string_lossy();
        let pipeline = format!("{FOLDER}.yaml");
        let call = ["render-email", "preview", &pipeline, "--template", &name, "--part", "text"];
        let text = oms(call).exits(0).stdout;
        let expected = folder.join("expected.txt");
        if setting("OMS_UPDATE").is_some() {
            std::fs::write(&expected, &text).unwrap();
        }
        assert_eq!(text, std::fs::read_to_string(&expected).unwrap(), "{name}");
    }
}
