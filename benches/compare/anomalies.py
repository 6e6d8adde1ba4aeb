#!/usr/bin/env python3
"""Anomalies: `firth anomaly` beside simple scores, on the same documents.

    cargo build --release
    python3 -m pip install numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
    python3 benches/compare/anomalies.py --data ../shared/data --work /tmp/anomalies --json anomalies.json
    python3 benches/compare/anomalies.py --data ../shared/data --work /tmp/anomalies --sets bgl,sms \\
        --firth-row "Firth" --firth-row "Firth, code 50=--code 50" --set-flags "bgl=--epochs 40"

Only normal documents train. Sets: `sms` trains on 60 % of the ham, spam is anomalous; `bgl` on half of the lines of a log
without alerts, lines with one are anomalous; `comp`, `rec` and `talk.politics` on the documents of those groups in
20 Newsgroups' training file, and of the test file's documents those of other groups are anomalous (documents of more
than 60 characters). Columns: area under the ROC curve and average precision, of every number that `firth anomaly` gives
for a document; CPU seconds of fitting and scoring on one thread.

The other rows see words, digits and punctuation marks; words in fewer than two training documents (news: three) are one
word, `unseen`. LSA has 100 dimensions of tf-idf.
"""
import documents  # first: it sets the number of threads before numpy is loaded

import argparse
import dataclasses
import functools
import json
import os
import pathlib
import re
import shlex
import statistics
import sys
import tempfile

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

GROUPS = ["comp", "rec", "talk.politics"]
SETS = ["sms", "bgl", *GROUPS]
TOKEN = re.compile(r"[a-z']+|\d|[^\sa-z\d]")
UNSEEN = "<unseen>"
NORMAL, ANOMALY = "normal", "anomaly"


@dataclasses.dataclass
class Split:
    """Normal rows to train on; normal and anomalous ones to test on, as files and as counts of words."""
    name: str
    train: documents.Part
    test: documents.Part

    @property
    def anomalous(self):
        return self.test.labels == ANOMALY

    @functools.cached_property
    def counts(self):
        """Counts of training and test rows; the last column is that of unseen words."""
        train, test = ([TOKEN.findall(text.lower()) for text in part.texts] for part in (self.train, self.test))
        vocabulary = documents.known_words(train, 3 if self.name in GROUPS else 2, 1, 20_000)
        vocabulary[UNSEEN] = len(vocabulary)
        replace = lambda rows: [[word if word in vocabulary else UNSEEN for word in tokens] for tokens in rows]
        return [documents.count(replace(rows), vocabulary) for rows in (train, test)]

    @functools.cached_property
    def lsa(self):
        """Tf-idf and codes of test rows, codes of training rows."""
        train, test = documents.tf_idf(*self.counts)
        model = TruncatedSVD(min(100, min(train.shape) - 1), random_state=0).fit(train)
        return test, model.transform(test), model.transform(train)


def parts(data, name):
    """Texts that train, normal texts that test, anomalous ones that test."""
    if name in GROUPS:
        train, test = ([row for row in documents.unpack(data / "docs" / f"20ng-{part}-clean.tsv.xz") if len(row[1]) > 60]
                       for part in ("train", "test"))
        return [[text for label, text in rows if label.startswith(name) == inside]
                for rows, inside in ((train, True), (test, True), (test, False))]
    file, label, share = {"sms": ("sms_spam", "ham", 0.6), "bgl": ("loghub/BGL_2k", "normal", 0.5)}[name]
    rows = documents.unpack(data / "anomaly" / f"{file}.tsv.xz")
    rows = [rows[row] for row in np.random.RandomState(0).permutation(len(rows))]
    normal = [text for found, text in rows if found == label]
    edge = int(share * len(normal))
    return normal[:edge], normal[edge:], [text for found, text in rows if found != label]


def prepare(options, name):
    folder = options.work / name
    paths = folder / "train.tsv", folder / "test.tsv"
    if not all(path.exists() for path in paths):
        folder.mkdir(parents=True, exist_ok=True)
        train, normal, anomalous = parts(options.data, name)
        documents.write_rows(paths[0], [(NORMAL, text) for text in train])
        documents.write_rows(paths[1], [(NORMAL, text) for text in normal] + [(ANOMALY, text) for text in anomalous])
    return Split(name, *map(documents.Part.read, paths))


# ---- simple scores of the test rows; the higher, the stranger

def length(split):
    return np.asarray(split.counts[1].sum(axis=1)).ravel()


def unseen_share(split):
    return split.counts[1][:, [-1]].toarray().ravel() / np.maximum(1, length(split))


def lsa_residual(split):
    weights, codes, _ = split.lsa
    return np.asarray(weights.multiply(weights).sum(axis=1)).ravel() - (codes * codes).sum(axis=1)


def isolation_forest(split):
    _, codes, train = split.lsa
    return -IsolationForest(n_estimators=200, random_state=0).fit(train).score_samples(codes)


