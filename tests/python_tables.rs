//! NumPy, pyarrow, Polars, DuckDB, pandas and safetensors open the tables that firth writes. Opt-in:
//!
//! ```sh
//! python3 -m venv venv && venv/bin/pip install numpy pyarrow polars pandas duckdb safetensors ml_dtypes
//! FIRTH_PYTHON=venv/bin/python cargo test --release --test python_tables -- --ignored
//! ```
//!
//! Without `FIRTH_PYTHON`, `python3` is taken. Numbers are compared as 32-bit patterns. What these programs write is in
//! `tests/golden`, which ordinary tests read.

use std::path::Path;
use std::process::Command;

use firth::Result;
use firth::embeddings::Embeddings;
use firth::format::{self, Dtype};
use firth::math::{Matrix, Rng};
use firth::vocabulary::Keys;

const WORDS: [&str; 8] = ["the", "naïve", "日本語", "New York", "a,b \"c\"", "two\nlines", "😀", "5"];
const DIM: usize = 9;

fn words() -> Result<Embeddings> {
    let mut rng = Rng::stream(11, &[]);
    let mut values: Vec<f32> = (0..WORDS.len() * DIM).map(|_| rng.uniform() - 0.5).collect();
    values[..4].copy_from_slice(&[1e-30, -0.0, f32::MAX, f32::MIN_POSITIVE / 2.0]);
    Embeddings::new(WORDS.iter().collect(), Matrix::from_vec(WORDS.len(), DIM, values)?, Some((1..9).rev().collect()))
}

/// Runs a script in a folder; `words`, `vectors` and `same` are what it compares with.
fn python(folder: &Path, script: &str) {
    let program = std::env::var("FIRTH_PYTHON").unwrap_or_else(|_| "python3".into());
    let words = words().expect("the words");
    let bits: Vec<u32> = words.vectors().as_slice().iter().map(|value| value.to_bits()).collect();
    std::fs::write(folder.join("words.json"), serde_json::to_string(&WORDS).expect("JSON")).expect("a file");
    let before = format!(
        "import json\nimport numpy as np\nwords = json.load(open('words.json', encoding='utf-8'))\n\
         bits = np.array({bits:?}, dtype=np.uint32).reshape(-1, {DIM})\nvectors = bits.view(np.float32)\n\
         def same(found): np.testing.assert_array_equal(np.ascontiguousarray(found, dtype=np.float32).view(np.uint32), bits)\n\
         def equal(a, b): assert a == b, (a, b)\n",
    );
    std::fs::write(folder.join("check.py"), before + script).expect("a script");
    let output = Command::new(&program).arg("check.py").current_dir(folder).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}; set FIRTH_PYTHON"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    print!("{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
#[ignore = "needs Python with pyarrow, Polars, DuckDB and pandas; see the top of the file"]
fn python_opens_the_tables_that_firth_writes() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["a.npz", "a.parquet", "a.csv", "a.jsonl"] {
        let path = folder.path().join(name);
        format::for_path(&path, None)?.write(&words()?, &path)?;
    }
    let long: Keys = ["x".repeat(100), "b\0".into()].iter().collect();
    let long = Embeddings::new(long, Matrix::zeros(2, 2), None)?;
    format::by_name("npz")?.write(&long, &folder.path().join("long.npz"))?;
    python(
        folder.path(),
        r#"
import duckdb, pandas as pd, polars as pl, pyarrow as pa, pyarrow.parquet as pq
found = np.load('a.npz')
equal(found['words'].tolist(), words)
equal(found['counts'].tolist(), [8, 7, 6, 5, 4, 3, 2, 1])
same(found['vectors'])
found = np.load('long.npz')
text, ends = found['words_utf8'].tobytes(), [0, *found['words_ends']]
equal([text[a:b].decode() for a, b in zip(ends, ends[1:])], ['x' * 100, 'b\0'])

table = pq.read_table('a.parquet')
equal(table.schema.field('vector').type, pa.list_(pa.field('element', pa.float32(), nullable=False), 9))
equal([str(field.type) for field in table.schema][:2], ['string', 'int64'])
table.validate(full=True)
equal(table['word'].to_pylist(), words)
equal(table['count'].to_pylist(), [8, 7, 6, 5, 4, 3, 2, 1])
same(table['vector'].combine_chunks().flatten().to_numpy().reshape(-1, 9))
frame = pl.read_parquet('a.parquet')
equal(frame.schema['vector'], pl.Array(pl.Float32, 9))
equal(frame['word'].to_list(), words)
same(frame['vector'].to_numpy())
rows = duckdb.sql("select word, count, vector::float[9] from 'a.parquet'").fetchall()
equal([row[0] for row in rows], words)
same([row[2] for row in rows])
frame = pd.read_parquet('a.parquet')
equal(frame['word'].tolist(), words)
same(np.stack(frame['vector']))

frame = pd.read_csv('a.csv', index_col='word', keep_default_na=False, dtype={f'v{i}': np.float32 for i in range(9)})
equal(frame.index.astype(str).tolist(), words)
same(frame.loc[:, 'v0':].to_numpy())
frame = pl.read_csv('a.csv', schema_overrides={'word': pl.String} | {f'v{i}': pl.Float32 for i in range(9)})
equal(frame['word'].to_list(), words)
same(frame.drop('word', 'count').to_numpy())
rows = duckdb.sql("from read_csv('a.csv', types={'word': 'varchar'})").fetchall()
equal([row[0] for row in rows], words)

rows = [json.loads(line) for line in open('a.jsonl', encoding='utf-8')]
equal([row['text'] for row in rows], words)
equal([(row['id'], row['metadata']) for row in rows], [(i, {'count': 8 - i}) for i in range(8)])
same([row['vector'] for row in rows])
frame = pl.read_ndjson('a.jsonl')
equal(frame['text'].to_list(), words)
print('numpy', np.__version__, 'pyarrow', pa.__version__, 'polars', pl.__version__, 'pandas', pd.__version__, 'duckdb', duckdb.__version__)
"#,
    );
    Ok(())
}

