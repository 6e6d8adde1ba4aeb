#!/usr/bin/env python3
"""Document vectors: Firth's autoencoder, paragraph vectors and pooled word vectors beside tf-idf, LSA, gensim's word
vectors pooled by the same formulas, and gensim's Doc2Vec, on the same documents.

    cargo build --release
    python3 -m pip install numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 gensim==4.4.0
    python3 benches/compare/documents.py --data ../shared/data --work /tmp/documents --json documents.json
    python3 benches/compare/documents.py --data ../shared/data --work /tmp/documents --rows firth --sets bbc,ag \\
        --firth-row "Firth" --firth-row "Firth, tied=--tied"
    python3 benches/compare/documents.py --data ../shared/data --work /tmp/documents --validate \\
        --firth-row "lr .01=--lr 0.01" --firth-row "lr .02=--lr 0.02"

Everything is fitted on the training documents; test documents are only encoded. Scores, the same for every row:

- NMI, ARI, purity: k-means on rows of length 1, k = number of classes, over training and test documents together; mean
  of seeds 0, 1, 2, each the best of 3 starts.
- P@10, MAP: cosine search; queries are 1 500 test documents, the database is the training documents, relevant is what
  has the query's label.
- probe: accuracy of a softmax regression on the codes, standardised; its strength is chosen on a tenth of the training
  documents.
- CPU s: fitting + encoding the test documents, on one thread. Firth's are those of its whole processes, reading and
  tokenising included; the others' those of their own work on tokens that Python has ready.

Sets: `20ng` is the by-date split; the others are one file, of which 60 % drawn once and for all train. `20ng-7.5k` is
`20ng`'s test file. Documents with fewer than three known words are left out (known: in two training documents at least
and in half of them at most). The other methods see those words, the 40 000 commonest at most; Firth reads the text.
The rows of other methods are slow and are kept in --work, as are the unpacked sets; remove that folder to start afresh.

--validate is for choosing defaults: it never reads a test document. It splits each training part 70 to 30, scores with
fewer starts and queries, and shows the mean over the sets. There `20ng-7.5k` is as many documents of `20ng`'s training file
as it has itself, because its own are test documents of `20ng`.
"""
import os

for variable in [name for name in os.environ if name.startswith("OPENBLAS_")]:
    del os.environ[variable]
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import collections
import dataclasses
import functools
import hashlib
import json
import lzma
import pathlib
import re
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import scipy.sparse as sparse
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.preprocessing import normalize

SETS = {"20ng": ["20ng-train-clean", "20ng-test-clean"], "20ng-7.5k": ["20ng-test-clean"], "ag": ["agnews-test"],
        "bbc": ["bbc"], "trec6": ["trec6-train", "trec6-test"], "brown": ["brown"], "movie_reviews": ["movie_reviews"],
        "subjectivity": ["subjectivity"]}
USUAL = "20ng,20ng-7.5k,ag,bbc"
DIM, MIN_DOCUMENTS, MAX_SHARE, MAX_WORDS = 100, 2, 0.5, 40_000
SKIPGRAM = {"window": 8, "epochs": 10, "negative": 5, "sample": 1e-4}
PARAGRAPHS = {"epochs": 20, "negative": 5, "sample": 1e-4}
SIF_WEIGHT = 1e-3
POOLS = ("mean", "max", "idf", "sif", "usif")
FIRTH_ROWS = ["**Firth, autoencoder**", "**Firth, PV-DBOW**=pv-dbow", "**Firth, PV-DM**=pv-dm", "**Firth, mean**=mean",
              "**Firth, SIF**=sif", "**Firth, uSIF**=usif"]
WORD = re.compile(r"[a-z][a-z']+|[0-9]+")
SCORES = {"nmi": "NMI", "ari": "ARI", "purity": "purity", "p10": "P@10", "map": "MAP", "probe": "probe"}


# ---- sets

