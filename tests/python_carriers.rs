//! The real fastText, gensim, finalfusion, model2vec and spaCy open what firth writes, and find the same vectors for words
//! seen and unseen and the same tokens in texts. Opt-in:
//!
//! ```sh
//! python3 -m venv venv
//! venv/bin/pip install numpy gensim fasttext-wheel model2vec tokenizers spacy safetensors finalfusion
//! FIRTH_PYTHON=venv/bin/python cargo test --release --test python_carriers -- --ignored
//! ```
//!
//! With sentence-transformers (5 GB with torch), that one, too. Without `FIRTH_PYTHON`, `python3` is taken. Files that
//! these tools wrote are read in `tests/golden.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use firth::Result;
use firth::corpus::Corpus;
use firth::dataset::EncodedCorpus;
use firth::embeddings::{Embeddings, Ngrams};
use firth::format::{self, Dtype, Format};
use firth::math::{Matrix, Rng};
use firth::tokenizer::Tokenizer;
use firth::train::{Silent, Task, TrainConfig, Trainer};
use firth::vocabulary::Subwords;
use serde_json::json;

const WORDS: [&str; 8] = ["</s>", "the", "king", "naïve", "日本語", "Москва", "don't", "mark"];
const UNSEEN: [&str; 5] = ["kings", "naïveté", "日本", "a", "<s>"];
const DIM: usize = 7;

fn random(rows: usize, seed: u64) -> Matrix {
    let mut rng = Rng::stream(seed, &[]);
    Matrix::from_vec(rows, DIM, (0..rows * DIM).map(|_| rng.uniform() - 0.5).collect()).expect("as many numbers")
}

fn words(subwords: Option<Subwords>) -> Result<Embeddings> {
    let words = Embeddings::new(WORDS.iter().collect(), random(WORDS.len(), 3), Some((1..9).rev().collect()))?;
    // Every other bucket has a row.
    let ngrams = subwords.map(|subwords| {
        let buckets: Vec<u32> = (0..subwords.buckets).step_by(2).collect();
        Ngrams::new(subwords, buckets.clone(), random(buckets.len(), 5))
    });
    words.with_ngrams(ngrams.transpose()?)
}

/// Vectors by word, for Python to compare.
fn vectors(of: &Embeddings) -> BTreeMap<&'static str, Option<Vec<f32>>> {
    let all = WORDS.iter().chain(&UNSEEN);
    all.map(|&word| (word, of.vector(word).map(|vector| vector.into_owned()))).collect()
}

/// Runs a script in a folder, in which `expected.json` says what it must find.
fn python(folder: &Path, expected: &serde_json::Value, script: &str) {
    std::fs::write(folder.join("expected.json"), expected.to_string()).expect("a file");
    let program = std::env::var("FIRTH_PYTHON").unwrap_or_else(|_| "python3".into());
    let before = "import json\nimport numpy as np\nexpected = json.load(open('expected.json', encoding='utf-8'))\n\
                  def near(found, value, slack=1e-6):\n    \
                  np.testing.assert_allclose(found, np.float32(value), rtol=0, atol=slack)\n";
    std::fs::write(folder.join("check.py"), before.to_owned() + script).expect("a script");
    let output = Command::new(&program).arg("check.py").current_dir(folder).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}; set FIRTH_PYTHON"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    print!("{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
#[ignore = "needs Python with fasttext and gensim; see the top of the file"]
fn fasttext_and_gensim_find_the_vectors_of_words_seen_and_unseen() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut expected = BTreeMap::new();
    for (name, subwords) in [
        ("plain", None),
        ("usual", Some(Subwords { min_n: 3, max_n: 6, buckets: 500 })),
        ("letters", Some(Subwords { min_n: 1, max_n: 2, buckets: 31 })),
    ] {
        let words = words(subwords)?;
        format::fasttext::FastText.write(&words, &folder.path().join(name))?;
        let read = format::read(&folder.path().join(name))?;
        assert_eq!(read.counts(), words.counts());
        expected.insert(name, vectors(&words));
    }
    python(
        folder.path(),
        &json!(expected),
        r"
import fasttext, gensim
from gensim.models.fasttext import load_facebook_model, load_facebook_vectors
for name, vectors in expected.items():
    made = fasttext.load_model(name)
    words, counts = made.get_words(include_freq=True)
    assert words[:2] == ['</s>', 'the'] and list(counts) == [8, 7, 6, 5, 4, 3, 2, 1], (words, counts)
    for word, vector in vectors.items():
        near(made.get_word_vector(word), vector or np.zeros(7))
    assert made.get_nearest_neighbors('king', k=3)
    for found in [load_facebook_vectors(name), load_facebook_model(name).wv]:
        assert found.index_to_key == words and found.get_vecattr('the', 'count') == 7
        for word, vector in vectors.items():
            # gensim takes n-grams of </s> as of any word; without n-grams it has nothing to say of unseen words.
            if word != '</s>' and (word in words or name != 'plain' and vector):
                near(found[word], vector)
print('fasttext-wheel 0.9.2, gensim', gensim.__version__)
",
    );
    Ok(())
}

