//! What the fuzz targets of `fuzz/` do at length, in seconds: every reader survives valid files and damaged ones.
//!
//! Seeds are what firth itself writes, and lines that have been trouble. Each is damaged in ways that a generator of
//! random numbers with a fixed seed chooses: bits flipped, ends cut, parts doubled and moved, numbers in text and in
//! binary made huge. Whatever comes of it, strictly and leniently, a reader may not panic, hang, or ask for more memory
//! than some times the file's size. This is the only test of this binary, since it counts all memory of the process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use firth::embeddings::Embeddings;
use firth::format::{self, Candidate, Care, FORMATS, Format};
use firth::math::{Matrix, Rng};
use firth::vocabulary::Keys;

mod damage;

use damage::damage;

/// Counts what is allocated, and the most that ever was.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn grown(bytes: usize) {
    let now = NOW.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(now, Ordering::Relaxed);
}

// SAFETY: every call is handed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        grown(size);
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Memory that a reader may ask for, whatever it reads: buffers, and what threads and libraries keep.
const ROOM: usize = 8 << 20;
/// A case that takes longer hangs; the machine may be busy.
const LIMIT: Duration = Duration::from_secs(60);

/// Damaged files for each seed of each format; `FIRTH_FUZZ_ROUNDS` asks for another number.
const ROUNDS: u64 = 500;

/// How many times its size a file may become in memory. Text of one digit becomes a number of four bytes; what is packed
/// becomes what it was.
fn times(format: &dyn Format) -> usize {
    match format.name() {
        "npz" | "parquet" => 1024,
        _ => 64,
    }
}

fn seed(keys: &[&str], dim: usize) -> Embeddings {
    let mut rng = Rng::stream(9, &[keys.len() as u64, dim as u64]);
    let values = (0..keys.len() * dim).map(|_| rng.uniform() - 0.5).collect();
    let vectors = Matrix::from_vec(keys.len(), dim, values).expect("as many numbers");
    let counts = (0..keys.len() as u64).rev().collect();
    Embeddings::new(keys.iter().collect::<Keys>(), vectors, Some(counts)).expect("as many rows")
}

/// Texts that readers of text take, or nearly do.
const TEXTS: [&str; 12] = [
    "2 2\na 1 2\nb 3 4\n",
    "\u{feff}3 2 \r\nNew York 1 2 \r\n 5 6\r\nb 3 4 \r\n\r\n",
    "2 2\na 1 2\na 3 nan\n\nb 1e99 -0\nc 1",
    "999999999 300\na 1\n",
    "the 0.1 -1e-3 5\n, 1 2 3\nroute 66 1 2 3\n",
    "1\t2\n3\t4\n",
    "word,count,v0,v1\n\"a,\"\"b\",5,1,2\nb,4,3\n",
    ",0,1\na,1,2\n\"b\nc\",3,4\n",
    "{\"id\":0,\"text\":\"k\",\"vector\":[0.5,1],\"metadata\":{\"count\":3}}\n{\"text\":\"b\",\"vector\":[1]}\n",
    "{\"id\":7,\"embedding\":[1,2],\"payload\":{\"word\":\"\\ud83d\\ude00\",\"x\":[[[]]]}}",
    "embeddings {\n  tensor_path: \"vectors.tsv\"\n  metadata_path: \"metadata.tsv\"\n}\n",
    "PK\u{3}\u{4}",
];

/// The files of a result: itself and what lies beside it, or all in its folder.
fn files(path: &Path) -> Vec<PathBuf> {
    let folder = if path.is_dir() { path } else { path.parent().expect("in a folder") };
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut all: Vec<_> = entries.flat_map(|entry| if entry.is_dir() { files(&entry) } else { vec![entry] }).collect();
    all.sort();
    all
}

/// Reads in every way; says whether a strict reader refused.
fn check(format: &dyn Format, path: &Path, size: usize, what: &str) -> bool {
    let mut refused = false;
    for care in [Care::Strict, Care::Lenient] {
        let (before, start) = (NOW.load(Ordering::Relaxed), Instant::now());
        PEAK.store(before, Ordering::Relaxed);
        let read = Candidate::open(path).and_then(|candidate| format.read_as(&candidate, care));
        let (took, asked) = (start.elapsed(), PEAK.load(Ordering::Relaxed) - before);
        let name = format.name();
        assert!(took < LIMIT, "{name} took {took:?} for {what}");
        assert!(asked <= times(format) * size + ROOM, "{name} asked for {asked} bytes to read {size} of {what}");
        refused |= care == Care::Strict && read.is_err();
        if let Ok(read) = read {
            assert!(read.vectors().as_slice().iter().all(|value| value.is_finite()) || is_trusted(format), "{what}");
        }
    }
    // Whatever it is taken for now, that reader has to survive as well.
    let _ = format::read(path);
    refused
}

