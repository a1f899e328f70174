//! HTML and XML, as far as values go: tags, attributes and text with byte spans, never a tree.

pub mod entity;