/// Words of two kinds, which stand beside words of their own kind only.
const KINDS: [[&str; 6]; 2] = [
    ["walking", "walked", "walker", "jumping", "jumped", "jumper"],
    ["bakes", "baker", "bread", "fries", "fry", "oven"],
];

#[test]
#[ignore = "needs Python with gensim; see the top of the file"]
fn gensim_goes_on_training_from_the_context_vectors() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut rng = Rng::stream(11, &[]);
    let line = |at: usize| (0..10).map(|_| KINDS[at % 2][rng.below(6) as usize]).collect::<Vec<_>>().join(" ");
    let text: Vec<String> = (0..4000).map(line).collect();
    let file = folder.path().join("text.txt");
    std::fs::write(&file, text.join("\n")).expect("a file");
    let corpus = Corpus::open(&[file], &Default::default())?;
    let to = folder.path().join("corpus");
    let words = Tokenizer::new("words", None)?;
    let corpus = EncodedCorpus::build(&corpus, &words, &Default::default(), None, &to, &mut |_| {})?;
    for task in [Task::SkipGram, Task::Cbow] {
        let (min_n, max_n) = (Some(3), Some(5));
        let config = TrainConfig {
            task,
            min_n,
            max_n,
            dim: 16,
            buckets: 1000,
            epochs: Some(5),
            threads: 1,
            sample: Some(0.0),
            ..TrainConfig::default()
        };
        let mut trainer = Trainer::new(&config, &corpus.vocabulary, &corpus.dataset)?;
        trainer.run(&mut Silent)?;
        let contexts = trainer.contexts();
        let name = folder.path().join(if task == Task::Cbow { "cbow" } else { "sg" });
        format::fasttext::FastText.write(&trainer.finish()?.with_contexts(contexts)?, &name)?;
    }
    python(
        folder.path(),
        &json!(KINDS),
        r"
import gensim, fasttext
from gensim.models.fasttext import load_facebook_model
text = [line.split() for line in open('text.txt')]
def margin(vectors, keys):
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    kinds = np.array([[word in kind for kind in expected] for word in keys])
    same = kinds @ kinds.T
    return (vectors @ vectors.T)[same].mean() - (vectors @ vectors.T)[~same].mean()
for name in ['sg', 'cbow']:
    outputs = fasttext.load_model(name).get_output_matrix()
    model = load_facebook_model(name)
    near(model.syn1neg, outputs, 0)
    assert outputs.any(axis=1).all()
    before = margin(model.wv.vectors, model.wv.index_to_key)
    model.workers = 1
    model.train(text, total_examples=len(text), epochs=1)
    after = margin(model.wv.vectors, model.wv.index_to_key)
    same = [near in kind for kind in expected for word in kind for near, _ in model.wv.most_similar(word, topn=5)]
    assert all(same) and after > before - 0.02, (name, same, before, after)
print('gensim', gensim.__version__)
",
    );
    Ok(())
}

