#!/usr/bin/env python3
"""Trains Firth, gensim, fastText and word2vec.c with its descendants on the same file with the same settings, in turn,
and writes one table.

    cargo build --release
    python3 -m pip install gensim==4.4.0 fasttext-wheel==0.9.2
    python3 benches/compare/compare.py --text c17.txt --data ../shared/data --rounds 3 \\
        --word2vec path/to/word2vec --pword2vec path/to/pWord2Vec --pword2vec pSGNScc=path/to/pSGNScc \\
        --lr firth.skipgram=0.04,firth.cbow=0.15,gensim=0.025,pWord2Vec=0.05

The text is tokenised already (one document a line, words between spaces). Every tool sees window 5, negative 5, sample
1e-4 and min-count 5; the table states its rate, which is its own default unless --lr has one for it. Each run is a process
of its own, without OPENBLAS_* but for one BLAS thread a worker. --word2vec and --pword2vec take the path of a program, or
its name in the table and its path; the latter ones have no CBOW. --strategy is Firth's and gives a row for each.

Columns: millions of corpus words (after min-count, times epochs) per CPU second of training; wall seconds of training; peak
memory of the process; scores by `firth eval`, the same evaluator for all (none without --data); the speed as a multiple of
gensim's at the same task, dimension and threads. With --rounds each run is repeated with seeds 1, 2, ... and the median is
shown, with the range in brackets.

What training is: Firth and gensim say when it begins and ends, with the text encoded or counted before. For the others it
is the whole process less the same process with a sample of 1e-30, which counts or loads, makes its tables, reads the text
once and saves, but has no words left to train on. Where reading is part of each epoch (fastText, word2vec.c) that leaves
one reading out, some 1 to 3 % of a single epoch, to their advantage. The difference needs a text of some size: below 50 MB
what it costs to start (0.5 s, give or take 0.3) hides it.

word2vec.c and its descendants are given the counts (-read-vocab) and a copy of the text. They have no seed: for each round
the copy begins at another document. It ends with its first 2 % once more, because a thread of word2vec.c that meets the end
of the file, as the only thread always does, skips all later epochs; so its count of words runs out first.
"""
import argparse
import collections
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

WINDOW, NEGATIVE, SAMPLE, MIN_COUNT = 5, 5, 1e-4, 5
SETS = [("WS-353", "EN-WS-353-ALL.txt"), ("SimLex", "EN-SIMLEX-999.txt"), ("MEN", "EN-MEN-TR-3k.txt"),
        ("RW", "EN-RW-STANFORD.txt")]
NO_SAMPLE = 1e-30


