"""Makes the files beside it with the real tools; `versions.txt` says which. They are read back by tests/golden.rs.

    python3 -m venv venv
    venv/bin/pip install numpy gensim fasttext-wheel model2vec tokenizers spacy safetensors finalfusion
    venv/bin/python tests/golden/make.py

What each must be read as stands beside it in NAME.json: words and vectors as the tool itself gives them, and vectors
of unseen words. Training is on one thread, so that a second run gives much the same, though not the same bytes.
"""
import importlib.metadata as metadata
import json
import pathlib
import random
import shutil

import numpy as np

HERE = pathlib.Path(__file__).parent
UNSEEN = ["kingdom", "Übermut", "日本人"]


def text(path, labels):
    """Sentences of a few words by a fixed rule, some of them outside ASCII, with a label before each if asked."""
    draw = random.Random(5)
    nouns = ["king", "queen", "boat", "sea", "river", "naïve", "über", "日本", "Москва", "case", "sailor", "crown"]
    verbs = ["sees", "holds", "loves", "leaves", "finds"]
    with open(path, "w", encoding="utf-8") as file:
        for _ in range(400):
            first, second = draw.sample(range(len(nouns)), 2)
            label = f"__label__{'land' if first < 6 else 'water'} " if labels else ""
            file.write(f"{label}the {nouns[first]} {draw.choice(verbs)} a {nouns[second]}\n")


def expect(name, words, vector, **more):
    """Writes what must be read; a 32-bit number has the same 32 bits again after a detour by JSON."""
    row = lambda word: [float(value) for value in np.asarray(vector(word), dtype=np.float32)]
    found = {"words": list(words), "vectors": [row(word) for word in words], **more}
    (HERE / f"{name}.json").write_text(json.dumps(found, ensure_ascii=False) + "\n", encoding="utf-8")


def fasttext_models():
    import fasttext

    unlabelled, labelled = HERE / "text", HERE / "labelled"
    text(unlabelled, False)
    text(labelled, True)
    common = dict(thread=1, minCount=1, dim=5, epoch=3)

    def save(model, name):
        model.save_model(str(HERE / name))
        unseen = {word: [float(value) for value in model.get_word_vector(word)] for word in UNSEEN}
        words, counts = model.get_words(include_freq=True)
        expect(name, words, model.get_word_vector, counts=[int(count) for count in counts], unseen=unseen)

    save(fasttext.train_unsupervised(str(unlabelled), "skipgram", minn=3, maxn=5, bucket=60, **common), "skipgram.bin")
    save(fasttext.train_unsupervised(str(unlabelled), "cbow", minn=0, maxn=0, **common), "plain.bin")
    for name, bucket, options in [
        ("quantized.ftz", 260, dict(qnorm=False, dsub=2)),
        ("norms.ftz", 260, dict(qnorm=True, dsub=2)),
        ("pruned.ftz", 900, dict(qnorm=True, dsub=2, cutoff=257, qout=False)),
    ]:
        model = fasttext.train_supervised(str(labelled), minn=2, maxn=4, bucket=bucket, **common)
        model.quantize(**options)
        save(model, name)
    unlabelled.unlink()
    labelled.unlink()


def finalfusion_files():
    import finalfusion
    from finalfusion.norms import Norms
    from finalfusion.storage import NdArray, QuantizedArray
    from finalfusion.storage.quantized import PQ
    from finalfusion.subword import FastTextIndexer, FinalfusionHashIndexer
    from finalfusion.vocab import FastTextVocab, FinalfusionBucketVocab, SimpleVocab

    draw = np.random.default_rng(7)
    words = ["the", "naïve", "New York", "日本", "</s>"]
    note = finalfusion.metadata.Metadata({"language": "de", "training": {"epochs": 5, "rate": 0.5}})

    def save(name, vocab, storage=None, scaled=True, **more):
        norms = None
        if storage is None:
            rows = draw.standard_normal((vocab.upper_bound, 3)).astype(np.float32)
            if scaled:
                norms = Norms(np.linalg.norm(rows[: len(words)], axis=1))
                rows[: len(words)] /= np.asarray(norms)[:, None]
            storage = NdArray(rows)
        made = finalfusion.Embeddings(storage, vocab, norms=norms, metadata=note)
        made.write(str(HERE / name))
        made = finalfusion.load_finalfusion(str(HERE / name))
        vector = lambda word: made.embedding(word) * (made.norms[made.vocab[word]] if made.norms is not None else 1)
        expect(name, words, vector, **more)
        return made

    save("simple.fifu", SimpleVocab(words))
    save("bare.fifu", SimpleVocab(words), scaled=False)
    made = save("hashed.fifu", FinalfusionBucketVocab(words, FinalfusionHashIndexer(4, 3, 4)))
    explicit = made.bucket_to_explicit()
    explicit.write(str(HERE / "explicit.fifu"))
    shutil.copy(HERE / "hashed.fifu.json", HERE / "explicit.fifu.json")
    vocab = FastTextVocab(words, FastTextIndexer(40, 3, 5))
    made = save("subwords.fifu", vocab)
    # Of unseen words finalfusion tells the direction.
    unseen = {word: [float(value) for value in made.embedding(word)] for word in UNSEEN}
    found = json.loads((HERE / "subwords.fifu.json").read_text(encoding="utf-8"))
    found["unseen"] = unseen
    (HERE / "subwords.fifu.json").write_text(json.dumps(found, ensure_ascii=False) + "\n", encoding="utf-8")
    for name, projected, scaled in [("codes.fifu", False, False), ("projected.fifu", True, True)]:
        centroids = draw.standard_normal((2, 6, 2)).astype(np.float32)
        projection = np.linalg.qr(draw.standard_normal((4, 4)))[0].astype(np.float32) if projected else None
        codes = draw.integers(0, 6, (len(words), 2)).astype(np.uint8)
        lengths = draw.random(len(words)).astype(np.float32) + 1 if scaled else None
        save(name, SimpleVocab(words), QuantizedArray(PQ(centroids, projection), codes, lengths))


