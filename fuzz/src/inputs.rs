//! What people give to firth besides vectors, each with what reads it and the files that its fuzzing begins with.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use firth::analysis::interactions::{self, InteractionFormat, InteractionOptions, Interactions};
use firth::autoencoder::{self, Autoencoder, AutoencoderConfig, Words};
use firth::corpus::{Corpus, DocumentFormat, DocumentOptions};
use firth::dataset::EncodedCorpus;
use firth::embeddings::{Embeddings, Pool, Pooling, PoolingModel};
use firth::eval::retrieval::Judgements;
use firth::eval::{Analogy, Categories, Outlier, SentencePairs, Similarity};
use firth::format::matrix;
use firth::math::{Matrix, Samples, SparseMatrix};
use firth::tokenizer::Tokenizer;
use firth::train::{self, Every, Observer, ParagraphVectors, Progress, Silent, Task, TrainConfig};
use firth::vocabulary::{DocId, Segmenter};
use firth::{Error, Result};

#[path = "../../tests/forge/mod.rs"]
mod forge;

use forge::forge;

/// One kind of input.
pub struct Input {
    /// The target's name.
    pub name: &'static str,
    /// Its files, in a folder.
    pub files: &'static [&'static str],
    /// Reads them from that folder and uses what was read.
    pub read: fn(&Path) -> Result<()>,
    /// Writes seeds, each into a folder of its own within the one given.
    pub seeds: fn(&Path) -> Result<()>,
}

/// All of them.
pub const INPUTS: &[Input] = &[
    Input { name: "documents", files: &["text"], read: read_documents, seeds: document_seeds },
    Input { name: "tokenizer", files: &["tokenizer.json", "text"], read: read_tokenizer, seeds: tokenizer_seeds },
    Input { name: "questions", files: &["text"], read: read_questions, seeds: question_seeds },
    Input { name: "interactions", files: &["text"], read: read_interactions, seeds: interaction_seeds },
    Input { name: "matrix", files: &["a.csv"], read: read_matrix, seeds: matrix_seeds },
    Input { name: "sparse", files: &SPARSE, read: read_sparse, seeds: sparse_seeds },
    Input {
        name: "encoded",
        files: &["vocabulary.safetensors", "dataset.safetensors"],
        read: read_encoded,
        seeds: encoded_seeds,
    },
    Input {
        name: "checkpoint",
        files: &["state.json", "words.safetensors", "context.safetensors"],
        read: read_checkpoint,
        seeds: checkpoint_seeds,
    },
    Input {
        name: "paragraphs",
        files: &["words.safetensors", "context.safetensors", "common.safetensors"],
        read: read_paragraphs,
        seeds: paragraph_seeds,
    },
    Input { name: "pooling", files: &["pooling.safetensors"], read: read_pooling, seeds: pooling_seeds },
    Input { name: "autoencoder", files: &[autoencoder::FILE], read: read_autoencoder, seeds: autoencoder_seeds },
    Input {
        name: "autoencoder-checkpoint",
        files: &["state.json", autoencoder::FILE],
        read: read_autoencoder_checkpoint,
        seeds: autoencoder_checkpoint_seeds,
    },
];

/// Writes texts as seeds of inputs that are one file.
fn texts(folder: &Path, file: &str, texts: &[&[u8]]) -> Result<()> {
    texts.iter().enumerate().try_for_each(|(number, text)| write(&folder.join(number.to_string()).join(file), text))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::create_dir_all(path.parent().expect("in a folder")).expect("a folder");
    fs::write(path, bytes).map_err(|source| Error::io(path, source))
}

