//! A corpus as a folder: built from text that is read once, opened in no time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rayon::prelude::*;
use safetensors::tensor::Dtype;

use super::encode::{NumberMap, Places, Provisional, Strings, Tails, encode, sentence_ends_at};
use super::phrases::{Counts, Finder};
use super::report::{BuildProgress, CorpusReport};
use super::scan::{Spool, Worker, scan};
use super::{Dataset, KIND};
use crate::corpus::{Corpus, Omitted};
use crate::error::{Error, Result};
use crate::io::{AtomicFile, Container, MappedFile, OpenContainer, as_bytes};
use crate::tokenizer::Tokenizer;
use crate::vocabulary::choice::Choice;
use crate::vocabulary::count::{Counted, check, map_run, merge_runs, merge_tables};
use crate::vocabulary::{DocId, Given, PhraseConfig, Phrases, Vocabulary, VocabularyConfig};

const VOCABULARY: &str = "vocabulary.safetensors";
const DATASET: &str = "dataset.safetensors";

/// A vocabulary and the dataset encoded with it.
#[derive(Debug)]
pub struct EncodedCorpus {
    /// The words.
    pub vocabulary: Vocabulary,
    /// The text as ids of these words.
    pub dataset: Dataset,
    folder: PathBuf,
    settings: BTreeMap<String, String>,
    report: CorpusReport,
}

impl EncodedCorpus {
    /// Reads a corpus, counts its words, chooses a vocabulary (or takes the one given) and writes both into a folder,
    /// on the current rayon pool. The files are the same for any number of threads.
    ///
    /// Memory holds the vocabulary, a table of distinct words per thread (what exceeds about 8 million of them goes
    /// to disk, and is counted) and a few megabytes of buffers per thread. The folder needs room for the result and,
    /// until the end, as much again. Phrases, if asked for, cost two or more sweeps for each pass through what is on disk
    /// by then, and tables of about 8 million pairs; what is given brings phrases of its own.
    pub fn build(
        corpus: &Corpus,
        tokenizer: &Tokenizer,
        config: &VocabularyConfig,
        given: Option<Given>,
        folder: &Path,
        progress: &mut dyn FnMut(BuildProgress<'_>),
    ) -> Result<Self> {
        config.validate()?;
        if given.is_some() && config.phrases.passes > 0 {
            return Err(Error::config("--phrases", "the words that are given bring their own phrases; leave it out"));
        }
        let existed = folder.exists();
        let build = Build { corpus, tokenizer, config, folder, types_in_memory: None, pairs_in_memory: None };
        let result = build.run(given, progress);
        if result.is_err() && !existed {
            // Only an empty folder can be removed so, and a failed build leaves nothing in it.
            let _ = std::fs::remove_dir(folder);
        }
        result
    }

    /// Opens a folder that was built.
    pub fn open(folder: &Path) -> Result<Self> {
        let (vocabulary, settings) = Vocabulary::open_with_settings(&folder.join(VOCABULARY))?;
        let path = folder.join(DATASET);
        let container = Container::open_kind(&path, KIND)?;
        let entry = |key: &str| {
            let missing = || Error::damaged(&path, format!("no {key} in the header"));
            container.entry(key).ok_or_else(missing)
        };
        let report = serde_json::from_str(entry("report")?)
            .map_err(|error| Error::damaged(&path, format!("the report in the header cannot be read ({error})")))?;
        let dataset = Dataset::read(&container)?;
        dataset.belongs_to(&vocabulary)?;
        dataset.check(&path, vocabulary.len())?;
        Ok(Self { vocabulary, dataset, folder: folder.into(), settings, report })
    }

    /// Does a path hold an encoded corpus?
    pub fn is_encoded(path: &Path) -> bool {
        path.join(VOCABULARY).is_file() && path.join(DATASET).is_file()
    }

    /// The first words of a document, as they were encoded, apart by spaces; those outside the vocabulary are missing.
    pub fn first_words(&self, doc: DocId, count: usize) -> String {
        let sentences = self.dataset.document(doc);
        let [start, end] = [sentences.start, sentences.end].map(|at| self.dataset.tokens_before(at) as usize);
        let words = &self.dataset.words()[start..end];
        let words: Vec<_> = words.iter().take(count).map(|word| self.vocabulary.keys().get(word.0 as usize)).collect();
        words.join(" ")
    }

    /// What became of the text.
    pub fn report(&self) -> &CorpusReport {
        &self.report
    }

    /// Writes the vocabulary into another folder, with all that tells how the text was cut into words.
    pub fn save_vocabulary(&self, folder: &Path) -> Result<()> {
        if let Some((name, bytes)) = self.tokenizer()?.file() {
            let mut file = AtomicFile::create(&folder.join(name))?;
            file.write(bytes)?;
            file.commit()?;
        }
        self.vocabulary.save(&folder.join(VOCABULARY), &self.settings)
    }

    /// What cut the text into words; a `tokenizer.json` is read from the folder's copy.
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        Tokenizer::from_settings(&self.settings, &self.folder)
    }
}

