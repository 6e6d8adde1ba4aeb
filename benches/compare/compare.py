#!/usr/bin/env python3
"""Trains Firth, gensim and fastText on the same file with the same settings, in turn, and writes one table.

    cargo build --release
    python3 -m pip install gensim==4.4.0 fasttext-wheel==0.9.2
    python3 benches/compare/compare.py --text text8.txt --data ../shared/data --tasks skipgram --dims 300 --threads 1

The text is tokenised already (one document a line, words between spaces). Every tool sees window 5, negative 5, sample
1e-4, min-count 5 and the rate given by --lr (or its own default, which the table states). Each run is a process of its
own. Columns: millions of corpus words (after min-count, times epochs) per CPU second of training; wall seconds of
training; peak memory of the process; scores by `firth eval`, the same evaluator for all. With --rounds each run is
repeated and the median is shown, with the range in brackets. Without --data there are no scores.
"""
import argparse
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


def gensim(job):
    """Runs in a process of its own; gensim's fastest input, a file that its C code reads."""
    from gensim.models import Word2Vec
    model = Word2Vec(vector_size=job["dim"], window=WINDOW, negative=NEGATIVE, sample=SAMPLE, min_count=MIN_COUNT,
                     sg=int(job["task"] == "skipgram"), workers=job["threads"], seed=job["seed"],
                     alpha=job["lr"] or 0.025)
    model.build_vocab(corpus_file=job["text"])
    wall, cpu = time.perf_counter(), time.process_time()
    model.train(corpus_file=job["text"], total_words=model.corpus_total_words, total_examples=model.corpus_count,
                epochs=job["epochs"])
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    tokens = sum(model.wv.get_vecattr(word, "count") for word in model.wv.index_to_key)
    model.wv.save_word2vec_format(job["vectors"], binary=True)
    return {"tokens": int(tokens), "wall": wall, "cpu": cpu, "lr": job["lr"] or 0.025}


def fasttext(job):
    """Runs in a process of its own; without subwords. It counts words inside the same call, which costs a second or two."""
    import fasttext as ft
    lr = job["lr"] or 0.05
    wall, cpu = time.perf_counter(), time.process_time()
    model = ft.train_unsupervised(job["text"], model=job["task"], dim=job["dim"], ws=WINDOW, neg=NEGATIVE, t=SAMPLE,
                                  minCount=MIN_COUNT, epoch=job["epochs"], lr=lr, thread=job["threads"], minn=0,
                                  maxn=0, bucket=0, verbose=0)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    words, counts = model.get_words(include_freq=True)
    with open(job["vectors"], "wb") as out:
        matrix = model.get_input_matrix()
        out.write(f"{len(words)} {job['dim']}\n".encode())
        for word, row in zip(words, matrix):
            out.write(word.encode() + b" " + row.astype("<f4").tobytes() + b"\n")
    return {"tokens": int(sum(counts)), "wall": wall, "cpu": cpu, "lr": lr}


def firth(job):
    """Trains on the corpus encoded beforehand, as the others train on words counted beforehand."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [job["firth"], "train", job["task"], job["corpus"], "-o", job["vectors"], "--dim", str(job["dim"]),
               "--window", str(WINDOW), "--negative", str(NEGATIVE), "--sample", str(SAMPLE), "--epochs",
               str(job["epochs"]), "--threads", str(job["threads"]), "--seed", str(job["seed"]), "--json", "--quiet",
               "--force"]
    command += ["--lr", str(job["lr"])] if job["lr"] else []
    command += ["--kernel", job["kernel"]] if job["kernel"] != "auto" else []
    report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Opening the corpus and writing the vectors, on one thread, are not training: the others' figures leave them out too.
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    cpu -= report["wall_seconds"] - report["train_seconds"]
    return {"tokens": report["tokens"], "wall": report["train_seconds"], "cpu": cpu, "lr": report["lr"],
            "loss": report["loss"], "rss": report["peak_rss_bytes"] / 2**20}


def run(tool, job):
    """One run in a process of its own, so that peak memory and CPU time are its own."""
    text = subprocess.run([sys.executable, __file__, "--job", json.dumps({**job, "tool": tool})], check=True,
                          stdout=subprocess.PIPE).stdout
    return json.loads(text)


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
    parser.add_argument("--lr", type=float, help="the same for all; default: each tool's own")
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
        heads = ["tool", "task", "dim", "threads", "lr", "M words/CPU s", "wall s", "peak MiB"]
        heads += ["analogies", *(name for name, _ in SETS)] if options.data else []
        print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads), flush=True)
        for task in options.tasks.split(","):
            for dim in map(int, options.dims.split(",")):
                for threads in map(int, options.threads.split(",")):
                    rows = {tool: [] for tool in options.tools.split(",")}
                    for seed in range(1, options.rounds + 1):
                        for tool, results in rows.items():
                            job = {"text": options.text, "corpus": corpus, "firth": options.firth, "task": task,
                                   "dim": dim, "threads": threads, "lr": options.lr, "epochs": options.epochs,
                                   "seed": seed, "kernel": options.kernel,
                                   "vectors": os.path.join(folder, tool + ".bin")}
                            result = run(tool, job)
                            result["scores"] = score(options, job["vectors"]) if options.data else []
                            results.append(result)
                    for tool, results in rows.items():
                        speed = [r["tokens"] * options.epochs / r["cpu"] / 1e6 for r in results]
                        cells = [tool, task, dim, threads, f"{results[0]['lr']:g}", spread(speed, 3),
                                 spread([r["wall"] for r in results], 1), spread([r["rss"] for r in results], 0)]
                        cells += [spread(list(scores), 1) for scores in zip(*(r["scores"] for r in results))]
                        print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