def static_folders():
    import safetensors.numpy
    from model2vec import StaticModel
    from tokenizers import Tokenizer, models, pre_tokenizers

    draw = np.random.default_rng(9)

    def save(name, tokenizer, **options):
        tokens = [token for token, _ in sorted(tokenizer.get_vocab().items(), key=lambda pair: pair[1])]
        rows = options.pop("rows", len(tokens))
        vectors = draw.standard_normal((rows, 3)).astype(options.pop("dtype", np.float32))
        model = StaticModel(vectors, tokenizer, **options)
        model.save_pretrained(HERE / name)
        (HERE / name / "README.md").unlink()
        model = StaticModel.from_pretrained(HERE / name, max_length=None)

        def vector(token):
            at = tokens.index(token)
            row = vectors[at if model.token_mapping is None else model.token_mapping[at]].astype(np.float32)
            return row if model.weights is None else (row * model.weights[at]).astype(np.float32)

        expect(name, tokens, vector)

    words = {"[PAD]": 0, "[UNK]": 1, "the": 2, "naïve": 3, "日本": 4, "sea": 5}
    level = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    level.pre_tokenizer = pre_tokenizers.Whitespace()
    save("wordlevel", level)
    pieces = Tokenizer(models.Unigram([("<unk>", 0.0), ("▁sea", -1.0), ("▁", -2.0), ("s", -3.0)], unk_id=0))
    pieces.pre_tokenizer = pre_tokenizers.Metaspace()
    save("unigram", pieces, rows=2, weights=np.array([0.0, 0.5, 2.0, 1.0]), token_mapping=np.array([0, 1, 1, 0]))
    # As sentence-transformers lays it out, which needs torch to do so itself.
    nested = HERE / "nested"
    (nested / "0_StaticEmbedding").mkdir(parents=True, exist_ok=True)
    vectors = draw.standard_normal((len(words), 3)).astype(np.float32)
    safetensors.numpy.save_file({"embedding.weight": vectors}, nested / "0_StaticEmbedding" / "model.safetensors")
    level.save(str(nested / "0_StaticEmbedding" / "tokenizer.json"))
    kind = "sentence_transformers.models.StaticEmbedding"
    modules = [{"idx": 0, "name": "0", "path": "0_StaticEmbedding", "type": kind}]
    (nested / "modules.json").write_text(json.dumps(modules))
    (nested / "config_sentence_transformers.json").write_text("{}")
    expect("nested", words, lambda word: StaticModel.from_pretrained(nested).embedding[words[word]])


def plain_vectors():
    """What programs write that keep nothing but words and vectors."""
    from gensim.models import KeyedVectors

    draw = np.random.default_rng(13)
    words = ["the", "naïve", "New_York", "日本"]
    made = KeyedVectors(3)
    made.add_vectors(words, draw.standard_normal((len(words), 3)).astype(np.float32))
    for name, binary in [("gensim.txt", False), ("gensim.bin", True)]:
        made.save_word2vec_format(str(HERE / name), binary=binary)
        expect(name, words, KeyedVectors.load_word2vec_format(str(HERE / name), binary=binary).get_vector)
    np.save(HERE / "numpy.npy", made.vectors)
    (HERE / "numpy.vocab").write_text("\n".join(words), encoding="utf-8")
    expect("numpy.npy", words, dict(zip(words, np.load(HERE / "numpy.npy"))).get)


def spacy_folder():
    import spacy

    draw = np.random.default_rng(11)
    made = spacy.blank("xx")
    words = ["king", "mark", "naïve", "日本", "New York", "PERSON", "x" * 40]
    for word in words:
        made.vocab.set_vector(word, draw.standard_normal(3).astype(np.float32))
    # Two keys share a row.
    made.vocab.strings.add("queen")
    made.vocab.vectors.add("queen", row=made.vocab.vectors.key2row[made.vocab.strings["king"]])
    made.to_disk(HERE / "spacy", exclude=["tokenizer"])
    loaded = spacy.vocab.Vocab().from_disk(HERE / "spacy" / "vocab")
    rows = {word: loaded.vectors.key2row[loaded.strings[word]] for word in [*words, "queen"]}
    expect("spacy", sorted(rows, key=lambda word: (rows[word], word == "queen")), loaded.get_vector)


if __name__ == "__main__":
    fasttext_models()
    finalfusion_files()
    static_folders()
    plain_vectors()
    spacy_folder()
    tools = ["fasttext-wheel", "gensim", "finalfusion", "model2vec", "tokenizers", "safetensors", "spacy", "numpy"]
    lines = [f"{tool} {metadata.version(tool)}\n" for tool in tools]
    (HERE / "versions.txt").write_text("".join(lines) + "made by: venv/bin/python tests/golden/make.py\n")
