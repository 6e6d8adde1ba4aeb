#!/usr/bin/env python3
"""Loads and saves the same vectors with Firth and gensim, in turn, and writes one table.

    cargo build --release
    python3 -m pip install gensim==4.4.0 numpy==2.4.6
    python3 benches/compare/formats.py --rows 1000000 --dim 300 --rounds 3 --folder /tmp/formats

Makes the vectors with NumPy: words of some eight letters, numbers with up to nine digits in text. Every load and save is a
process of its own with its file in the cache. Firth loads with `firth info FILE` and saves with `firth convert FILE.safetensors
OUT`; what `firth info` of a file of one row costs, and reading the native file, is taken off. gensim loads with
KeyedVectors.load_word2vec_format and saves with save_word2vec_format; what importing it costs, or making the vectors, is taken off.

Columns: megabytes of the file, then for each tool seconds by the clock, CPU seconds of all threads, and MB a CPU second; the
median of the rounds. On a busy machine only CPU seconds mean something.
"""
import argparse
import os
import resource
import statistics
import subprocess
import sys
import time

GENSIM = """
import sys
import numpy as np
from gensim.models import KeyedVectors
action, path, kind, numbers = sys.argv[1:]
if action == 'load':
    KeyedVectors.load_word2vec_format(path, binary=kind == 'bin')
else:
    vectors = np.load(numbers + '.npy')
    made = KeyedVectors(vectors.shape[1])
    made.add_vectors(open(numbers + '.vocab', encoding='utf-8').read().split('\\n')[:-1], vectors)
    if action == 'save':
        made.save_word2vec_format(path, binary=kind == 'bin')
"""


def run(command):
    """Seconds by the clock and of all processors."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic() - start, sum(getattr(after, n) - getattr(before, n) for n in ("ru_utime", "ru_stime"))


def make(folder, rows, dim):
    import numpy as np

    rng = np.random.default_rng(1)
    np.save(f"{folder}/v.npy", rng.uniform(-1, 1, (rows, dim)).astype(np.float32))
    with open(f"{folder}/v.vocab", "w", encoding="utf-8") as file:
        file.writelines(f"w{row:07x}\n" for row in range(rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", default="/tmp/formats", help="needs some 12 kB a row of 300 numbers; left empty")
    parser.add_argument("--firth", default="target/release/firth")
    parser.add_argument("--tools", default="firth,gensim")
    parser.add_argument("--formats", default="safetensors,bin,txt,npy,npz,parquet,csv,jsonl")
    options = parser.parse_args()
    folder, firth, tools = options.folder, options.firth, options.tools.split(",")
    os.makedirs(folder, exist_ok=True)
    make(folder, options.rows, options.dim)
    native = f"{folder}/v.safetensors"
    run([firth, "convert", f"{folder}/v.npy", native, "--force"])
    run([firth, "convert", native, f"{folder}/one.safetensors", "--top", 1, "--force"])
    gensim = [sys.executable, "-c", GENSIM]
    idle = {"firth": run([firth, "info", f"{folder}/one.safetensors"])}
    made = idle["firth"]
    if "gensim" in tools:
        idle["gensim"] = run([sys.executable, "-c", "from gensim.models import KeyedVectors"])
        made = run([*gensim, "make", "-", "-", f"{folder}/v"])
    print("format\tMB\ttool\tload s\tload CPU s\tload MB/CPU s\tsave s\tsave CPU s\tsave MB/CPU s")
    for kind in options.formats.split(","):
        path = f"{folder}/out.{kind}"
        found = {tool: ([], []) for tool in tools if tool == "firth" or kind in ("bin", "txt")}
        for _ in range(options.rounds):
            for tool, (loads, saves) in found.items():
                if tool == "firth":
                    saved, base = run([firth, "convert", native, path, "--force"]), idle["firth"]
                    loaded = run([firth, "info", path])
                else:
                    saved, base = run([*gensim, "save", path, kind, f"{folder}/v"]), made
                    loaded = run([*gensim, "load", path, kind, "-"])
                saves.append([taken - less for taken, less in zip(saved, base)])
                loads.append([taken - less for taken, less in zip(loaded, idle[tool])])
        megabytes = os.path.getsize(path) / 1e6
        for tool, times in found.items():
            cells = []
            for measured in times:
                wall, cpu = (max(statistics.median(column), 1e-3) for column in zip(*measured))
                cells += [f"{wall:.3f}", f"{cpu:.3f}", f"{megabytes / cpu:.0f}"]
            print("\t".join([kind, f"{megabytes:.0f}", tool, *cells]), flush=True)
        for name in (path, f"{folder}/out.vocab"):
            if os.path.exists(name):
                os.remove(name)
    for name in os.listdir(folder):
        if name.startswith(("v.", "one.")):
            os.remove(f"{folder}/{name}")


if __name__ == "__main__":
    main()