@dataclasses.dataclass
class Part:
    """Documents with their labels; the file that holds them, which Firth reads."""
    path: pathlib.Path
    labels: np.ndarray
    texts: list

    @classmethod
    def read(cls, path):
        with open(path, encoding="utf-8", newline="\n") as file:
            rows = [line.rstrip("\n").split("\t", 1) for line in file]
        return cls(path, np.array([label for label, _ in rows]), [text for _, text in rows])

    @functools.cached_property
    def tokens(self):
        return [tokenize(text) for text in self.texts]


@dataclasses.dataclass
class Split:
    """A set: what is trained on, what is tested on."""
    name: str
    folder: pathlib.Path
    train: Part
    test: Part

    @functools.cached_property
    def vocabulary(self):
        return known_words(self.train.tokens)

    @functools.cached_property
    def counts(self):
        return [count(part.tokens, self.vocabulary) for part in (self.train, self.test)]

    @functools.cached_property
    def sentences(self):
        """The known words of each document, in their order."""
        return [[[word for word in tokens if word in self.vocabulary] for tokens in part.tokens]
                for part in (self.train, self.test)]


def tokenize(text):
    return WORD.findall(text.lower())


def known_words(documents, least=MIN_DOCUMENTS, share=MAX_SHARE, most=MAX_WORDS):
    """The words in enough documents and not in too many, the commonest first, with their columns."""
    frequency = collections.Counter(word for tokens in documents for word in set(tokens))
    kept = [word for word, number in frequency.items() if least <= number <= share * len(documents)]
    kept.sort(key=lambda word: (-frequency[word], word))
    return {word: column for column, word in enumerate(kept[:most])}


def count(documents, vocabulary):
    """Documents by words."""
    numbers = [collections.Counter(vocabulary[word] for word in tokens if word in vocabulary) for tokens in documents]
    columns = [column for bag in numbers for column in sorted(bag)]
    values = [bag[column] for bag in numbers for column in sorted(bag)]
    ends = np.cumsum([0] + [len(bag) for bag in numbers])
    return sparse.csr_matrix((np.array(values, np.float32), columns, ends), shape=(len(documents), len(vocabulary)))


def unpack(path):
    """Labels and texts, the first field and the last."""
    with lzma.open(path, "rt", encoding="utf-8", newline="\n") as file:
        rows = [line.split("\t") for line in file]
    return [(row[0], " ".join(row[-1].split())) for row in rows]


