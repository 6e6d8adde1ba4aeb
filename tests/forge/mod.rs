//! Checkpoints changed by hand.

use std::path::Path;

use firth::io::checksum;
use serde_json::Value;

/// Changes a `state.json` and gives it the checksum of what it says now: damage that only its meaning can tell.
pub fn forge(file: &Path, change: impl FnOnce(&mut Value)) {
    let mut state: Value = serde_json::from_slice(&std::fs::read(file).expect("a state")).expect("JSON");
    change(&mut state);
    state.as_object_mut().expect("an object").remove("checksum");
    let sum = checksum::part(state.to_string().as_bytes(), 0, u64::from);
    state["checksum"] = format!("{sum:016x}").into();
    std::fs::write(file, state.to_string()).expect("written");
}