/// Numbers of firth's own files are checked when they are written.
fn is_trusted(format: &dyn Format) -> bool {
    format.name() == "safetensors"
}

#[test]
fn readers_survive_seeds_and_what_becomes_of_them() {
    // One thread: what is read is small, and other threads' memory would count as well.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    pool.install(survive);
}

/// What pyarrow wrote, with a number of the header of its first page, a dictionary, made the largest of 32 bits: its size
/// unpacked, or how many values it has. Numbers there take as few bytes as they can, so that chance does not do this.
fn large_pages() -> [Vec<u8>; 2] {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pyarrow.parquet");
    let original = std::fs::read(path).expect("a file");
    let next = original.windows(3).skip(7).position(|bytes| bytes == [0x15, 4, 0x15]).expect("that of counts") + 7;
    [7, 13].map(|at| {
        let mut bytes = original.clone();
        // What follows stays where it is.
        bytes.drain(next - 4..next);
        bytes.splice(at..at + 1, [0xfe, 0xff, 0xff, 0xff, 0x0f]);
        assert_eq!(bytes.len(), original.len());
        bytes
    })
}

fn survive() {
    let rounds = std::env::var("FIRTH_FUZZ_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    let long = "long".repeat(20);
    let seeds = [seed(&["a", "wörd", "日本", "5", "b_c", "</s>"], 3), seed(&["one"], 1), seed(&["x", "y", &long], 40)];
    for (number, format) in FORMATS.iter().enumerate() {
        let mut refused = 0;
        for (which, words) in seeds.iter().enumerate() {
            for &dtype in format.dtypes() {
                let folder = tempfile::tempdir().expect("a folder");
                let path = folder.path().join("a.npy");
                format.write_as(words, &path, dtype).expect("a seed");
                let files = files(&path);
                let originals: Vec<_> = files.iter().map(|file| std::fs::read(file).expect("a file")).collect();
                let rest: usize = originals.iter().map(Vec::len).sum();
                assert!(!check(*format, &path, rest, "a whole file"));
                for round in 0..rounds / format.dtypes().len() as u64 {
                    let mut rng = Rng::stream(3, &[number as u64, which as u64, dtype as u64, round]);
                    let which = rng.below(files.len() as u32) as usize;
                    let mut bytes = originals[which].clone();
                    for _ in 0..1 + rng.below(3) {
                        damage(&mut bytes, &mut rng);
                    }
                    std::fs::write(&files[which], &bytes).expect("a file");
                    let what = format!("{} in round {round}", files[which].display());
                    refused += u64::from(check(*format, &path, rest + bytes.len(), &what));
                    std::fs::write(&files[which], &originals[which]).expect("a file");
                }
            }
        }
        assert!(refused > rounds / 10, "{} refused {refused}", format.name());
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        for (text, round) in TEXTS.iter().flat_map(|text| (0..40u64).map(move |round| (text, round))) {
            let mut rng = Rng::stream(4, &[number as u64, round]);
            let mut bytes = text.as_bytes().to_vec();
            for _ in 0..rng.below(4) {
                damage(&mut bytes, &mut rng);
            }
            std::fs::write(&path, &bytes).expect("a file");
            check(*format, &path, bytes.len(), &format!("{:?}", String::from_utf8_lossy(&bytes)));
        }
    }
    let parquet = format::by_name("parquet").expect("a format");
    for bytes in large_pages() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        std::fs::write(&path, &bytes).expect("a file");
        assert!(check(parquet, &path, bytes.len(), "large pages"));
    }
    // What other programs wrote has parts that firth never writes.
    for golden in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")) {
        let original = std::fs::read(&golden).expect("a file");
        let ending = golden.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let Ok(format) = format::detect(&golden) else { continue };
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a").with_extension(ending);
        for round in 0..rounds / 5 {
            let (mut rng, mut bytes) = (Rng::stream(5, &[round]), original.clone());
            (0..1 + rng.below(3)).for_each(|_| damage(&mut bytes, &mut rng));
            std::fs::write(&path, &bytes).expect("a file");
            check(format, &path, bytes.len(), &format!("{} in round {round}", golden.display()));
        }
    }
}