def neighbours(split):
    _, codes, train = split.lsa
    return NearestNeighbors(n_neighbors=5).fit(normalize(train)).kneighbors(normalize(codes))[0].mean(axis=1)


SIMPLE = {"length": length, "share of unseen words": unseen_share, "LSA residual": lsa_residual,
          "isolation forest on LSA": isolation_forest, "distance to 5 nearest on LSA": neighbours}


# ---- Firth

def scored(output, number):
    """What `firth anomaly` gives for every document, by name of the number; in the documents' order."""
    report = json.loads(output)
    rows = report["documents"] if isinstance(report, dict) else report
    is_number = lambda value: isinstance(value, (int, float)) and not isinstance(value, bool)
    scores = {}
    for row in rows:
        for name, value in row.items():
            if name != "id" and is_number(value):
                scores.setdefault(name, np.full(number, np.nan))[int(row["id"]) - 1] = value
    missing = np.isnan(scores["score"])
    if missing.any():
        print(f"{missing.sum()} documents have no score: the least strange", file=sys.stderr)
    own = {name: report[name] for name in ("auc", "average_precision") if isinstance(report, dict) and name in report}
    return {name: np.nan_to_num(values, nan=np.nanmin(values)) for name, values in scores.items()}, own


def firth(options, split, flags, seed):
    """Scores of the test rows by name, what Firth says of them itself, CPU seconds."""
    form = ["--format", "tsv", "--text-field", "2", "--label-field", "1", "--threads", "1", "--json", "--quiet"]
    with tempfile.TemporaryDirectory(dir=options.work) as scratch:
        run = os.path.join(scratch, "run")
        _, fit = documents.call([options.firth, "train", "autoencoder", split.train.path, "-o", run, *form, "--seed",
                                 str(seed), *shlex.split(flags)])
        output, use = documents.call([options.firth, "anomaly", run, split.test.path, *form,
                                      *shlex.split(options.anomaly_flags)])
    return *scored(output, len(split.test.labels)), fit + use


def firth_rows(options, split):
    """One row for each number that Firth gives: its name, its scores a seed, CPU seconds."""
    for name, _, flags in (text.partition("=") for text in options.firth_row):
        flags = f"{options.flags} {options.set_flags.get(split.name, '')} {flags}"
        try:
            runs = [firth(options, split, flags, seed) for seed in options.seeds]
        except RuntimeError as error:
            print(f"{split.name}, {name}: {error}", file=sys.stderr, flush=True)
            continue
        print(f"{split.name}, {name}: Firth says {[own for _, own, _ in runs]}", file=sys.stderr)
        for number in runs[0][0]:
            label = name if number == "score" else f"{name}: {number}"
            yield label, [scores[number] for scores, _, _ in runs], statistics.fmean(cpu for _, _, cpu in runs)


def rows(options, split):
    if not options.without_firth:
        yield from firth_rows(options, split)
    for name, simple in SIMPLE.items():
        vars(split).pop("lsa", None)  # each pays for what it needs
        scores, cpu = documents.timed(lambda: simple(split))
        yield name, [scores], cpu


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder with docs/ and anomaly/")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="for unpacked sets")
    parser.add_argument("--firth", default="target/release/firth")
    parser.add_argument("--firth-row", action="append", metavar="NAME[=FLAGS]", help="a row of Firth, flags of its training")
    parser.add_argument("--flags", default="", help="of training, for all rows of Firth")
    parser.add_argument("--set-flags", action="append", default=[], metavar="SET=FLAGS", help="of training, for one set")
    parser.add_argument("--anomaly-flags", default="", help="of firth anomaly")
    parser.add_argument("--without-firth", action="store_true", help="the simple scores alone")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", type=lambda text: [int(part) for part in text.split(",")], default=[1, 2, 3])
    parser.add_argument("--json", type=pathlib.Path, help="where to write all results")
    options = parser.parse_args()
    options.firth_row = options.firth_row or ["Firth"]
    options.set_flags = dict(text.split("=", 1) for text in options.set_flags)
    results = []
    for name in options.sets.split(","):
        split = prepare(options, name)
        split.counts  # before the clock starts
        print(f"\n**{name}** ({len(split.train.labels)} normal to train on; {len(split.test.labels)} to test on, "
              f"{split.anomalous.sum()} anomalous)\n")
        documents.head("", "AUC", "AP", "CPU s")
        for row, of_seeds, cpu in rows(options, split):
            measured = {measure: [float(score(split.anomalous, scores)) for scores in of_seeds] for measure, score in
                        (("auc", roc_auc_score), ("average_precision", average_precision_score))}
            documents.line(row, *(documents.spread(values, "%.3f") for values in measured.values()), "%.1f" % cpu)
            results.append({"set": name, "row": row, "cpu": cpu, **measured})
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
