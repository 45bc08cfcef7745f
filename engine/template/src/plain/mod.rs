//! Generates the text part of an e-mail from its HTML: paragraphs, lists, tables and numbered
//! links.
//!
//! Layout tables, such as those of MJML or with `role="presentation"`, become paragraphs. Only data
//! tables are aligned. Hidden elements are skipped. Lines break at spaces and between ideographs.

mod flow;
mod grid;
mod hidden;
mod image;
mod links;
mod money;
mod selector;
mod table;
mod tree;
mod wrap;

pub(super) use flow::text_of;

#[cfg(test)]
mod tests;
