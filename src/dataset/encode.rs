//! The second pass: provisional numbers to ids of the vocabulary, written where they belong.
//!
//! Workers take pieces in order and translate them alone. How many words and sentences come before a piece is known
//! once the pieces before it are translated, so each worker waits for its turn, takes the places that are next, and
//! writes to them while others work on.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};

use super::MAX_SENTENCE;
use super::report::{BuildProgress, Pass};
use super::scan::{DOCUMENT_END, Piece, SENTENCE_END, Spool};
use crate::error::{Error, Result};
use crate::io::{MappedFile, MappedSlice, OpenContainer, Plain, checksum, write_at};
use crate::vocabulary::Phrases;
use crate::vocabulary::choice::Choice;
use crate::vocabulary::count::DROPPED;

/// What the numbers of one table become.
pub(super) enum NumberMap {
    Memory(Vec<u32>),
    Mapped(MappedSlice<u32>),
}

impl NumberMap {
    pub fn as_slice(&self) -> &[u32] {
        match self {
            Self::Memory(map) => map,
            Self::Mapped(map) => map,
        }
    }
}

/// What the second pass reads.
pub(super) struct Provisional {
    /// In the corpus's order.
    pub pieces: Vec<Piece>,
    /// A spool for each worker of the first pass.
    pub spools: Vec<MappedFile>,
    /// For each worker, a map for each of its tables.
    pub maps: Vec<Vec<NumberMap>>,
    /// If phrases are joined: these, whose numbers the maps lead to, and what each becomes.
    pub joining: Option<(Phrases, Choice)>,
    /// Words that stay: where sentence ends begin in the file.
    pub kept: u64,
    pub has_ids: bool,
    pub has_labels: bool,
}

/// Text that belongs to documents, on the way to the file.
pub(super) struct Strings {
    pub ends: Spool,
    pub text: Spool,
}

/// What is put behind words and sentence ends when all is known.
pub(super) struct Tails {
    pub document_ends: Spool,
    pub ids: Strings,
    pub labels: Strings,
}

/// How much of everything there is, of the pieces so far or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Places {
    pub words: u64,
    pub sentences: u64,
    pub documents: u64,
    pub id_bytes: u64,
    pub label_bytes: u64,
}

/// One piece, translated.
#[derive(Default)]
struct Part {
    words: Vec<u32>,
    /// A line, on its way to words.
    line: Vec<u32>,
    sentence_ends: Vec<u64>,
    document_ends: Vec<u64>,
    ids: Arena,
    labels: Arena,
}

#[derive(Default)]
struct Arena {
    ends: Vec<u64>,
    text: Vec<u8>,
}

struct Encode<'a> {
    from: &'a Provisional,
    file: &'a OpenContainer,
    tails: &'a Tails,
    folder: &'a Path,
    next: AtomicU64,
    stop: AtomicBool,
    /// The piece whose turn it is, the places that are next, and what went wrong.
    turn: Mutex<(usize, Places, Option<Error>)>,
    turned: Condvar,
    sums: [AtomicU64; 3],
}

/// Bytes before the sentence ends: the words, padded to eight bytes.
pub(super) fn sentence_ends_at(words: u64) -> u64 {
    (4 * words).next_multiple_of(8)
}

/// Runs the second pass on the current threads of rayon; gives the totals and the checksum.
pub(super) fn encode(
    from: &Provisional,
    file: &OpenContainer,
    tails: &Tails,
    folder: &Path,
    total: u64,
    progress: &mut dyn FnMut(BuildProgress<'_>),
) -> Result<(Places, u64)> {
    let encode = Encode {
        from,
        file,
        tails,
        folder,
        next: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        turn: Mutex::new((0, Places::default(), None)),
        turned: Condvar::new(),
        sums: Default::default(),
    };
    rayon::in_place_scope(|scope| {
        for _ in 1..rayon::current_num_threads() {
            scope.spawn(|_| encode.work(&mut || {}));
        }
        encode.work(&mut || {
            let (done, pieces) = (encode.next.load(Ordering::Relaxed), from.pieces.len().max(1) as u64);
            progress(BuildProgress {
                pass: Pass::Encode,
                done: (total as f64 * done.min(pieces) as f64 / pieces as f64) as u64,
                total,
                tokens: encode.turn.lock().expect("no worker panicked").1.words,
                stop: &encode.stop,
            });
        });
    });
    let (_, places, failed) = encode.turn.into_inner().expect("no worker panicked");
    if let Some(error) = failed {
        return Err(error);
    }
    if encode.stop.into_inner() {
        return Err(Error::Interrupted);
    }
    let lengths = [places.words, places.sentences, places.documents];
    let sums = encode.sums.map(AtomicU64::into_inner);
    Ok((places, checksum::join(&[(sums[0], lengths[0]), (sums[1], lengths[1]), (sums[2], lengths[2])])))
}

/// Tells the others if a worker panics: they would wait for its turn for ever.
struct Watch<'a, 'b>(&'a Encode<'b>);

impl Drop for Watch<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop.store(true, Ordering::Relaxed);
            // Held, so that no one is between looking at `stop` and waiting. A poisoned lock is as good.
            let _turn = self.0.turn.lock();
            self.0.turned.notify_all();
        }
    }
}

