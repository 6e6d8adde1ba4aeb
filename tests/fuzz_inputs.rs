//! What the fuzz targets of `fuzz/` do with other inputs than vectors, in seconds: every reader survives valid files and
//! damaged ones. A reader may not panic or hang, whatever the bytes.

use std::path::Path;
use std::time::{Duration, Instant};

use firth::math::Rng;

mod damage;
#[path = "../fuzz/src/inputs.rs"]
mod inputs;

use damage::damage;

/// Damaged files for each seed; `FIRTH_FUZZ_ROUNDS` asks for another number.
const ROUNDS: u64 = 300;
/// A case that takes longer hangs; the machine may be busy.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn readers_survive_seeds_and_what_becomes_of_them() {
    let rounds = std::env::var("FIRTH_FUZZ_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    for (number, input) in inputs::INPUTS.iter().enumerate() {
        let folder = tempfile::tempdir().expect("a folder");
        (input.seeds)(folder.path()).expect("seeds");
        let mut seeds: Vec<_> =
            std::fs::read_dir(folder.path()).expect("seeds").map(|seed| seed.expect("a seed").path()).collect();
        seeds.sort();
        assert!(!seeds.is_empty(), "{}", input.name);
        let mut refused = 0;
        for (which, seed) in seeds.iter().enumerate() {
            let whole: Vec<Vec<u8>> =
                input.files.iter().map(|file| std::fs::read(seed.join(file)).expect("a file")).collect();
            for round in 0..=rounds {
                let mut files = whole.clone();
                if round > 0 {
                    let mut rng = Rng::stream(5, &[number as u64, which as u64, round]);
                    let of = rng.below(files.len() as u32) as usize;
                    (0..1 + rng.below(3)).for_each(|_| damage(&mut files[of], &mut rng));
                }
                refused += u64::from(!read(input, &files, &format!("{} {which}, round {round}", input.name)));
            }
        }
        println!("{}: {refused} of {} refused", input.name, seeds.len() as u64 * (rounds + 1));
    }
}

/// Reads files from a folder of their own; says whether that went well.
fn read(input: &inputs::Input, files: &[Vec<u8>], what: &str) -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes) in input.files.iter().zip(files) {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new(""))).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }
    let start = Instant::now();
    let result = (input.read)(folder.path());
    assert!(start.elapsed() < LIMIT, "{what} took {:?}", start.elapsed());
    result.is_ok()
}
