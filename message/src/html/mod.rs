//! HTML and XML, as far as values go: tags, attributes and text with byte spans, never a tree.
//!
//! The tokenizer is our own because places must be known to the byte, empty and missing values included,
//! which `html5gum` does not report; for character references its table is used.

pub mod entity;
pub mod token;