#[test]
#[ignore = "needs Python with NumPy, pyarrow, Polars and safetensors; see the top of the file"]
fn python_opens_numbers_of_fewer_bits() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let words = words()?;
    // The largest number does not fit 16 bits.
    let mut vectors = words.vectors().clone();
    vectors.as_mut_slice()[2] = 65504.0;
    let words = Embeddings::new((0..WORDS.len()).map(|key| key.to_string()).collect(), vectors, None)?;
    for (name, dtype) in [
        ("half.npz", Dtype::F16),
        ("small.npz", Dtype::I8),
        ("half.npy", Dtype::F16),
        ("half.parquet", Dtype::F16),
        ("half.safetensors", Dtype::F16),
        ("brain.safetensors", Dtype::Bf16),
        ("small.safetensors", Dtype::I8),
    ] {
        let path = folder.path().join(name);
        format::for_path(&path, None)?.write_as(&words, &path, dtype)?;
        let read = format::read(&path)?;
        std::fs::write(folder.path().join(format!("{name}.bin")), firth::io::as_bytes(read.vectors().as_slice()))
            .expect("a file");
    }
    python(
        folder.path(),
        r#"
import ml_dtypes, polars as pl, pyarrow as pa, pyarrow.parquet as pq, safetensors.numpy
vectors = vectors.copy()
vectors[0, 2] = 65504
read = lambda name: np.fromfile(name + '.bin', dtype=np.float32).reshape(-1, 9)
alike = lambda a, b: np.testing.assert_array_equal(np.asarray(a).astype(np.float32), b)
for found, name in [(np.load('half.npz')['vectors'], 'half.npz'), (np.load('half.npy'), 'half.npy'),
                    (safetensors.numpy.load_file('half.safetensors')['vectors'], 'half.safetensors')]:
    equal(found.dtype, np.float16)
    alike(found, vectors.astype(np.float16).astype(np.float32))
    alike(found, read(name))
table = pq.read_table('half.parquet')
equal(table.schema.field('vector').type.value_type, pa.float16())
alike(table['vector'].combine_chunks().flatten().to_numpy().reshape(-1, 9), read('half.parquet'))
brain = safetensors.numpy.load_file('brain.safetensors')['vectors']
alike(brain, vectors.astype(ml_dtypes.bfloat16))
alike(brain, read('brain.safetensors'))
for found, name in [(np.load('small.npz'), 'small.npz'), (safetensors.numpy.load_file('small.safetensors'), 'small.safetensors')]:
    equal(found['vectors'].dtype, np.int8)
    back = found['vectors'].astype(np.float32) * found['scales'][:, None]
    alike(back, read(name))
    assert np.all(np.abs(back - vectors) <= 0.5001 * found['scales'][:, None])
"#,
    );
    Ok(())
}