def cost(work):
    """Wall and CPU seconds of a call, with those of the processes that it ran, and what it returned."""
    usage = lambda: sum(use.ru_utime + use.ru_stime for use in
                        map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
    wall, cpu = time.perf_counter(), usage()
    result = work()
    return time.perf_counter() - wall, usage() - cpu, result


def gensim(job):
    """Runs in a process of its own; gensim's fastest input, a file that its C code reads."""
    from gensim.models import Word2Vec
    model = Word2Vec(vector_size=job["dim"], window=WINDOW, negative=NEGATIVE, sample=SAMPLE, min_count=MIN_COUNT,
                     sg=int(job["task"] == "skipgram"), workers=job["threads"], seed=job["seed"],
                     alpha=job["lr"] or 0.025)
    model.build_vocab(corpus_file=job["text"])
    wall, cpu, _ = cost(lambda: model.train(corpus_file=job["text"], total_words=model.corpus_total_words,
                                            total_examples=model.corpus_count, epochs=job["epochs"]))
    model.wv.save_word2vec_format(job["vectors"], binary=True)
    return {"wall": wall, "cpu": cpu, "lr": job["lr"] or 0.025}


def fasttext(job):
    """Runs in a process of its own; without subwords."""
    import fasttext as ft
    lr = job["lr"] or 0.05
    ft.FastText.unsupervised_default["seed"] = job["seed"]  # the call itself does not take one
    train = lambda sample, epochs: ft.train_unsupervised(
        job["text"], model=job["task"], dim=job["dim"], ws=WINDOW, neg=NEGATIVE, t=sample, minCount=MIN_COUNT,
        epoch=epochs, lr=lr, thread=job["threads"], minn=0, maxn=0, bucket=0, verbose=0)
    rest_wall, rest_cpu = cost(lambda: train(NO_SAMPLE, 1))[:2]
    wall, cpu, model = cost(lambda: train(SAMPLE, job["epochs"]))
    words = model.get_words()
    with open(job["vectors"], "wb") as out:
        matrix = model.get_input_matrix()
        out.write(f"{len(words)} {job['dim']}\n".encode())
        for word, row in zip(words, matrix):
            out.write(word.encode() + b" " + row.astype("<f4").tobytes() + b"\n")
    return {"wall": wall - rest_wall, "cpu": cpu - rest_cpu, "lr": lr}


def word2vec(job):
    """word2vec.c and its descendants; those without CBOW overlook -cbow and -hs."""
    lr = job["lr"] or (0.025 if job["task"] == "skipgram" else 0.05)
    folder, vectors = os.path.split(job["vectors"])  # short names: theirs may have 99 characters
    settings = {"train": job["copy"], "read-vocab": job["vocab"], "output": vectors, "size": job["dim"],
                "window": WINDOW, "negative": NEGATIVE, "hs": 0, "cbow": int(job["task"] == "cbow"), "alpha": lr,
                "threads": job["threads"], "min-count": MIN_COUNT, "binary": 1, "debug": 0}
    command = [job["program"], *(str(word) for name, value in settings.items() for word in ("-" + name, value))]
    train = lambda sample, epochs: subprocess.run([*command, "-sample", str(sample), "-iter", str(epochs)], cwd=folder,
                                                  check=True, stdout=subprocess.DEVNULL)
    rest_wall, rest_cpu = cost(lambda: train(NO_SAMPLE, 1))[:2]
    wall, cpu, _ = cost(lambda: train(SAMPLE, job["epochs"]))
    return {"wall": wall - rest_wall, "cpu": cpu - rest_cpu, "lr": lr,
            "rss": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024}


def firth(job):
    """Trains on the corpus encoded beforehand, as the others train on words counted beforehand."""
    command = [job["firth"], "train", job["task"], job["corpus"], "-o", job["vectors"], "--dim", str(job["dim"]),
               "--window", str(WINDOW), "--negative", str(NEGATIVE), "--sample", str(SAMPLE), "--epochs",
               str(job["epochs"]), "--threads", str(job["threads"]), "--seed", str(job["seed"]), "--json", "--quiet",
               "--force"]
    command += ["--lr", str(job["lr"])] if job["lr"] else []
    command += ["--kernel", job["kernel"]] if job["kernel"] != "auto" else []
    command += ["--strategy", job["strategy"]] if job["strategy"] != "auto" else []
    _, cpu, done = cost(lambda: subprocess.run(command, check=True, stdout=subprocess.PIPE))
    report = json.loads(done.stdout)
    # Opening the corpus and writing the vectors, on one thread, are not training: the others' figures leave them out too.
    cpu -= report["wall_seconds"] - report["train_seconds"]
    return {"wall": report["train_seconds"], "cpu": cpu, "lr": report["lr"], "rss": report["peak_rss_bytes"] / 2**20}


def run(job):
    """One run in a process of its own, so that peak memory and CPU time are its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    text = subprocess.run([sys.executable, __file__, "--job", json.dumps(job)], check=True, stdout=subprocess.PIPE,
                          env={**clean, "OPENBLAS_NUM_THREADS": "1"}).stdout
    return json.loads(text)


def count(text, path):
    """Writes word2vec.c's list of words, whose first is the end of a line; returns their number without that."""
    counts = collections.Counter()
    lines = 0
    with open(text, "rb") as source:
        for line in source:
            counts.update(line.split())
            lines += 1
    kept = [(word, number) for word, number in counts.most_common() if number >= MIN_COUNT]
    with open(path, "wb") as out:
        out.writelines(b"%s %d\n" % pair for pair in [(b"</s>", lines), *kept])
    return sum(number for _, number in kept)


def turn(text, path, seed):
    """Copies the text from a document on that the seed chooses, then up to it, and then 2 % more."""
    size = os.path.getsize(text)
    with open(text, "rb") as source, open(path, "wb") as out:
        source.seek(size * ((seed - 1) % 10) // 10)
        start = source.tell() and source.tell() + len(source.readline())
        for begin, end in ((start, size), (0, start), (start, start + max(size // 50, 2**16))):
            source.seek(begin)
            while begin < end and (piece := source.read(min(end - begin, 2**20))):
                out.write(piece)
                begin += len(piece)


def rate(rates, tool, task):
    """The rate that --lr has for a tool: its own for the task, its own, or that for all; 0 for the default."""
    rates = dict(part.rpartition("=")[::2] for part in rates.split(",")) if rates else {}
    return float(rates.get(f"{tool}.{task}") or rates.get(tool) or rates.get("") or 0)


def rows(options):
    """The table's rows for one task, dimension and number of threads: a tool, its name and what its job has besides."""
    for tool in filter(None, options.tools.split(",")):
        for strategy in options.strategy.split(",") if tool == "firth" else ["auto"]:
            yield {"tool": tool, "name": tool, "label": tool + (" " + strategy if strategy != "auto" else ""),
                   "strategy": strategy, "tasks": ("skipgram", "cbow")}
    for programs, tasks in ((options.word2vec, ("skipgram", "cbow")), (options.pword2vec, ("skipgram",))):
        for program in programs:
            name, _, path = program.rpartition("=")
            name = name or os.path.basename(path)
            yield {"tool": "word2vec", "name": name, "label": name, "program": os.path.abspath(path), "tasks": tasks}


def score(options, vectors):
    """Accuracy and correlations of a vector file."""
    folder = os.path.join(options.data, "wordeval")
    ask = lambda *words: json.loads(subprocess.run([options.firth, "eval", *words, "--json"], check=True,
                                                   stdout=subprocess.PIPE).stdout)
    analogy = ask("analogy", vectors, os.path.join(folder, "questions-words.txt"), "--restrict", "30000")
    pairs = ask("similarity", vectors, *(os.path.join(folder, name) for _, name in SETS))
    return [100 * analogy["accuracy"]] + [100 * pair["spearman"] for pair in pairs]


def spread(values, digits):
    middle = statistics.median(values)
    if len(values) == 1:
        return f"{middle:.{digits}f}"
    return f"{middle:.{digits}f} [{min(values):.{digits}f}, {max(values):.{digits}f}]"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--job", help=argparse.SUPPRESS)
    parser.add_argument("--text", help="tokenised text, one document a line")
    parser.add_argument("--data", help="folder with wordeval/ for the scores")
    parser.add_argument("--firth", default="target/release/firth")
    parser.add_argument("--tools", default="firth,gensim,fasttext")
    parser.add_argument("--tasks", default="skipgram,cbow")
    parser.add_argument("--dims", default="100,300")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--lr", help="one for all, or TOOL=RATE, TOOL.TASK=RATE, ...; default: each tool's own")
    parser.add_argument("--strategy", default="auto", help="Firth's: auto, serial, hogwild, averaged, or several")
    parser.add_argument("--word2vec", action="append", default=[], metavar="[NAME=]PATH")
    parser.add_argument("--pword2vec", action="append", default=[], metavar="[NAME=]PATH")
    parser.add_argument("--kernel", default="auto", help="Firth's kernel")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=1, help="repetitions, with seeds 1, 2, ...")
    options = parser.parse_args()
    if options.job:
        job = json.loads(options.job)
        result = globals()[job["tool"]](job)
        result.setdefault("rss", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        print(json.dumps(result))
        return
    with tempfile.TemporaryDirectory() as folder:
        corpus = os.path.join(folder, "corpus")
        subprocess.run([options.firth, "corpus", "build", options.text, "-o", corpus, "--tokenizer", "whitespace",
                        "--min-count", str(MIN_COUNT), "--quiet"], check=True, stdout=subprocess.DEVNULL)
        tokens = count(options.text, os.path.join(folder, "words"))
        for seed in range(1, options.rounds + 1) if options.word2vec or options.pword2vec else ():
            turn(options.text, os.path.join(folder, f"text{seed}"), seed)
        heads = ["tool", "task", "dim", "threads", "lr", "M words/CPU s", "wall s", "peak MiB"]
        heads += ["analogies", *(name for name, _ in SETS)] if options.data else []
        heads += ["x gensim"]
        print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads), flush=True)
        for task in options.tasks.split(","):
            for dim in map(int, options.dims.split(",")):
                for threads in map(int, options.threads.split(",")):
                    table = [(row, []) for row in rows(options) if task in row["tasks"]]
                    for seed in range(1, options.rounds + 1):
                        for row, results in table:
                            job = {**row, "text": options.text, "corpus": corpus, "vocab": "words", "copy": f"text{seed}",
                                   "firth": options.firth, "task": task, "dim": dim, "threads": threads,
                                   "lr": rate(options.lr, row["name"], task), "epochs": options.epochs, "seed": seed,
                                   "kernel": options.kernel,
                                   "vectors": os.path.join(folder, "vectors-" + row["label"].replace(" ", "-"))}
                            result = run(job)
                            result["speed"] = tokens * options.epochs / result["cpu"] / 1e6
                            result["scores"] = score(options, job["vectors"]) if options.data else []
                            results.append(result)
                    speeds = {row["label"]: statistics.median(r["speed"] for r in results) for row, results in table}
                    for row, results in table:
                        cells = [row["label"], task, dim, threads, f"{results[0]['lr']:g}",
                                 spread([r["speed"] for r in results], 3), spread([r["wall"] for r in results], 1),
                                 spread([r["rss"] for r in results], 0)]
                        cells += [spread(list(scores), 1) for scores in zip(*(r["scores"] for r in results))]
                        cells += [f"{speeds[row['label']] / speeds['gensim']:.2f}" if "gensim" in speeds else "–"]
                        print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