impl Encode<'_> {
    fn work(&self, after_each: &mut dyn FnMut()) {
        let _watch = Watch(self);
        let mut part = Part::default();
        while !self.stop.load(Ordering::Relaxed) {
            let index = self.next.fetch_add(1, Ordering::Relaxed) as usize;
            let Some(piece) = self.from.pieces.get(index) else { return };
            if let Err(error) = self.piece(index, piece, &mut part) {
                let mut turn = self.turn.lock().expect("no worker panicked");
                turn.2.get_or_insert(error);
                self.stop.store(true, Ordering::Relaxed);
                self.turned.notify_all();
                return;
            }
            after_each();
            // Whoever waits for this piece's successor must learn that the caller gave up.
            if self.stop.load(Ordering::Relaxed) {
                let _turn = self.turn.lock().expect("no worker panicked");
                self.turned.notify_all();
            }
        }
    }

    fn piece(&self, index: usize, piece: &Piece, part: &mut Part) -> Result<()> {
        let numbers = self.from.numbers(piece);
        let mut line = std::mem::take(&mut part.line);
        match &self.from.joining {
            None => {
                let map = self.from.maps[piece.worker][piece.table].as_slice();
                part.translate(&numbers, |words, numbers| look_up(map, words, numbers));
            }
            Some((phrases, choice)) => part.translate(&numbers, |words, numbers| {
                let joined = self.from.joined(piece, numbers, phrases, &mut line);
                let known = joined.iter().filter(|&&word| word != DROPPED);
                known.for_each(|&word| words.extend_from_slice(choice.ids(word)));
            }),
        }
        part.line = line;
        let strings = &self.from.spools[piece.worker].bytes()[piece.strings.clone()];
        part.read_strings(strings, self.from.has_ids, self.from.has_labels);
        let Some(base) = self.take_places(index, part) else { return Ok(()) };
        self.write(base, part)
    }

    /// Waits for this piece's turn and takes its places; `None` if the build is being given up.
    fn take_places(&self, index: usize, part: &Part) -> Option<Places> {
        let mut turn = self.turn.lock().expect("no worker panicked");
        while turn.0 != index {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            turn = self.turned.wait(turn).expect("no worker panicked");
        }
        let base = turn.1;
        turn.0 += 1;
        turn.1 = Places {
            words: base.words + part.words.len() as u64,
            sentences: base.sentences + part.sentence_ends.len() as u64,
            documents: base.documents + part.document_ends.len() as u64,
            id_bytes: base.id_bytes + part.ids.text.len() as u64,
            label_bytes: base.label_bytes + part.labels.text.len() as u64,
        };
        drop(turn);
        self.turned.notify_all();
        Some(base)
    }

    fn write(&self, base: Places, part: &mut Part) -> Result<()> {
        let shift = |ends: &mut [u64], by: u64| ends.iter_mut().for_each(|end| *end += by);
        shift(&mut part.sentence_ends, base.words);
        shift(&mut part.document_ends, base.sentences);
        shift(&mut part.ids.ends, base.id_bytes);
        shift(&mut part.labels.ends, base.label_bytes);
        let add = |at: usize, sum: u64| self.sums[at].fetch_add(sum, Ordering::Relaxed);
        add(0, checksum::part(&part.words, base.words, u64::from));
        add(1, checksum::part(&part.sentence_ends, base.sentences, |end| end));
        add(2, checksum::part(&part.document_ends, base.documents, |end| end));
        self.file.write_at(&part.words, 4 * base.words)?;
        self.file.write_at(&part.sentence_ends, sentence_ends_at(self.from.kept) + 8 * base.sentences)?;
        let Tails { document_ends, ids, labels } = self.tails;
        self.tail(document_ends, &part.document_ends, 8 * base.documents)?;
        self.tail(&ids.ends, &part.ids.ends, 8 * base.documents)?;
        self.tail(&ids.text, &part.ids.text, base.id_bytes)?;
        self.tail(&labels.ends, &part.labels.ends, 8 * base.documents)?;
        self.tail(&labels.text, &part.labels.text, base.label_bytes)
    }

    fn tail<T: Plain>(&self, spool: &Spool, values: &[T], offset: u64) -> Result<()> {
        if values.is_empty() {
            return Ok(());
        }
        write_at(&spool.file, crate::io::as_bytes(values), offset).map_err(|source| Error::io(self.folder, source))
    }
}