fn read_documents(folder: &Path) -> Result<()> {
    use DocumentFormat::{Csv, Files, Jsonl, Lines, Tsv};
    let named = |format| DocumentOptions {
        text_field: Some("text".into()),
        label_field: Some("label".into()),
        id_field: Some("1".into()),
        ..plain(format)
    };
    let all = [plain(Lines), plain(Files), plain(Tsv), plain(Csv), plain(Jsonl), named(Tsv), named(Csv), named(Jsonl)];
    for options in all {
        // Whether one can be read says nothing of the others.
        let _ = open(folder, &options).and_then(|corpus| corpus.documents(|_| Ok(())));
    }
    Ok(())
}

fn plain(format: DocumentFormat) -> DocumentOptions {
    DocumentOptions { format, ..DocumentOptions::default() }
}

fn open(folder: &Path, options: &DocumentOptions) -> Result<Corpus> {
    Corpus::open(&[folder.join("text")], options)
}

fn document_seeds(folder: &Path) -> Result<()> {
    let table = b"id,text,label\n1,\"a \"\"b\"\"\n c\",x\n2,d,y\n";
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut zipped, table).expect("memory");
    texts(
        folder,
        "text",
        &[
            b"one line\r\n\n and another\xff",
            b"id\ttext\tlabel\n1\ta b c\tx\n2\td\ty\n",
            table,
            b"{\"id\": 1, \"text\": \"a \\u00e4\", \"label\": \"x\"}\n{\"text\": \"b\", \"label\": null, \"id\": [2]}\n",
            &zipped.finish().expect("memory"),
        ],
    )
}

fn read_tokenizer(folder: &Path) -> Result<()> {
    let text = fs::read(folder.join("text")).expect("the text");
    let tokenizer = Tokenizer::open(&folder.join("tokenizer.json"))?;
    tokenizer.pieces();
    for line in String::from_utf8_lossy(&text).lines() {
        tokenizer.tokens(line, |_| {})?;
    }
    Ok(())
}

fn tokenizer_seeds(folder: &Path) -> Result<()> {
    let model = [
        r#"{"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0, "a": 1, "b": 7}}"#,
        r###"{"type": "WordPiece", "unk_token": "?", "continuing_subword_prefix": "##", "max_input_chars_per_word": 9,
            "vocab": {"?": 0, "a": 1, "##b": 2}}"###,
        r#"{"type": "BPE", "dropout": null, "unk_token": "?", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "vocab": {"?": 0, "a": 1, "b": 2, "ab": 3}, "merges": [["a", "b"]]}"#,
        r#"{"type": "Unigram", "unk_id": 0, "byte_fallback": false, "vocab": [["?", 0.0], ["a", -1.5], ["ab", -2.0]]}"#,
    ];
    let parts = [
        r#""normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true}, "pre_tokenizer": {"type": "BertPreTokenizer"}"#,
        r#""normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"},
            {"type": "Replace", "pattern": {"Regex": "a+"}, "content": "a"}]},
            "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\s+|b"}, "behavior": "Isolated", "invert": false}"#,
        r#""normalizer": null,
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}"#,
        r#""normalizer": {"type": "Prepend", "prepend": "_"},
            "pre_tokenizer": {"type": "Metaspace", "replacement": "_", "prepend_scheme": "always", "split": true}"#,
    ];
    for (number, (model, parts)) in model.iter().zip(parts).enumerate() {
        let json = format!(
            r#"{{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [{{"id": 0, "content": "?",
                "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}}],
                {parts}, "post_processor": null, "decoder": null, "model": {model}}}"#
        );
        let folder = folder.join(number.to_string());
        write(&folder.join("tokenizer.json"), json.as_bytes())?;
        write(&folder.join("text"), "ab a?b \u{e4}\n\u{65e5} b".as_bytes())?;
    }
    Ok(())
}

/// A few words, as the models of other inputs have them.
fn words() -> Embeddings {
    let words = ["a", "b", "c", "d", "A"];
    let numbers = (0..words.len() * 3).map(|at| (at * at % 7) as f32 - 2.0).collect();
    let vectors = Matrix::from_vec(words.len(), 3, numbers).expect("as many numbers");
    Embeddings::new(words.into_iter().collect(), vectors, Some(vec![9, 5, 3, 2, 1])).expect("as many rows")
}