#[test]
#[ignore = "needs Python with finalfusion; see the top of the file"]
fn finalfusion_finds_vectors_norms_and_directions_of_unseen_words() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut expected = BTreeMap::new();
    for (name, subwords) in [("plain", None), ("subwords", Some(Subwords { min_n: 3, max_n: 5, buckets: 300 }))] {
        let mut words = words(subwords)?;
        words.metadata.insert("firth.config".into(), "{\"dim\":7,\"note\":\"it's\\n\"}".into());
        format::finalfusion::FinalFusion.write(&words, &folder.path().join(name))?;
        expected.insert(name, vectors(&words));
    }
    python(
        folder.path(),
        &json!(expected),
        r#"
import finalfusion
for name, vectors in expected.items():
    for mmap in [False, True]:
        made = finalfusion.load_finalfusion(name, mmap=mmap)
        assert len(made.vocab) == 8 and made.vocab.words[1] == 'the'
        assert made.metadata['firth.config'] == '{"dim":7,"note":"it\'s\\n"}'
        for word, vector in vectors.items():
            if word in made.vocab.words:
                near(made.embedding(word) * made.norms[made.vocab[word]], vector)
                near(np.linalg.norm(made.embedding(word)), 1)
            elif name == 'plain':
                assert made.embedding(word) is None
            elif vector:
                near(made.embedding(word) / np.linalg.norm(made.embedding(word)), vector / np.linalg.norm(vector))
print('finalfusion 0.7.1')
"#,
    );
    Ok(())
}

/// Texts of all sorts of characters, and the words that firth finds in them.
fn texts(tokenizer: &Tokenizer) -> Result<Vec<(String, Vec<String>)>> {
    let alphabet: Vec<char> =
        "abcdeABCxyz0123_:.,;'’\"\\/- \t ßéÀÜŒΣσΟΔжЖ漢字日本あいアーカภาไทย한국अक\u{660}\u{661}²½€😀".chars().collect();
    let mut rng = Rng::stream(17, &[]);
    let mut all = vec![
        "Don't stop, R2-D2: 3.14 is “ÜBER” Москва_1 a.b x..y".to_owned(),
        "צה\"ל ג' ד'1 ב\u{5bc}' א'ב \"שלום\" नमस्ते e\u{301}a ΟΔΟΣ, ΟΔΟΣ'Α".to_owned(),
    ];
    all.extend((0..400).map(|_| (0..60).map(|_| alphabet[rng.below(alphabet.len() as u32) as usize]).collect()));
    let cut = |text: String| {
        let mut words = Vec::new();
        tokenizer.tokens(&text, |word| words.push(word.to_owned()))?;
        Ok((text, words))
    };
    all.into_iter().map(cut).collect()
}