/// Appends what numbers stand for, where that stays.
fn look_up(map: &[u32], words: &mut Vec<u32>, numbers: &[u32]) {
    let mut kept = words.len();
    words.resize(kept + numbers.len(), 0);
    for &number in numbers {
        // Written always, kept if it counts: no branch that the processor could guess wrong.
        let id = map[number as usize];
        words[kept] = id;
        kept += usize::from(id != DROPPED);
    }
    words.truncate(kept);
}

impl Part {
    /// Numbers to ids: words that stay, close together, and where sentences and documents end among them. `line` appends
    /// the ids of a line to those before.
    fn translate(&mut self, numbers: &[u32], mut line: impl FnMut(&mut Vec<u32>, &[u32])) {
        let Self { words, sentence_ends, document_ends, .. } = self;
        words.clear();
        sentence_ends.clear();
        document_ends.clear();
        for part in numbers.split_inclusive(|&number| number >= SENTENCE_END) {
            let (part, end) = match part {
                [part @ .., end] if *end >= SENTENCE_END => (part, *end),
                part => (part, SENTENCE_END),
            };
            let start = words.len();
            line(words, part);
            let mut cut = start + MAX_SENTENCE;
            while cut < words.len() {
                sentence_ends.push(cut as u64);
                cut += MAX_SENTENCE;
            }
            if words.len() > start {
                sentence_ends.push(words.len() as u64);
            }
            if end == DOCUMENT_END {
                document_ends.push(sentence_ends.len() as u64);
            }
        }
    }

    fn read_strings(&mut self, mut bytes: &[u8], has_ids: bool, has_labels: bool) {
        for arena in [&mut self.ids, &mut self.labels] {
            arena.ends.clear();
            arena.text.clear();
        }
        for _ in 0..self.document_ends.len() {
            for (arena, present) in [(&mut self.ids, has_ids), (&mut self.labels, has_labels)] {
                if present {
                    let (length, rest) = bytes.split_first_chunk().expect("as the first pass wrote it");
                    let (text, rest) = rest.split_at(u64::from_le_bytes(*length) as usize);
                    arena.text.extend_from_slice(text);
                    arena.ends.push(arena.text.len() as u64);
                    bytes = rest;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::Omitted;

    #[test]
    fn a_panic_in_one_worker_ends_all() -> Result<()> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().to_owned();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let run = || -> Result<()> {
                let spool = || Spool::new(&path);
                let mut numbers = spool()?;
                let pieces = (0..64).map(|index| {
                    // The first piece names a word that no map has, as only a bug could.
                    let words = vec![u32::from(index == 0); 1 << 12];
                    let numbers = numbers.append(crate::io::as_bytes(&words), &path)?;
                    Ok(Piece { index, worker: 0, table: 0, numbers, strings: 0..0, omitted: Omitted::default() })
                });
                let pieces = pieces.collect::<Result<Vec<_>>>()?;
                let spools = vec![MappedFile::of(&numbers.file, &path)?];
                let maps = vec![vec![NumberMap::Memory(vec![0])]];
                let from = Provisional {
                    pieces,
                    spools,
                    maps,
                    joining: None,
                    kept: 1 << 18,
                    has_ids: false,
                    has_labels: false,
                };
                let file = OpenContainer::create(&path.join("a"))?;
                let strings = || Ok::<_, Error>(Strings { ends: spool()?, text: spool()? });
                let tails = Tails { document_ends: spool()?, ids: strings()?, labels: strings()? };
                let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("a pool");
                pool.install(|| encode(&from, &file, &tails, &path, 1, &mut |_| {}))?;
                Ok(())
            };
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err();
            let _ = tell.send(panicked);
        });
        assert_eq!(told.recv_timeout(std::time::Duration::from_secs(60)), Ok(true), "the panic reaches the caller");
        Ok(())
    }

    #[test]
    fn lines_lose_rare_words_and_long_ones_are_cut() {
        let map = [7, DROPPED, 9];
        let mut numbers = vec![0, 1, 2, SENTENCE_END, 1, SENTENCE_END, DOCUMENT_END, 1, DOCUMENT_END];
        numbers.extend([0; 2 * MAX_SENTENCE + 1]);
        let mut part = Part::default();
        part.translate(&numbers, |words, numbers| look_up(&map, words, numbers));
        assert_eq!(part.words.len(), 2 + 2 * MAX_SENTENCE + 1);
        assert_eq!(part.words[..3], [7, 9, 7]);
        let cut = 2 + MAX_SENTENCE as u64;
        assert_eq!(part.sentence_ends, [2, cut, cut + MAX_SENTENCE as u64, cut + MAX_SENTENCE as u64 + 1]);
        assert_eq!(part.document_ends, [1, 1]);
    }
}
