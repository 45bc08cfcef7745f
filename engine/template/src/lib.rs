//! E-mail templates: folders of Handlebars files that are loaded once, checked against the type of
//! their data, and rendered.
//!
//! A [`Template`] is the folder `<templates>/<name>/`. It contains `subject.hbs` and `body.mjml`
//! (or `body.html.hbs`), optionally `body.txt.hbs`, the texts in `texts.yaml`, and a subfolder for
//! each locale with the files that differ. All templates share the partials of
//! `<templates>/partials/`. [`Template::check`] walks the syntax tree that Handlebars parsed and
//! resolves every name in it against a [`Type`](oms_core::value::Type). If the check finds no
//! errors, rendering data of that type can fail only because of the size limit. Rendered e-mails
//! and their data are personal, so no code in this module may print them.

mod attribute;
mod check;
mod check_block;
mod check_format;
mod check_helper;
mod check_link;
mod check_partial;
mod check_path;
mod check_plural;
mod contrast;
mod css;
mod entity;
mod helpers;
mod html_position;
mod isolation;
mod lint;
mod lint_images;
mod load;
pub mod locale;
mod markup;
mod mjml;
mod mjml_check;
mod mjml_include;
mod mjml_nesting;
mod mjml_source;
mod mjml_tree;
mod part;
mod path;
mod plain;
mod problem;
mod program;
mod render;
mod sample;
mod scan;
mod tag;
mod texts;
mod writer;

pub use lint::{HTML_BYTES_SHOWN, SUBJECT_CHARS_SHOWN};
pub use load::{PARTIALS_FOLDER, Template};
pub use part::{FILE_BYTES_MAX, TAGS_MAX};
pub use problem::{PROBLEMS_MAX, TemplateProblem};
pub use render::{RENDERED_BYTES_MAX, Rendered, SUBJECT_CHARS_MAX, TemplateError};

#[cfg(test)]
mod library_tests;
#[cfg(test)]
mod part_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod shipped_tests;
#[cfg(test)]
mod tests;