fn read_questions(folder: &Path) -> Result<()> {
    let (path, words) = (&folder.join("text"), words());
    // Whether they can be read as one test says nothing of the others.
    let _ = Analogy::default().run(&words, path);
    let _ = Similarity::default().run(&words, path);
    let _ = Outlier::default().run(&words, path);
    let _ = Categories::default().read(&words, path);
    let _ = SentencePairs::read(path);
    let _ = Judgements::read(path);
    Ok(())
}

fn question_seeds(folder: &Path) -> Result<()> {
    texts(
        folder,
        "text",
        &[
            b": one\na b c d\nA b\tc d\n: gram two\nb a d c\n",
            b"# word pairs\na\tb\t7.5\nb c 1e0\na;d;-3\nc,A,.5\n",
            b"a\nb\nc\n\nd\n\na\nc\nd\n\nA\n",
            b"a\tfirst\nb\tfirst\nc\tsecond\nd\tsecond\n",
            b"score,one,two\n1.5,\"a b\",c\n3,a,d\n",
            b"1 0 d7 2\n1 0 d8 0\n2\td7\t1\n",
        ],
    )
}

fn read_interactions(folder: &Path) -> Result<()> {
    let corpus = open(folder, &plain(DocumentFormat::Lines))?;
    for format in [InteractionFormat::Auto, InteractionFormat::Ratings, InteractionFormat::Histories] {
        for user_field in [None, Some("2".into())] {
            let options = InteractionOptions { format, user_field, ..InteractionOptions::default() };
            if let Ok(found) = Interactions::read(&corpus, &options) {
                let _ = interactions::titles(&corpus, &found.items);
                let _ = found.dense_part(2.0, 1, 1);
            }
        }
    }
    interactions::read_baskets(&corpus).map(drop)
}

fn interaction_seeds(folder: &Path) -> Result<()> {
    texts(
        folder,
        "text",
        &[
            b"userId,movieId,rating,timestamp\n1,10,4.5,9\n1,11,2,9\n2,\"1,0\",3,9\n",
            b"1::10::5::9\n2::10::1::9\n2::11::3::9\n",
            b"u1\ta,b,c\nu2\tb,c\nu3\ta\n",
            b"milk,bread\nbread;eggs\nmilk bread\n",
            b"movieId,title\n10,\"One, two\"\n11,b\n",
        ],
    )
}

fn read_matrix(folder: &Path) -> Result<()> {
    let path = folder.join("a.csv");
    matrix::is_matrix(&path);
    matrix::read(&path).map(drop)
}

fn matrix_seeds(folder: &Path) -> Result<()> {
    let array = array("<f8", "(2, 2)", &[1.5f64, -2.0, 3e9, 1e-9].map(f64::to_le_bytes).concat());
    texts(folder, "a.csv", &[b"1,2,3\n4,5e-1,-6\n", b"x;y\n1;2\n3;4\r\n", b",a\tb\n0\t1\n", &array])
}

/// An array of NumPy.
fn array(kind: &str, shape: &str, numbers: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), numbers].concat()
}

/// The arrays of a sparse matrix, which are put into an archive here: the fuzzer cannot guess an archive's checksums.
const SPARSE: [&str; 5] = ["format.npy", "shape.npy", "indices.npy", "indptr.npy", "data.npy"];

fn read_sparse(folder: &Path) -> Result<()> {
    let path = folder.join("a.npz");
    let mut archive = zip::ZipWriter::new(fs::File::create(&path).expect("a file"));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for name in SPARSE {
        archive.start_file(name, stored).expect("a member");
        std::io::Write::write_all(&mut archive, &fs::read(folder.join(name)).expect("the array")).expect("written");
    }
    archive.finish().expect("an archive");
    matrix::read(&path).map(drop)
}

