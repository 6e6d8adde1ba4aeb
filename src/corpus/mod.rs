//! Files as documents and lines, borrowed from the map; synthetic corpora.

pub mod synthetic;
