//! Any `tokenizer.json` works: byte-pair, WordPiece and Unigram models, trained here, give the pieces of their library.

use std::error::Error;
use std::path::Path;

use firth::corpus::{Corpus, DocumentOptions};
use firth::dataset::EncodedCorpus;
use firth::tokenizer::Tokenizer;
use firth::vocabulary::VocabularyConfig;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::models::unigram::{Unigram, UnigramTrainer};
use tokenizers::models::wordpiece::{WordPiece, WordPieceTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::metaspace::Metaspace;
use tokenizers::pre_tokenizers::whitespace::Whitespace;
use tokenizers::{AddedToken, ModelWrapper, PreTokenizerWrapper};

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

fn lines() -> Vec<String> {
    let (who, what) = (["the cat", "a dog", "this bird", "my horse"], ["sleeps", "is sleeping", "runs", "was running"]);
    let place = ["in the garden", "near the river", "under a tree"];
    let all = (0..200).map(|i| format!("{} {} {} {i}", who[i % 4], what[i / 4 % 4], place[i % 3]));
    all.collect()
}

fn train(
    model: ModelWrapper,
    mut trainer: TrainerWrapper,
    before: PreTokenizerWrapper,
    path: &Path,
) -> Outcome<tokenizers::Tokenizer> {
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    tokenizer.with_pre_tokenizer(Some(before));
    tokenizer.train(&mut trainer, lines().iter())?;
    tokenizer.save(path, false)?;
    Ok(tokenizer)
}

#[test]
fn files_of_every_model_are_read_and_their_pieces_encoded() -> Outcome {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    let unknown = AddedToken::from("<unk>", true);
    let unigram = UnigramTrainer::builder()
        .vocab_size(80)
        .show_progress(false)
        .unk_token(Some("<unk>".into()))
        .special_tokens(vec![unknown.clone()])
        .build()?;
    let pieces = WordPieceTrainer::builder()
        .vocab_size(120)
        .show_progress(false)
        .special_tokens(vec![AddedToken::from("[UNK]", true)])
        .build();
    let pairs = BpeTrainer::builder().vocab_size(150).show_progress(false).build();
    let trained = [
        ("bpe.json", train(BPE::default().into(), pairs.into(), ByteLevel::default().into(), &at("bpe.json"))?),
        ("pieces.json", train(WordPiece::default().into(), pieces.into(), Whitespace {}.into(), &at("pieces.json"))?),
        (
            "unigram.json",
            train(Unigram::default().into(), unigram.into(), Metaspace::default().into(), &at("unigram.json"))?,
        ),
    ];
    let text = lines();
    std::fs::write(at("text"), text.join("\n"))?;
    for (name, oracle) in trained {
        let tokenizer = Tokenizer::open(&at(name))?;
        let config = VocabularyConfig { min_count: 1, ..Default::default() };
        let corpus = Corpus::open(&[at("text")], &DocumentOptions::default())?;
        let out = at(name).with_extension("out");
        EncodedCorpus::build(&corpus, &tokenizer, &config, None, &out, &mut |_| {})?;
        // Corpora are moved and tokenizers edited: what is opened is the corpus's own copy.
        let moved = at(name).with_extension("moved");
        std::fs::rename(&out, &moved)?;
        std::fs::remove_file(at(name))?;
        let encoded = EncodedCorpus::open(&moved)?;
        assert_eq!(encoded.tokenizer()?.settings(), tokenizer.settings(), "{name}");
        let sentences: Vec<_> = encoded.dataset.sentences(0..encoded.dataset.sentences_len()).collect();
        assert_eq!(sentences.len(), text.len(), "{name}");
        for (sentence, line) in sentences.iter().zip(&text) {
            let words = sentence.words.iter().map(|word| encoded.vocabulary.keys().get(word.0 as usize));
            let expected = oracle.encode(line.as_str(), false)?;
            assert_eq!(words.collect::<Vec<_>>(), expected.get_tokens(), "{name}");
        }
        let distinct = encoded.vocabulary.len();
        assert!((20..=200).contains(&distinct), "{name}: {distinct} pieces");
    }
    std::fs::write(at("broken.json"), "{}")?;
    let message = Tokenizer::new(&at("broken.json").display().to_string(), None).err().ok_or("an error")?.to_string();
    assert!(message.contains("broken.json") && message.contains("not a Hugging Face tokenizer"), "{message}");
    Ok(())
}