fn sparse_seeds(folder: &Path) -> Result<()> {
    for format in ["csr", "csc"] {
        let numbers = |numbers: &[i32]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>();
        let arrays = [
            array("|S3", "()", format.as_bytes()),
            array("<i8", "(2,)", &[3i64, 3].map(i64::to_le_bytes).concat()),
            array("<i4", "(4,)", &numbers(&[2, 0, 0, 1])),
            array("<i4", "(4,)", &numbers(&[0, 1, 3, 4])),
            array("<f4", "(4,)", &[1f32, 2.0, 0.5, -3.0].map(f32::to_le_bytes).concat()),
        ];
        SPARSE.iter().zip(arrays).try_for_each(|(name, array)| write(&folder.join(format).join(name), &array))?;
    }
    Ok(())
}

/// A corpus that is the same each time, with documents of several lines, ids and phrases.
static CORPUS: LazyLock<(tempfile::TempDir, EncodedCorpus)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let encoded = encode(folder.path()).expect("a corpus");
    (folder, encoded)
});

fn encode(folder: &Path) -> Result<EncodedCorpus> {
    let text = "1\ta b c d a b c\tx\n2\tb c d e d a b\ty\n3\te d c b a\tx\n".repeat(4);
    write(&folder.join("text"), text.as_bytes())?;
    let options = DocumentOptions {
        text_field: Some("2".into()),
        id_field: Some("1".into()),
        label_field: Some("3".into()),
        ..plain(DocumentFormat::Tsv)
    };
    let mut vocabulary = firth::vocabulary::VocabularyConfig { min_count: 1, ..Default::default() };
    vocabulary.phrases.passes = 1;
    vocabulary.phrases.min_count = Some(2);
    let tokenizer = Tokenizer::new("words", None)?;
    EncodedCorpus::build(&open(folder, &options)?, &tokenizer, &vocabulary, None, &folder.join("encoded"), &mut |_| {})
}

/// Every word counts in so small a corpus.
fn small_run() -> TrainConfig {
    let kernel = train::KernelChoice::Scalar;
    TrainConfig { dim: 2, epochs: Some(1), sample: Some(0.0), threads: 1, kernel, ..TrainConfig::default() }
}

fn read_encoded(folder: &Path) -> Result<()> {
    let corpus = EncodedCorpus::open(folder)?;
    let dataset = &corpus.dataset;
    for document in 0..dataset.documents_len() as u32 {
        let document = DocId(document);
        let (id, label) = (dataset.document_id(document), dataset.document_label(document));
        std::hint::black_box((id, label, corpus.first_words(document, 3)));
    }
    for shard in dataset.shards(3) {
        dataset.sentences(shard).for_each(drop);
    }
    let _ = dataset.verify();
    corpus.report().tokens_dropped();
    let segmenter = Segmenter::new(corpus.tokenizer()?, corpus.vocabulary.phrases().clone());
    segmenter.each_known("a b c", &mut Default::default(), |word| corpus.vocabulary.id(word), |_, _| {})?;
    Words::choose(&corpus, 1, 1.0)?;
    train::Trainer::new(&small_run(), &corpus.vocabulary, dataset)?.run(&mut Silent).map(drop)
}

fn encoded_seeds(folder: &Path) -> Result<()> {
    let built = CORPUS.0.path().join("encoded");
    for name in ["vocabulary.safetensors", "dataset.safetensors"] {
        let bytes = fs::read(built.join(name)).expect("the corpus");
        // The padding of the header, 64 KiB at most, would be most of the seed.
        let (length, rest) = bytes.split_first_chunk::<8>().expect("a header");
        let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
        let mut header = header.trim_ascii_end().to_vec();
        header.resize(header.len().next_multiple_of(8), b' ');
        let length = (header.len() as u64).to_le_bytes();
        write(&folder.join("built").join(name), &[&length[..], &header, data].concat())?;
    }
    Ok(())
}

