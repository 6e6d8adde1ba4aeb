"""Makes the tables of this folder with the programs that people make such files with. Run it here:

    python3 -m venv venv && venv/bin/pip install numpy==2.4.6 pyarrow==26.0.1 polars==2.1.0 pandas==3.1.1 duckdb==2.0.1
    venv/bin/python make_tables.py

The files in the repository came from these versions. `tests/formats.rs` reads them and knows what they hold.
"""
import json

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

words = ["the", "naïve", "New York", "日本語", 'say "no", twice']
vectors = (np.arange(15, dtype=np.float32).reshape(5, 3) - 7) / np.float32(3)
vectors[0] = [1e-30, -0.0, 3.4028235e38]
counts = [5, 4, 3, 2, 1]

np.savez("numpy.npz", words=np.array(words), vectors=vectors, counts=np.array(counts, dtype=np.int32))
np.savez_compressed("numpy_packed.npz", words=np.array(words), vectors=vectors[1:2].repeat(5, axis=0).astype(np.float16))

fixed = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), 3)
lists = pa.array(vectors.tolist(), pa.list_(pa.float32()))
pq.write_table(pa.table({"word": words, "count": pa.array(counts, pa.int64()), "vector": fixed}), "pyarrow.parquet")
pq.write_table(pa.table({"id": pa.array(range(5), pa.int32()), "token": words, "embedding": lists}), "pyarrow_zstd.parquet",
               compression="zstd", data_page_version="2.0", row_group_size=2, use_dictionary=["token"])
# Five million numbers in a few bytes: more than a reader should believe.
zeros = pa.ListArray.from_arrays(pa.array([0, 5_000_000], pa.int32()), pa.array(np.zeros(5_000_000, np.float32)))
pq.write_table(pa.table({"word": ["a"], "vector": zeros}), "pyarrow_zeros.parquet", compression="zstd")
frame = pl.DataFrame({"word": words, "vector": vectors}, schema_overrides={"vector": pl.Array(pl.Float32, 3)})
frame.write_parquet("polars.parquet")
frame.with_columns(pl.col("vector").arr.to_list()).write_ndjson("polars.jsonl")
made = pa.table({"word": words, "vector": lists})
duckdb.sql("copy (select word, vector::float[3] as vector from made) to 'duckdb.parquet'")

numbers = pd.DataFrame(vectors, index=pd.Index(words, name="word"))
numbers.to_csv("pandas.csv")
numbers.rename_axis(None).to_csv("pandas_index.csv")
pl.DataFrame({"word": words, "count": counts, **{f"v{i}": vectors[:, i] for i in range(3)}}).write_csv("polars.csv")
with open("qdrant.jsonl", "w", encoding="utf-8") as file:
    for at, (word, row) in enumerate(zip(words, vectors)):
        payload = {"word": word, "count": counts[at]}
        print(json.dumps({"id": at, "vector": [float(x) for x in row], "payload": payload}), file=file)