#[test]
#[ignore = "needs Python with model2vec and tokenizers; see the top of the file"]
fn model2vec_and_sentence_transformers_find_the_tokens_and_the_means_of_texts() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut expected, mut written) = (BTreeMap::new(), Vec::new());
    for (name, spec, lowercase) in
        [("lower", "words", true), ("cased", "words", false), ("blanks", "whitespace", false)]
    {
        let texts = texts(&Tokenizer::new(spec, Some(lowercase))?)?;
        let known: BTreeSet<&str> = texts.iter().flat_map(|(_, words)| words.iter().map(String::as_str)).collect();
        // A tenth of the words are unknown.
        let keys: Vec<&str> = known.into_iter().enumerate().filter(|(at, _)| at % 10 > 0).map(|(_, key)| key).collect();
        let words = Embeddings::new(keys.iter().collect(), random(keys.len(), 7), None)?;
        let format = format::static_embedding::StaticEmbedding;
        format.write(&words, &folder.path().join(name))?;
        format.write_as(&words, &folder.path().join(format!("{name}.half")), Dtype::F16)?;
        let tokens = |cut: &[String]| cut.iter().map(|word| words.keys().find(word)).collect::<Vec<_>>();
        let mean = |ids: &[Option<usize>]| {
            let rows: Vec<_> = ids.iter().flatten().map(|&row| words.vectors().row(row)).collect();
            let sum = |column: usize| rows.iter().map(|row| f64::from(row[column])).sum::<f64>();
            (0..DIM).map(|column| sum(column) / rows.len().max(1) as f64).collect::<Vec<_>>()
        };
        let all = texts.iter().map(|(text, cut)| json!([text, tokens(cut), mean(&tokens(cut))]));
        expected.insert(name, json!({"texts": all.collect::<Vec<_>>(), "unknown": keys.len()}));
        written.push((folder.path().join(format!("{name}.again")), words));
    }
    python(
        folder.path(),
        &json!(expected),
        r"
import importlib.metadata as metadata
from model2vec import StaticModel
from tokenizers import Tokenizer
try:
    from sentence_transformers import SentenceTransformer
except ImportError:
    SentenceTransformer = None
    print('skipped: sentence-transformers is not installed')
for name, of in expected.items():
    texts, ids, means = zip(*of['texts'])
    tokenizer = Tokenizer.from_file(name + '/tokenizer.json')
    other = []
    for text, known in zip(texts, ids):
        found = tokenizer.encode(text).ids
        if found != [of['unknown'] if token is None else token for token in known]:
            other.append(text)
    assert not other, (name, len(other), other[:3])
    model = StaticModel.from_pretrained(name)
    assert model.max_length is None
    near(model.encode(list(texts)), means, 1e-5)
    half = StaticModel.from_pretrained(name + '.half')
    assert half.embedding_dtype == 'float16'
    near(half.encode(list(texts)), means, 1e-3)
    assert not np.any(model.encode(['qqqqq']))
    if SentenceTransformer:
        # Its mean counts unknown words, as zeros.
        known = [sum(token is not None for token in tokens) / max(len(tokens), 1) for tokens in ids]
        model = SentenceTransformer(name, device='cpu')
        near(model.encode(list(texts)), np.array(means) * np.array(known)[:, None], 1e-5)
        model.save(name + '.again')
        print('sentence-transformers', metadata.version('sentence-transformers'))
print('model2vec', metadata.version('model2vec'), 'tokenizers', metadata.version('tokenizers'))
",
    );
    for (again, words) in written.iter().filter(|(again, _)| again.exists()) {
        let read = format::read(again)?;
        assert_eq!((read.keys(), read.vectors().as_slice()), (words.keys(), words.vectors().as_slice()));
    }
    Ok(())
}

#[test]
#[ignore = "needs Python with spaCy; see the top of the file"]
fn spacy_loads_a_pipeline_with_the_vectors() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let cased = words(None)?;
    format::spacy::Spacy.write(&cased, &folder.path().join("cased"))?;
    let keys: Vec<String> = WORDS.iter().map(|word| word.to_lowercase()).collect();
    let lower = Embeddings::new(keys.iter().collect(), cased.vectors().clone(), None)?;
    format::spacy::Spacy.write(&lower, &folder.path().join("lower"))?;
    python(
        folder.path(),
        &json!(vectors(&cased)),
        r#"
import warnings
warnings.simplefilter('error')
import spacy
cased, lower = spacy.load('cased'), spacy.load('lower')
for word, vector in expected.items():
    for nlp, found in [(cased, cased.vocab[word]), (lower, lower.vocab[word.lower()])]:
        assert found.has_vector == (vector is not None), (word, vector)
        near(found.vector, vector or np.zeros(7), 0)
    if vector and word != '</s>':
        [token] = cased(word)
        near(token.vector, vector, 0)
assert lower('KING')[0].has_vector and not cased('KING')[0].has_vector
text = 'Don\'t stop, R2-D2: 3.14 is “ÜBER” Москва_1 a.b'
words = [token.text for token in lower(text) if not token.is_punct]
assert words == ["Don't", 'stop', 'R2', 'D2', '3.14', 'is', 'ÜBER', 'Москва_1', 'a.b'], words
near(spacy.vocab.Vocab().from_disk('cased/vocab').get_vector('mark'), expected['mark'], 0)
cased.to_disk('again')
print('spacy', spacy.__version__)
"#,
    );
    let again = format::read(&folder.path().join("again"))?;
    assert_eq!((again.keys(), again.vectors().as_slice()), (cased.keys(), cased.vectors().as_slice()));
    Ok(())
}
