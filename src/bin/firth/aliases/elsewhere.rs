//! Other tools' training flags that are none of ours, and what firth does instead.

/// Names without dashes, and what is said of them.
const INSTEAD: &[(&str, &str)] = &[
    // word2vec.c
    ("save-vocab", "a run keeps its vocabulary, whose words and counts firth corpus info RUN --top N prints"),
    ("read-vocab", "use --vocabulary, which takes an earlier run, corpus or vocabulary, or vectors with counts"),
    ("classes", "words are put into clusters by firth cluster RUN --clusters N"),
    // fastText
    ("lr-update-rate", "the learning rate falls all the time; leave it out"),
    ("word-ngrams", "n-grams of words have no vectors; --phrases N joins words that often stand together"),
    ("pretrained-vectors", "use --from to start from an earlier run, for an autoencoder --init-words"),
    ("save-output", "a run keeps its output vectors always; leave it out"),
    ("label", "nothing is learnt from labels; firth eval classify tells how well vectors tell them"),
    // gensim
    ("sorted-vocab", "a vocabulary is always sorted by count; leave it out"),
    ("batch-words", "text is encoded once and not handed out in batches; leave it out"),
    ("null-word", "no task has a null word; leave it out"),
    ("trim-rule", "use --min-count and --max-vocabulary"),
    ("compute-loss", "the loss is always computed and logged; leave it out"),
    ("min-alpha", "use --min-lr, which is a fraction of --lr"),
];

/// What firth does instead of a flag of that name.
pub fn instead(name: &str) -> Option<&'static str> {
    if name.starts_with("autotune") {
        return Some("settings are not searched for; compare runs by --heldout or firth eval");
    }
    INSTEAD.iter().find(|(theirs, _)| *theirs == name).map(|(_, instead)| *instead)
}
