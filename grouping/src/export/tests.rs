//! What holds for every language.