/// Keeps checkpoints in a folder, and stops after a tenth of a second or right after the first: settings that were read
/// may ask for any number of epochs.
struct Brief {
    checkpoints: PathBuf,
    is_first_enough: bool,
}

impl Observer for Brief {
    fn progress(&mut self, _: &Progress) -> ControlFlow<()> {
        ControlFlow::Break(())
    }

    fn checkpoints(&mut self) -> Result<Option<PathBuf>> {
        Ok(Some(self.checkpoints.clone()))
    }

    fn saved(&mut self) -> Result<()> {
        if self.is_first_enough { Err(Error::Interrupted) } else { Ok(()) }
    }
}

/// Moves the files of a checkpoint to where those of an input are.
fn checkpoint_seed(checkpoints: &Path, folder: &Path) {
    let checkpoint = train::checkpoints(checkpoints).expect("a folder").pop().expect("a checkpoint");
    fs::rename(checkpoint, folder).expect("renamed");
    fs::remove_dir_all(checkpoints).expect("removed");
    // So that seeds, and what becomes of them, are the same each time.
    forge(&folder.join("state.json"), |all| all["state"]["seconds"] = 0.5.into());
}

/// Puts the files of an input where a checkpoint is looked for; the fuzzer cannot guess the checksum of its state.
fn as_checkpoint(folder: &Path) -> PathBuf {
    let checkpoints = folder.join("checkpoints");
    let checkpoint = checkpoints.join("epoch-0001-turn-000001");
    fs::create_dir_all(&checkpoint).expect("a folder");
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
        if entry.path() != checkpoints {
            fs::rename(entry.path(), checkpoint.join(entry.file_name())).expect("renamed");
        }
    }
    let state = checkpoint.join("state.json");
    if serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&fs::read(&state).expect("a state")).is_ok()
    {
        forge(&state, |_| ());
    }
    checkpoints
}

fn read_checkpoint(folder: &Path) -> Result<()> {
    let corpus = &CORPUS.1;
    let checkpoints = as_checkpoint(folder);
    let (checkpoint, _) = train::Checkpoint::newest(&checkpoints)?;
    checkpoint.tokens();
    let mut trainer = train::Trainer::resume(&checkpoint, 1, &corpus.vocabulary, &corpus.dataset)?;
    trainer.run(&mut Brief { checkpoints, is_first_enough: false })?;
    trainer.finish().map(drop)
}

fn checkpoint_seeds(folder: &Path) -> Result<()> {
    let corpus = &CORPUS.1;
    for (name, task, heldout) in [("skipgram", Task::SkipGram, 0.0), ("cbow", Task::Cbow, 0.3)] {
        let config = TrainConfig { task, heldout, epochs: Some(3), checkpoint_every: Every::Epochs(1), ..small_run() };
        let checkpoints = folder.join("checkpoints");
        let mut trainer = train::Trainer::new(&config, &corpus.vocabulary, &corpus.dataset)?;
        let stopped = trainer.run(&mut Brief { checkpoints: checkpoints.clone(), is_first_enough: true });
        assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
        checkpoint_seed(&checkpoints, &folder.join(name));
    }
    Ok(())
}

fn read_paragraphs(folder: &Path) -> Result<()> {
    let corpus = &CORPUS.1;
    let model = ParagraphVectors::open(folder)?;
    let segmenter = Segmenter::new(corpus.tokenizer()?, corpus.vocabulary.phrases().clone());
    model.infer(&[model.read("a b c\nd e", &segmenter)?]).map(drop)
}

fn paragraph_seeds(folder: &Path) -> Result<()> {
    let corpus = &CORPUS.1;
    for (name, task) in [("pv-dbow", Task::PvDbow), ("pv-dm", Task::PvDm)] {
        let config = TrainConfig { task, dbow_words: task == Task::PvDbow, ..small_run() };
        let mut trainer = train::Trainer::new(&config, &corpus.vocabulary, &corpus.dataset)?;
        trainer.run(&mut Silent)?;
        trainer.save(&folder.join(name), None)?;
    }
    Ok(())
}

