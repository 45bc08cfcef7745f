//! The text part of a mail that has only HTML: paragraphs, lists, tables and notes of the links, as a reader without HTML wants them.
//!
//! A table of MJML's layout, or one with `role="presentation"`, flows as paragraphs. Only what is a table to its readers is aligned. What is hidden in
//! HTML is left out, and nothing is divided but at spaces.

mod flow;
mod grid;
mod hidden;
mod links;
mod money;
mod picture;
mod selector;
mod table;
mod tree;
mod wrap;

pub(super) use flow::text_of;

#[cfg(test)]
mod tests;