def write_rows(path, rows):
    """Whole or not at all: another run may read them."""
    whole = path.with_suffix(f".{os.getpid()}")
    with open(whole, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{label}\t{text}\n" for label, text in rows)
    whole.replace(path)


def divide(rows, share, seed):
    order = np.random.RandomState(seed).permutation(len(rows))
    edge = int(share * len(rows))
    return [rows[row] for row in order[:edge]], [rows[row] for row in order[edge:]]


def parts(data, name, validate):
    """The rows of a set that train and those that test."""
    folder = data / "docs"
    files = [unpack(folder / f"{file}.tsv.xz") for file in SETS[name][:1 if validate else 2]]
    train, test = files if len(files) == 2 else divide(files[0], 0.6, 13)
    if not validate:
        return train, test
    if name == "20ng-7.5k":
        return divide(divide(unpack(folder / "20ng-train-clean.tsv.xz"), 1, 11)[0][:len(train)], 0.7, 7)
    return divide(files[0] if len(SETS[name]) == 2 else train, 0.7, 7)


def known_enough(rows, vocabulary):
    return [row for row in rows if sum(word in vocabulary for word in tokenize(row[1])) >= 3]


def prepare(options, name):
    """Writes train.tsv and test.tsv unless they are there, and reads them."""
    folder = options.work / (name + ("-validation" if options.validate else ""))
    paths = folder / "train.tsv", folder / "test.tsv"
    if not all(path.exists() for path in paths):
        folder.mkdir(parents=True, exist_ok=True)
        train, test = parts(options.data, name, options.validate)
        vocabulary = known_words([tokenize(text) for _, text in train])
        for path, rows in zip(paths, (train, test)):
            write_rows(path, known_enough(rows, vocabulary))
    return Split(name, folder, *map(Part.read, paths))


# ---- scores

@dataclasses.dataclass(frozen=True)
class Protocol:
    seeds: tuple = (0, 1, 2)
    starts: int = 3
    queries: int = 1500
    probe: bool = True


def score(protocol, train, test, train_labels, test_labels):
    """All scores of the codes of training and test documents, dense or sparse."""
    scores = dict(zip(("nmi", "ari", "purity"), cluster(protocol, train, test, train_labels, test_labels)))
    scores["p10"], scores["map"] = retrieve(protocol.queries, train, test, train_labels, test_labels)
    if protocol.probe:
        scores["probe"] = probe(train, test, train_labels, test_labels)
    return {name: float(value) for name, value in scores.items()}


def cluster(protocol, train, test, train_labels, test_labels):
    """NMI, ARI and purity of k-means, each the mean over its seeds."""
    rows = normalize(sparse.vstack([train, test]).tocsr() if sparse.issparse(train) else np.vstack([train, test]))
    labels = np.concatenate([train_labels, test_labels])
    results = []
    for seed in protocol.seeds:
        found = KMeans(len(set(labels)), n_init=protocol.starts, max_iter=100, random_state=seed).fit_predict(rows)
        purity = contingency_matrix(labels, found).max(axis=0).sum() / len(labels)
        results.append((normalized_mutual_info_score(labels, found), adjusted_rand_score(labels, found), purity))
    return np.mean(results, axis=0)


def retrieve(queries, train, test, train_labels, test_labels):
    """P@10 and MAP over the whole ranking."""
    chosen = np.random.RandomState(1).permutation(test.shape[0])[:queries]
    database, asked, wanted = normalize(train), normalize(test[chosen]), test_labels[chosen]
    ranks = np.arange(1, len(train_labels) + 1)
    precision, average = [], []
    for begin in range(0, len(chosen), 250):
        batch = slice(begin, begin + 250)
        similarity = asked[batch] @ database.T
        similarity = similarity.toarray() if sparse.issparse(similarity) else similarity
        hits = train_labels[np.argsort(-similarity, axis=1, kind="stable")] == wanted[batch, None]
        precision.extend(hits[:, :10].mean(axis=1))
        average.extend((np.cumsum(hits, axis=1) / ranks * hits).sum(axis=1) / np.maximum(1, hits.sum(axis=1)))
    return np.mean(precision), np.mean(average)


def probe(train, test, train_labels, test_labels):
    """Accuracy of a softmax regression; above 8 000 documents its strength is the middle one, untried."""
    strengths = [1, 5, 20]
    if not sparse.issparse(train):
        mean, scale = train.mean(axis=0), (train.std(axis=0) + 1e-8) * np.sqrt(train.shape[1])
        train, test, strengths = (train - mean) / scale, (test - mean) / scale, [0.3, 3, 30]
    regression = lambda strength, steps: LogisticRegression(C=strength, max_iter=steps, tol=1e-3)
    order = np.random.RandomState(0).permutation(len(train_labels))
    held, rest = np.split(order, [len(order) // 10])
    trial = lambda strength: (regression(strength, 150).fit(train[rest], train_labels[rest])
                              .score(train[held], train_labels[held]))
    best = strengths[1] if len(train_labels) > 8000 else max(strengths, key=trial)
    return regression(best, 200).fit(train, train_labels).score(test, test_labels)


# ---- other methods: codes of training and test documents, CPU seconds of fitting and of encoding

def timed(work):
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def tf_idf(train, test):
    """Of counts: 1 + log of the counts, times log((1 + n) / (1 + df)) + 1, rows of length 1."""
    frequency = np.bincount(train.indices, minlength=train.shape[1])
    idf = sparse.diags((np.log((1 + train.shape[0]) / (1 + frequency)) + 1).astype(np.float32))
    def weigh(counts):
        weighed = counts.copy()
        weighed.data = 1 + np.log(weighed.data)
        return normalize((weighed @ idf).tocsr().astype(np.float32))
    return weigh(train), weigh(test)


def raw(split, seed):
    (train, test), cpu = timed(lambda: tf_idf(*split.counts))
    return train, test, cpu, 0


def lsa(dim, split, seed):
    train, test = tf_idf(*split.counts)
    model = TruncatedSVD(dim, n_iter=4, random_state=seed - 1)
    codes, fit = timed(lambda: model.fit(train).transform(train))
    encoded, encode = timed(lambda: model.transform(test))
    return codes, encoded, fit, encode


def gensim_vectors(split, seed):
    from gensim.models import Word2Vec
    model, cpu = timed(lambda: Word2Vec(split.sentences[0], vector_size=DIM, sg=1, min_count=1, workers=1, seed=seed,
                                        **SKIPGRAM))
    return np.stack([model.wv[word] for word in split.vocabulary]), cpu


def firth_vectors(firth, split, seed):
    with tempfile.TemporaryDirectory(dir=split.folder) as scratch:
        text, run = os.path.join(scratch, "text"), os.path.join(scratch, "run")
        with open(text, "w", encoding="utf-8") as file:
            file.writelines(" ".join(words) + "\n" for words in split.sentences[0])
        settings = [part for name, value in SKIPGRAM.items() for part in ("--" + name, str(value))]
        _, cpu = call([firth, "train", "skipgram", text, "-o", run, "--tokenizer", "whitespace", "--min-count", "1",
                       "--dim", str(DIM), *settings, "--seed", str(seed), "--threads", "1", "--json", "--quiet"])
        keys, vectors = read_vectors(os.path.join(run, "words.safetensors"))
    rows = dict(zip(keys, vectors))
    return np.stack([rows[word] for word in split.vocabulary]), cpu


def stored(split, seed, tool, make):
    """Word vectors and their CPU seconds, which two rows share; kept beside the set."""
    path = split.folder / f"vectors-{tool}-{seed}-{fingerprint(SKIPGRAM, DIM, len(split.vocabulary))}.npz"
    if not path.exists():
        vectors, cpu = make(split, seed)
        np.savez(path, vectors=vectors, cpu=cpu)
    kept = np.load(path)
    return kept["vectors"], float(kept["cpu"])


def means(counts, weights, vectors):
    """Weighted means of the documents' word vectors."""
    weighed = (counts @ sparse.diags(weights.astype(np.float32))).tocsr()
    return normalize(weighed, norm="l1") @ vectors


def without_common(codes, encoded, number, fade):
    """Takes off the first principal directions of the training codes, each by its share of them if they fade."""
    _, strengths, directions = np.linalg.svd(codes[:5000], full_matrices=False)
    strengths, directions = strengths[:number] ** 2, directions[:number]
    shares = strengths / strengths.sum() if fade else np.ones(number)
    return [rows - (rows @ directions.T * shares) @ directions for rows in (codes, encoded)]


def mean_of_words(vectors, split, seed):
    """Each token counts the same."""
    vectors, cpu = vectors(split, seed)
    (codes, encoded), fit = timed(lambda: [means(counts, np.ones(len(split.vocabulary)), vectors) for counts in split.counts])
    return codes, encoded, cpu + fit, 0


def sif(vectors, split, seed):
    """Arora, Liang and Ma, 2017."""
    vectors, cpu = vectors(split, seed)
    weights = SIF_WEIGHT / (SIF_WEIGHT + word_shares(split))
    (codes, encoded), fit = timed(lambda: without_common(
        *(means(counts, weights, vectors) for counts in split.counts), number=1, fade=False))
    return codes, encoded, cpu + fit, 0


def usif(vectors, split, seed):
    """Ethayarajh, 2018; common are words above the mean share: above that of a long document there may be none."""
    vectors, cpu = vectors(split, seed)
    shares, words = word_shares(split), len(split.vocabulary)
    common = np.mean(shares > 1 / words)
    weight = (1 - common) / (common * words / 2)
    vectors = normalize(vectors, axis=0)
    (codes, encoded), fit = timed(lambda: without_common(
        *(means(counts, weight / (weight / 2 + shares), vectors) for counts in split.counts), number=5, fade=True))
    return codes, encoded, cpu + fit, 0


def word_shares(split):
    """Each word's share of all training tokens."""
    totals = np.asarray(split.counts[0].sum(axis=0)).ravel()
    return totals / totals.sum()


def paragraphs(memory, split, seed):
    """Le and Mikolov, 2014; `memory` is gensim's dm."""
    from gensim.models.doc2vec import Doc2Vec, TaggedDocument
    train, test = split.sentences
    documents = [TaggedDocument(words, [number]) for number, words in enumerate(train)]
    model, fit = timed(lambda: Doc2Vec(documents, vector_size=DIM, dm=memory, min_count=1, workers=1, seed=seed, **PARAGRAPHS))
    model.random.seed(seed - 1)
    encoded, encode = timed(lambda: np.array([model.infer_vector(words, epochs=PARAGRAPHS["epochs"]) for words in test]))
    return np.array(model.dv.vectors), encoded, fit, encode


def methods(options):
    """The rows of other methods: name in --rows, name in the table, call, what it depends on."""
    gensim = lambda split, seed: stored(split, seed, "gensim", gensim_vectors)
    firth = lambda split, seed: stored(split, seed, "firth", functools.partial(firth_vectors, options.firth))
    return {
        "tf-idf": ("tf-idf", raw, []),
        **{f"lsa-{dim}": (f"LSA {dim}", functools.partial(lsa, dim), [dim]) for dim in (20, 100, 200)},
        "sif": ("SIF, gensim skip-gram", functools.partial(sif, gensim), [DIM, SKIPGRAM, SIF_WEIGHT]),
        "usif": ("uSIF, gensim skip-gram", functools.partial(usif, gensim), [DIM, SKIPGRAM]),
        "firth-sif": ("SIF, Firth skip-gram", functools.partial(sif, firth), [DIM, SKIPGRAM, SIF_WEIGHT]),
        "firth-usif": ("uSIF, Firth skip-gram", functools.partial(usif, firth), [DIM, SKIPGRAM]),
        "mean": ("mean, gensim skip-gram", functools.partial(mean_of_words, gensim), [DIM, SKIPGRAM]),
        "pv-dbow": ("PV-DBOW, gensim", functools.partial(paragraphs, 0), [DIM, PARAGRAPHS]),
        "pv-dm": ("PV-DM, gensim", functools.partial(paragraphs, 1), [DIM, PARAGRAPHS]),
    }


def fingerprint(*values):
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:12]


def reference(options, protocol, split, row, seed):
    """The result of another method, from the cache if it is there."""
    _, work, depends = methods(options)[row]
    sizes = [len(split.train.labels), len(split.test.labels), MIN_DOCUMENTS, MAX_SHARE, MAX_WORDS]
    path = split.folder / f"{row}-{seed}-{fingerprint(depends, sizes, dataclasses.astuple(protocol))}.json"
    if not path.exists():
        train, test, fit, encode = work(split, seed)
        scores = score(protocol, train, test, split.train.labels, split.test.labels)
        path.write_text(json.dumps({"scores": scores, "fit": fit, "encode": encode, "memory": None}))
    return json.loads(path.read_text())


# ---- Firth

def call(command):
    """Runs a command; what it printed and its CPU seconds."""
    used = lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    before = used()
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{shlex.join(map(str, command))}\nended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout, used() - before


def read_vectors(path):
    """Keys and vectors of Firth's own file, a safetensors file."""
    data = pathlib.Path(path).read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    def tensor(name, kind):
        begin, end = header[name]["data_offsets"]
        return np.frombuffer(data[start + begin:start + end], kind).reshape(header[name]["shape"])
    text, ends = tensor("keys", "u1").tobytes(), tensor("key_ends", "<u8").tolist()
    keys = [text[begin:end].decode() for begin, end in zip([0, *ends], ends)]
    return keys, tensor("vectors", "<f4")


def train_codes(run, documents):
    """The codes of all training documents in their order; keys are their numbers from 1. Zero if one has no code."""
    keys, vectors = read_vectors(os.path.join(run, "documents.safetensors"))
    codes = np.zeros((documents, vectors.shape[1]), np.float32)
    codes[[int(key) - 1 for key in keys]] = vectors
    return codes


def firth(options, protocol, split, flags, seed):
    """Trains, encodes the test documents and scores both. The flags may begin with a task, or with a way to pool."""
    form = ["--format", "tsv", "--text-field", "2", "--label-field", "1", "--threads", "1", "--quiet"]
    flags = shlex.split(flags)
    task = flags.pop(0) if flags and not flags[0].startswith("-") else "autoencoder"
    seeds = ["--seed", str(seed)]
    with tempfile.TemporaryDirectory(dir=split.folder) as scratch:
        run, words, encoded = (os.path.join(scratch, name) for name in ("run", "words", "test.npy"))
        if task in POOLS:
            settings = [part for name, value in SKIPGRAM.items() for part in ("--" + name, str(value))]
            report, fit = call([options.firth, "train", "skipgram", split.train.path, "-o", words, *form, *seeds, "--json",
                                "--dim", str(DIM), "--min-count", str(MIN_DOCUMENTS), *settings, *flags])
            _, pooled = call([options.firth, "embed", words, split.train.path, "-o", run, "--pool", task, *form])
            fit += pooled
        else:
            report, fit = call([options.firth, "train", task, split.train.path, "-o", run, *form, *seeds, "--json", *flags])
        _, encode = call([options.firth, "embed", run, split.test.path, "-o", encoded, *form])
        report, train, test = json.loads(report), train_codes(run, len(split.train.labels)), np.load(encoded)
    if len(test) != len(split.test.labels):
        raise RuntimeError(f"{len(test)} codes for {len(split.test.labels)} test documents of {split.name}")
    scores = score(protocol, train, test, split.train.labels, split.test.labels)
    return {"scores": scores, "fit": fit, "encode": encode, "memory": report["peak_rss_bytes"] / 2**20,
            "train_seconds": report.get("train_seconds")}


# ---- tables

def measured(options, protocol, split):
    """The rows of a set's table as they are finished: name and results, one a seed."""
    for row in options.rows.split(","):
        if row == "firth":
            for name, _, flags in (text.partition("=") for text in options.firth_row):
                flags = f"{flags} {options.flags}"
                try:
                    yield name, [firth(options, protocol, split, flags, seed) for seed in options.seeds]
                except RuntimeError as error:
                    print(f"{split.name}, {name}: {error}", file=sys.stderr, flush=True)
        else:
            name = methods(options)[row][0]
            yield name, [reference(options, protocol, split, row, seed) for seed in options.reference_seeds]


def spread(values, form):
    """The mean and, of several values, the range."""
    show = lambda value: (form % value).replace("0.", ".", 1) if abs(value) < 1 else form % value
    middle = show(statistics.fmean(values))
    return middle if len(values) == 1 else f"{middle} [{show(min(values))}, {show(max(values))}]"


def cells(results, names):
    yield from (spread([result["scores"][name] for result in results], "%.3f") for name in names)
    costs = [[result[cost] for result in results] for cost in ("fit", "encode")]
    yield " + ".join("%.1f" % statistics.fmean(cost) for cost in costs if max(cost) >= 0.05) or "0.0"
    yield "–" if results[0]["memory"] is None else "%.0f" % statistics.fmean(result["memory"] for result in results)


def line(*cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def head(*names):
    line(*names)
    print("|" + "---|" * len(names), flush=True)


def describe(split):
    return (f"{len(split.train.labels)} / {len(split.test.labels)} documents, {len(set(split.train.labels))} classes")


def test(options, protocol):
    """A table for each set."""
    results = []
    for name in options.sets.split(","):
        split = prepare(options, name)
        print(f"\n**{name}** ({describe(split)})\n")
        head("", *SCORES.values(), "CPU s", "peak MiB")
        for row, runs in measured(options, protocol, split):
            line(row, *cells(runs, SCORES))
            results.append({"set": name, "row": row, "runs": runs})
    return results


def validate(options, protocol):
    """One table: every set, then the means over the sets that every row has."""
    names = [name for name in SCORES if protocol.probe or name != "probe"]
    results = []
    head("set", "row", *(SCORES[name] for name in names), "CPU s", "peak MiB")
    for name in options.sets.split(","):
        split = prepare(options, name)
        for row, runs in measured(options, protocol, split):
            line(name, row, *cells(runs, names))
            results.append({"set": name, "row": row, "runs": runs})
    for row in dict.fromkeys(result["row"] for result in results):
        runs = [result["runs"] for result in results if result["row"] == row]
        line(f"**mean of {len(runs)}**", row, *cells([mean(of_seed) for of_seed in zip(*runs)], names))
    return results


def mean(runs):
    """The mean over sets of one seed's results."""
    average = lambda values: statistics.fmean(values)
    return {"scores": {name: average(run["scores"][name] for run in runs) for name in runs[0]["scores"]},
            **{cost: average(run[cost] for run in runs) for cost in ("fit", "encode", "memory")}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    whole_numbers = lambda text: [int(part) for part in text.split(",")]
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder with docs/")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="for unpacked sets and results to keep")
    parser.add_argument("--firth", default="target/release/firth")
    parser.add_argument("--firth-row", action="append", metavar="NAME[=FLAGS]", 
                        help="a row of Firth with flags of its own, which may begin with a task (autoencoder, pv-dbow, "
                             "pv-dm) or a way to pool (mean, max, idf, sif, usif); default: a row of each usual one")
    parser.add_argument("--flags", default="", help="for all rows of Firth")
    parser.add_argument("--sets", default=USUAL, help="of " + ",".join(SETS))
    parser.add_argument("--rows", help="of firth, tf-idf, lsa-20, lsa-100, lsa-200, sif, usif, firth-sif, firth-usif, "
                                       "mean, pv-dbow, pv-dm; default: all but firth-sif and firth-usif")
    parser.add_argument("--seeds", type=whole_numbers, help="of Firth; default 1,2,3, with --validate 1")
    parser.add_argument("--reference-seeds", type=whole_numbers, default=[1], help="of the other rows")
    parser.add_argument("--validate", action="store_true", help="on splits of the training parts, Firth alone")
    parser.add_argument("--probe", action="store_true", help="with --validate: the probe too")
    parser.add_argument("--json", type=pathlib.Path, help="where to write all results")
    options = parser.parse_args()
    options.firth_row = options.firth_row or (["Firth"] if options.validate else FIRTH_ROWS)
    options.seeds = options.seeds or ([1] if options.validate else [1, 2, 3])
    options.rows = options.rows or ("firth" if options.validate else
                                    "firth,tf-idf,lsa-20,lsa-100,lsa-200,mean,sif,usif,pv-dbow,pv-dm")
    protocol = Protocol((0, 1), 2, 1000, options.probe) if options.validate else Protocol()
    results = (validate if options.validate else test)(options, protocol)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