/// Documents of the words above.
const DOCUMENTS: [[u32; 3]; 4] = [[0, 1, 2], [1, 3, 0], [4, 4, 1], [2, 3, 1]];

fn documents() -> Vec<Vec<u32>> {
    DOCUMENTS.iter().map(|words| words.to_vec()).collect()
}

fn read_pooling(folder: &Path) -> Result<()> {
    let (model, _) = PoolingModel::open(folder)?;
    model.pool(&words(), &documents()).map(drop)
}

fn pooling_seeds(folder: &Path) -> Result<()> {
    for (pool, components) in [(Pool::Sif, Some(1)), (Pool::Usif, Some(2)), (Pool::Idf, None), (Pool::Max, None)] {
        let model = Pooling { components, ..Pooling::of(pool) }.fit(&words(), &documents())?;
        model.save(&folder.join(Pooling::name(pool)).join("pooling.safetensors"), &Default::default())?;
    }
    Ok(())
}

/// The documents as rows of counts.
fn bags() -> Samples {
    let mut bags = SparseMatrix::empty(5);
    DOCUMENTS.iter().for_each(|&[word, ..]| bags.push([(word, 2.0)]));
    Samples::Sparse(bags)
}

fn autoencoder_config() -> AutoencoderConfig {
    AutoencoderConfig { code: Some(2), epochs: Some(2), threads: 1, ..AutoencoderConfig::default() }
}

fn column_words() -> Words {
    Words::new(words().keys().clone())
}

fn read_autoencoder(folder: &Path) -> Result<()> {
    let model = Autoencoder::open(folder)?;
    let mut rows = SparseMatrix::empty(model.columns());
    rows.push((model.columns() > 0).then_some((0, 1.0)));
    let rows = Samples::Sparse(rows);
    model.target_values(&rows, 0);
    model.word_vectors().transpose()?;
    model.reconstruct(&rows).map(drop)
}

fn autoencoder_seeds(folder: &Path) -> Result<()> {
    let rows = bags();
    let mut trainer = autoencoder::Trainer::new(&autoencoder_config(), &rows, None, Some(column_words()))?;
    trainer.run(&mut Silent)?;
    trainer.finish().save(&folder.join("words").join(autoencoder::FILE))?;
    let rows = Samples::Dense(words().vectors().clone());
    let mut trainer = autoencoder::Trainer::new(&autoencoder_config(), &rows, None, None)?;
    trainer.run(&mut Silent)?;
    trainer.finish().save(&folder.join("matrix").join(autoencoder::FILE))
}

fn read_autoencoder_checkpoint(folder: &Path) -> Result<()> {
    let rows = bags();
    let checkpoints = as_checkpoint(folder);
    let (checkpoint, _) = autoencoder::Checkpoint::newest(&checkpoints)?;
    let mut trainer = autoencoder::Trainer::resume(checkpoint, 1, &rows, None, Some(column_words()))?;
    trainer.run(&mut Brief { checkpoints, is_first_enough: false })?;
    trainer.finish();
    Ok(())
}

fn autoencoder_checkpoint_seeds(folder: &Path) -> Result<()> {
    let rows = bags();
    let checkpoints = folder.join("checkpoints");
    let config = AutoencoderConfig { checkpoint_every: Every::Epochs(1), ..autoencoder_config() };
    let mut trainer = autoencoder::Trainer::new(&config, &rows, None, Some(column_words()))?;
    let stopped = trainer.run(&mut Brief { checkpoints: checkpoints.clone(), is_first_enough: true });
    assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
    checkpoint_seed(&checkpoints, &folder.join("words"));
    Ok(())
}