/// Files that have their names already but go again if the build fails.
struct Made(Vec<PathBuf>);

impl Drop for Made {
    fn drop(&mut self) {
        for path in &self.0 {
            // The failure that brought us here is what is told.
            let _ = std::fs::remove_file(path);
        }
    }
}

struct Build<'a> {
    corpus: &'a Corpus,
    tokenizer: &'a Tokenizer,
    config: &'a VocabularyConfig,
    folder: &'a Path,
    types_in_memory: Option<usize>,
    pairs_in_memory: Option<usize>,
}

impl Build<'_> {
    fn run(&self, given: Option<Given>, progress: &mut dyn FnMut(BuildProgress<'_>)) -> Result<EncodedCorpus> {
        let started = Instant::now();
        let Self { corpus, tokenizer, folder, .. } = *self;
        std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
        let workers = scan(corpus, tokenizer, folder, self.types_in_memory, progress)?;
        let mut report = CorpusReport {
            bytes_in: workers.iter().map(|worker| worker.bytes).sum(),
            files: corpus.sources().len() as u64,
            hidden_files: corpus.hidden_files(),
            empty_documents: workers.iter().map(|worker| worker.empty_documents).sum(),
            invalid_utf8: workers.iter().map(|worker| worker.invalid_utf8).sum(),
            ..CorpusReport::default()
        };
        let (vocabulary, counted, mut provisional) = self.choose(workers, given, &mut report, progress)?;
        let mut omitted = Omitted::default();
        provisional.pieces.iter_mut().for_each(|piece| omitted.append(std::mem::take(&mut piece.omitted)));
        Omitted { records: report.omitted_records, first: report.first_omitted } = omitted;
        if counted.tokens == 0
            && let Some(first) = &report.first_omitted
        {
            let (name, count) = (corpus.name(), report.omitted_records);
            let reason = format!("{name}: no words beside {count} records that were left out (the first is {first})");
            return Err(Error::data(reason));
        }
        check(&vocabulary, &counted, self.config, &corpus.name())?;
        let file = OpenContainer::create(&folder.join(DATASET))?;
        let spool = || Spool::new(folder);
        let tails = Tails {
            document_ends: spool()?,
            ids: Strings { ends: spool()?, text: spool()? },
            labels: Strings { ends: spool()?, text: spool()? },
        };
        let (places, checksum) = encode(&provisional, &file, &tails, folder, corpus.bytes(), progress)?;
        // Sentence ends were put behind as many words.
        assert_eq!(places.words, counted.kept, "both passes meet the same words");
        if places.documents >= u64::from(u32::MAX) {
            let reason = format!("{}: {} documents, at most 2^32 - 2 are possible", corpus.name(), places.documents);
            return Err(Error::data(reason));
        }
        report.documents = places.documents;
        report.sentences = places.sentences;
        report.tokens = counted.tokens;
        report.tokens_kept = places.words;
        report.types = counted.types;
        report.vocabulary = vocabulary.len() as u64;
        report.checksum = format!("{checksum:016x}");
        report.seconds = started.elapsed().as_secs_f64();
        let mut settings = tokenizer.settings();
        settings.insert("min_count".into(), self.config.min_count.to_string());
        if let Some(most) = self.config.max_vocabulary {
            settings.insert("max_vocabulary".into(), most.to_string());
        }
        if self.config.phrases.passes > 0 {
            let phrases = serde_json::to_string(&self.config.phrases).expect("settings are plain JSON");
            settings.insert("phrases".into(), phrases);
        }
        let for_vocabulary = settings.clone();
        // What depends on the machine or the files' place is told but not kept: the same corpus gives the same bytes.
        let kept = CorpusReport { seconds: 0.0, spilled_tables: 0, first_omitted: None, ..report.clone() };
        settings.insert("report".into(), serde_json::to_string(&kept).expect("a report is plain JSON"));
        settings.insert("checksum".into(), report.checksum.clone());
        settings.insert("vocabulary_checksum".into(), format!("{:016x}", vocabulary.checksum()));
        let mut made = Made(Vec::new());
        if let Some((name, json)) = tokenizer.file() {
            let mut file = AtomicFile::create(&folder.join(name))?;
            file.write(json)?;
            file.commit()?;
            made.0.push(folder.join(name));
        }
        finish(file, &tails, places, &provisional, &settings, folder)?;
        made.0.push(folder.join(DATASET));
        vocabulary.save(&folder.join(VOCABULARY), &for_vocabulary)?;
        made.0.push(folder.join(VOCABULARY));
        let dataset = Dataset::read(&Container::open_kind(&folder.join(DATASET), KIND)?)?;
        made.0.clear();
        Ok(EncodedCorpus { vocabulary, dataset, folder: folder.into(), settings: for_vocabulary, report })
    }

    /// The vocabulary, what was counted, and what every number becomes.
    fn choose(
        &self,
        mut workers: Vec<Worker>,
        given: Option<Given>,
        report: &mut CorpusReport,
        progress: &mut dyn FnMut(BuildProgress<'_>),
    ) -> Result<(Vocabulary, Counted, Provisional)> {
        let phrases = &self.config.phrases;
        let brought = given.as_ref().map(|given| given.vocabulary.phrases()).filter(|phrases| !phrases.is_empty());
        if phrases.passes == 0 && brought.is_none() {
            let (vocabulary, counted, maps) = self.merge(&mut workers, self.config, given)?;
            let provisional = self.provisional(workers, maps, counted.kept, report)?;
            return Ok((vocabulary, counted, provisional));
        }
        // All words that may be in the vocabulary, or in a phrase.
        let collocation = phrases.collocation(self.config.min_count);
        let min_count = collocation.min_count.min(self.config.min_count);
        let all = VocabularyConfig { min_count, max_vocabulary: None, phrases: PhraseConfig::default() };
        let known = given.as_ref().zip(brought).map(|(given, phrases)| {
            // A token may be spelt like a phrase, also like one that is only a part of others.
            let keys = phrases.over(given.vocabulary.keys().clone()).keys().clone();
            let counts = vec![1; keys.len()];
            Given { vocabulary: Vocabulary::new(keys, counts), grows: given.grows }
        });
        let (words, mut counted, maps) = self.merge(&mut workers, &all, known)?;
        let mut provisional = self.provisional(workers, maps, 0, report)?;
        let mut phrases = match brought {
            Some(phrases) => phrases.over(words.keys().clone()),
            None => Phrases::of(words.keys().clone()),
        };
        let mut finder = Finder {
            from: &provisional,
            pairs_in_memory: self.pairs_in_memory,
            total: self.corpus.bytes(),
            progress,
            phrases: &mut phrases,
        };
        let Counts { of_each, total } = match brought {
            Some(_) => finder.count()?,
            None => {
                let counts = Counts { of_each: words.counts().to_vec(), total: counted.tokens };
                finder.learn(self.config.phrases.passes, &collocation, counts)?
            }
        };
        let (vocabulary, choice) = Choice::new(&phrases, &of_each, self.config, given);
        let unnumbered = total - of_each.iter().sum::<u64>();
        report.phrases = phrases.passes().iter().map(|pairs| pairs.len() as u64).collect();
        report.tokens_joined = counted.tokens.saturating_sub(choice.kept + choice.dropped + unnumbered);
        (counted.kept, provisional.kept) = (choice.kept, choice.kept);
        provisional.joining = Some((phrases, choice));
        Ok((vocabulary, counted, provisional))
    }

    /// Merges the workers' tables: the vocabulary, and what every number becomes.
    fn merge(
        &self,
        workers: &mut [Worker],
        config: &VocabularyConfig,
        given: Option<Given>,
    ) -> Result<(Vocabulary, Counted, Vec<Vec<NumberMap>>)> {
        if workers.iter().all(|worker| worker.runs.is_empty()) {
            let tables = workers.iter_mut().map(|worker| std::mem::take(&mut worker.table)).collect();
            let (vocabulary, counted, maps) = merge_tables(tables, config, given);
            let maps = maps.into_iter().map(|map| vec![NumberMap::Memory(map)]).collect();
            return Ok((vocabulary, counted, maps));
        }
        let folder = self.folder;
        workers.par_iter_mut().try_for_each(|worker| worker.spill(folder))?;
        let mut spilled = Vec::new();
        for worker in workers.iter() {
            let file = worker.spilled.as_ref().expect("every worker has just spilled");
            spilled.push(MappedFile::of(&file.file, folder)?);
        }
        let (workers, spilled) = (&*workers, &spilled);
        let runs_of = |at: usize| workers[at].runs.iter().map(move |run| &spilled[at].bytes()[run.clone()]);
        let runs: Vec<&[u8]> = (0..workers.len()).flat_map(runs_of).collect();
        let (vocabulary, mut counted) = merge_runs(&runs, config, given);
        let mut maps = Vec::new();
        for at in 0..workers.len() {
            let mut spool = Spool::new(folder)?;
            let mut ranges = Vec::new();
            for run in runs_of(at) {
                let (map, kept) = map_run(run, &vocabulary);
                counted.kept += kept;
                ranges.push(spool.append(as_bytes(&map), folder)?);
            }
            let file = MappedFile::of(&spool.file, folder)?;
            let mapped = |range| file.numbers(range).expect("as just written");
            maps.push(ranges.into_iter().map(|range| NumberMap::Mapped(mapped(range))).collect());
        }
        Ok((vocabulary, counted, maps))
    }

    fn provisional(
        &self,
        workers: Vec<Worker>,
        maps: Vec<Vec<NumberMap>>,
        kept: u64,
        report: &mut CorpusReport,
    ) -> Result<Provisional> {
        report.spilled_tables = workers.iter().map(|worker| worker.runs.len() as u64).sum();
        let mut pieces = Vec::new();
        let mut spools = Vec::new();
        for worker in workers {
            spools.push(MappedFile::of(&worker.spool.file, self.folder)?);
            pieces.extend(worker.pieces);
        }
        pieces.sort_unstable_by_key(|piece| piece.index);
        let (has_ids, has_labels) = (self.corpus.has_ids(), self.corpus.has_labels());
        Ok(Provisional { pieces, spools, maps, joining: None, kept, has_ids, has_labels })
    }
}

/// Puts the tails behind the words and the sentence ends, and names the file.
fn finish(
    file: OpenContainer,
    tails: &Tails,
    places: Places,
    provisional: &Provisional,
    settings: &BTreeMap<String, String>,
    folder: &Path,
) -> Result<()> {
    let (words, documents) = (places.words as usize, places.documents as usize);
    let mut tensors = vec![("words", Dtype::U32, vec![words])];
    if words % 2 == 1 {
        tensors.push(("padding", Dtype::U32, vec![1]));
        file.write_at(&[0u32], 4 * places.words)?;
    }
    tensors.push(("sentence_ends", Dtype::U64, vec![places.sentences as usize]));
    let mut at = sentence_ends_at(places.words) + 8 * places.sentences;
    let mut append = |spool: &Spool, bytes: u64| -> Result<()> {
        if bytes > 0 {
            let map = MappedFile::of(&spool.file, folder)?;
            for part in map.bytes()[..bytes as usize].chunks(1 << 20) {
                file.write_at(part, at)?;
                at += part.len() as u64;
            }
        }
        Ok(())
    };
    tensors.push(("document_ends", Dtype::U64, vec![documents]));
    append(&tails.document_ends, 8 * places.documents)?;
    if provisional.has_ids {
        tensors.push(("id_ends", Dtype::U64, vec![documents]));
        append(&tails.ids.ends, 8 * places.documents)?;
    }
    if provisional.has_labels {
        tensors.push(("label_ends", Dtype::U64, vec![documents]));
        append(&tails.labels.ends, 8 * places.documents)?;
    }
    if provisional.has_ids {
        tensors.push(("id_text", Dtype::U8, vec![places.id_bytes as usize]));
        append(&tails.ids.text, places.id_bytes)?;
    }
    if provisional.has_labels {
        tensors.push(("label_text", Dtype::U8, vec![places.label_bytes as usize]));
        append(&tails.labels.text, places.label_bytes)?;
    }
    file.commit(KIND, settings, &tensors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::DocumentOptions;

    #[test]
    fn tables_put_on_disk_change_nothing() -> Result<()> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let input = folder.path().join("a.txt");
        let words = (0..700_000u64).map(|at| format!("w{}{}", at * at % 9973, if at % 23 == 0 { "\n" } else { " " }));
        std::fs::write(&input, words.collect::<String>()).expect("written");
        let corpus = Corpus::open(&[input], &DocumentOptions::default())?;
        let tokenizer = Tokenizer::new("words", None)?;
        let phrases = PhraseConfig { passes: 2, threshold: Some(20.0), ..Default::default() };
        for phrases in [PhraseConfig::default(), phrases] {
            let config = VocabularyConfig { min_count: 30, max_vocabulary: Some(3000), phrases };
            let mut files = Vec::new();
            for (name, in_memory, threads) in [("memory", None, 2), ("disk1", Some(100), 1), ("disk3", Some(100), 3)] {
                let out = folder.path().join(name);
                let (types_in_memory, pairs_in_memory) = (in_memory, in_memory);
                let (corpus, tokenizer, config, folder) = (&corpus, &tokenizer, &config, out.as_path());
                let build = Build { corpus, tokenizer, config, folder, types_in_memory, pairs_in_memory };
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
                let encoded = pool.install(|| build.run(None, &mut |_| {}))?;
                assert_eq!(encoded.report().spilled_tables > 2, in_memory.is_some(), "{name}");
                assert!(encoded.report().phrases.iter().all(|&pairs| pairs > 100), "{:?}", encoded.report());
                encoded.dataset.verify()?;
                let names = [VOCABULARY, DATASET];
                files.push(names.map(|name| std::fs::read(out.join(name)).expect("a file")));
            }
            assert!(files[0] == files[1] && files[0] == files[2]);
        }
        Ok(())
    }

    #[test]
    fn a_given_vocabulary_is_kept_and_an_interrupted_build_leaves_nothing() -> Result<()> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let input = folder.path().join("a.txt");
        std::fs::write(&input, "b a c b\nd a\n").expect("written");
        let corpus = Corpus::open(&[input], &DocumentOptions::default())?;
        let tokenizer = Tokenizer::new("whitespace", None)?;
        let vocabulary = Vocabulary::new(["a", "b", "z"].into_iter().collect(), vec![70, 60, 50]);
        let given = Given { vocabulary: vocabulary.clone(), grows: false };
        let config = VocabularyConfig::default();
        let out = folder.path().join("out");
        let build = |stop: bool| {
            EncodedCorpus::build(&corpus, &tokenizer, &config, Some(given.clone()), &out, &mut |progress| {
                if stop {
                    progress.interrupt();
                }
            })
        };
        assert!(matches!(build(true), Err(Error::Interrupted)));
        assert!(!out.exists());
        build(false)?;
        let encoded = EncodedCorpus::open(&out)?;
        assert_eq!(encoded.vocabulary, vocabulary);
        assert_eq!((encoded.report().tokens, encoded.report().tokens_kept), (6, 4));
        assert_eq!(encoded.dataset.words().iter().map(|word| word.0).collect::<Vec<_>>(), [1, 0, 1, 0]);
        encoded.dataset.verify()
    }

    fn small(folder: &Path, out: &str, text: &str, config: &VocabularyConfig) -> Result<EncodedCorpus> {
        let input = folder.join("a.txt");
        std::fs::write(&input, text).expect("written");
        let corpus = Corpus::open(&[input], &DocumentOptions::default())?;
        let tokenizer = Tokenizer::new("whitespace", None)?;
        EncodedCorpus::build(&corpus, &tokenizer, config, None, &folder.join(out), &mut |_| {})
    }

    #[test]
    fn a_build_that_fails_at_the_end_leaves_no_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = VocabularyConfig { min_count: 1, ..Default::default() };
        for name in [VOCABULARY, DATASET] {
            // A folder in the place of a file cannot be replaced.
            std::fs::create_dir_all(folder.path().join(format!("{name}.out")).join(name)).expect("a folder");
            let error = small(folder.path(), &format!("{name}.out"), "a b a", &config).expect_err("no place");
            assert!(error.to_string().contains(name), "{error}");
            let left = std::fs::read_dir(folder.path().join(format!("{name}.out"))).expect("the folder");
            assert_eq!(left.map(|entry| entry.expect("an entry").file_name()).collect::<Vec<_>>(), [name]);
        }
        let none = VocabularyConfig { min_count: 0, ..Default::default() };
        assert!(matches!(small(folder.path(), "none", "a b a", &none), Err(Error::Config { .. })));
    }

    #[test]
    fn a_dataset_belongs_to_its_own_vocabulary() -> Result<()> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = VocabularyConfig { min_count: 1, ..Default::default() };
        let one = small(folder.path(), "one", "a b a", &config)?;
        let two = small(folder.path(), "two", "a c a", &config)?;
        one.dataset.belongs_to(&one.vocabulary)?;
        assert!(matches!(one.dataset.belongs_to(&two.vocabulary), Err(Error::Mismatch { .. })));
        let at = |name: &str| folder.path().join(name).join(VOCABULARY);
        std::fs::copy(at("two"), at("one")).expect("copied");
        assert!(matches!(EncodedCorpus::open(&folder.path().join("one")), Err(Error::Mismatch { .. })));
        Ok(())
    }
}
