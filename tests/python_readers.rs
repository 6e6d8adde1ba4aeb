//! The real gensim 4 and NumPy open what firth writes, and firth opens what they write. Opt-in:
//!
//! ```sh
//! python3 -m venv venv && venv/bin/pip install gensim numpy safetensors scipy
//! FIRTH_PYTHON=venv/bin/python cargo test --release --test python_readers -- --ignored
//! ```
//!
//! Without `FIRTH_PYTHON`, `python3` is taken. Numbers are compared as 32-bit patterns.

use std::path::Path;
use std::process::Command;

use firth::Result;
use firth::embeddings::Embeddings;
use firth::format;
use firth::math::{Matrix, Rng, Samples};

const WORDS: [&str; 7] = ["</s>", "the", "naïve", "日本語", "a_b", "I\u{a0}am", "5"];
const DIM: usize = 9;

fn words() -> Result<Embeddings> {
    let mut rng = Rng::stream(11, &[]);
    let mut values: Vec<f32> = (0..WORDS.len() * DIM).map(|_| rng.uniform() - 0.5).collect();
    values[..4].copy_from_slice(&[1e-30, -0.0, f32::MAX, f32::MIN_POSITIVE / 2.0]);
    Embeddings::new(WORDS.iter().collect(), Matrix::from_vec(WORDS.len(), DIM, values)?, Some((1..8).rev().collect()))
}

/// Runs a script in a folder; `bits` and `words` are what it must find there.
fn python(folder: &Path, script: &str) {
    let program = std::env::var("FIRTH_PYTHON").unwrap_or_else(|_| "python3".into());
    let words = words().expect("the words");
    let bits: Vec<u32> = words.vectors().as_slice().iter().map(|value| value.to_bits()).collect();
    let before = format!(
        "import numpy as np\nwords = {:?}.split('|')\n\
         bits = np.array({bits:?}, dtype=np.uint32).reshape(-1, {DIM})\nvectors = bits.view(np.float32)\n\
         def same(found): np.testing.assert_array_equal(np.ascontiguousarray(found, dtype=np.float32).view(np.uint32), bits)\n",
        WORDS.join("|")
    );
    // Rust's escapes for characters outside ASCII are not Python's; the text itself is the same in both.
    let before = before.replace("\\u{a0}", "\u{a0}");
    std::fs::write(folder.join("check.py"), before + script).expect("a script");
    let output = Command::new(&program).arg("check.py").current_dir(folder).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}; set FIRTH_PYTHON"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    print!("{}", String::from_utf8_lossy(&output.stdout));
}

fn same(read: &Embeddings) -> Result<()> {
    let bits = |of: &Embeddings| of.vectors().as_slice().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    let words = words()?;
    assert_eq!(read.keys(), words.keys());
    assert_eq!((read.dim(), bits(read)), (DIM, bits(&words)));
    Ok(())
}

#[test]
#[ignore = "needs Python with gensim and numpy; see the top of the file"]
fn python_opens_what_firth_writes() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["a.txt", "a.bin", "a.glove", "a.npy", "a.safetensors", "a.projector"] {
        let path = folder.path().join(name);
        format::for_path(&path, None)?.write(&words()?, &path)?;
    }
    python(
        folder.path(),
        r"
import gensim, safetensors, safetensors.numpy
from gensim.models import KeyedVectors
for name, options in [('a.txt', {}), ('a.bin', {'binary': True}), ('a.glove', {'no_header': True})]:
    found = KeyedVectors.load_word2vec_format(name, **options)
    assert found.index_to_key == words, (name, found.index_to_key)
    same(found.vectors)
same(np.load('a.npy'))
same(np.load('a.npy', mmap_mode='r'))
assert open('a.vocab', encoding='utf-8').read().split('\n')[:-1] == words
tensors = safetensors.numpy.load_file('a.safetensors')
same(tensors['vectors'])
ends = [0, *tensors['key_ends']]
text = tensors['keys'].tobytes()
assert [text[a:b].decode() for a, b in zip(ends, ends[1:])] == words
assert tensors['counts'].tolist() == [7, 6, 5, 4, 3, 2, 1]
same(np.loadtxt('a.projector/vectors.tsv', delimiter='\t', dtype=np.float32))
rows = [line.split('\t') for line in open('a.projector/metadata.tsv', encoding='utf-8').read().split('\n')]
assert rows[0] == ['word', 'count'] and [row[0] for row in rows[1:-1]] == words
print('gensim', gensim.__version__, 'numpy', np.__version__, 'safetensors', safetensors.__version__)
",
    );
    Ok(())
}

#[test]
#[ignore = "needs Python with gensim and numpy; see the top of the file"]
fn firth_opens_what_python_writes() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    python(
        folder.path(),
        r"
from gensim.models import KeyedVectors
made = KeyedVectors(vectors.shape[1])
made.add_vectors(words, vectors)
made.save_word2vec_format('text', write_header=True)
made.save_word2vec_format('binary', binary=True)
made.save_word2vec_format('glove', write_header=False)
made.save('pickle')
for name, array in [('narrow', vectors), ('wide', vectors.astype(np.float64)), ('fortran', np.asfortranarray(vectors)),
                    ('half', np.float16([[1.5, -2.0], [6e-8, 65504.0]])), ('big', vectors.astype('>f4'))]:
    np.save(name, array)
    with open(name + '.vocab', 'w', encoding='utf-8') as file:
        file.write('\n'.join(words[:len(array)]))
",
    );
    let read = |name: &str| format::read(&folder.path().join(name));
    for (name, format) in [("text", "word2vec"), ("binary", "word2vec-bin"), ("glove", "glove"), ("narrow.npy", "npy")]
    {
        assert_eq!(format::detect(&folder.path().join(name))?.name(), format);
        same(&read(name)?)?;
    }
    same(&read("wide.npy")?)?;
    same(&read("big.npy")?)?;
    assert_eq!(read("half.npy")?.vectors().as_slice(), [1.5, -2.0, 1.0 / (1 << 24) as f32, 65504.0]);
    for (name, message) in [("fortran.npy", "ascontiguousarray"), ("pickle", "save_word2vec_format")] {
        let error = read(name).expect_err(message).to_string();
        assert!(error.contains(message), "{error}");
    }
    Ok(())
}

/// The rows of a matrix file in full.
fn rows(path: &Path) -> Result<(bool, Vec<Vec<f32>>)> {
    let samples = format::matrix::read(path)?;
    let mut rows = vec![vec![0.0; samples.cols()]; samples.rows()];
    match &samples {
        Samples::Dense(matrix) => {
            rows.iter_mut().zip(matrix.iter_rows()).for_each(|(row, found)| row.copy_from_slice(found))
        }
        Samples::Sparse(matrix) => {
            for (row, found) in rows.iter_mut().zip(matrix.iter_rows()) {
                found.iter().for_each(|(column, value)| row[column] = value);
            }
        }
    }
    Ok((matches!(samples, Samples::Sparse(_)), rows))
}

#[test]
#[ignore = "needs Python with numpy and scipy; see the top of the file"]
fn matrices_pass_between_python_and_firth() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    python(
        folder.path(),
        r"
import scipy, scipy.sparse as sparse
full = np.random.default_rng(3).integers(-4, 5, (30, 17)) / 8
full[np.random.default_rng(4).random((30, 17)) < 0.7] = 0
full[7] = 0
np.savetxt('full.csv', full, delimiter=',', fmt='%.17g')
np.savetxt('named.tsv', full, delimiter='\t', header='\t'.join('abcdefghijklmnopq'), comments='')
np.save('plain', full)
np.save('big', np.asfortranarray(full.astype('>f4')))
np.save('cube', np.asfortranarray(full.reshape(30, 1, 17)))
np.save('bytes', (full * 8).astype('i1'))
np.savez('stored', full)
np.savez_compressed('deflated', full)
for name, made in [('csr', sparse.csr_matrix(full)), ('csc', sparse.csc_array(full.astype('f4'))),
                   ('coo', sparse.coo_matrix(full)), ('bsr', sparse.bsr_matrix(full))]:
    sparse.save_npz(name, made, compressed=name != 'csc')
twice = sparse.csr_matrix((np.r_[full[0], full[0]], np.r_[:17, 16:-1:-1], [0, 34]), shape=(1, 17))
twice.data[17:] = full[0][::-1]
sparse.save_npz('twice', twice)
np.savez('two', a=full, b=full)
np.save('line', full[0])
print('scipy', scipy.__version__, 'numpy', np.__version__)
",
    );
    let path = |name: &str| folder.path().join(name);
    let (_, full) = rows(&path("full.csv"))?;
    assert!(full.iter().flatten().any(|&value| value != 0.0) && (full.len(), full[0].len()) == (30, 17));
    for name in ["named.tsv", "plain.npy", "big.npy", "cube.npy", "stored.npz", "deflated.npz", "csr.npz", "csc.npz"] {
        let is_sparse = name.starts_with("cs");
        assert_eq!(rows(&path(name))?, (is_sparse, full.clone()), "{name}");
    }
    let eighths = |row: &Vec<f32>| row.iter().map(|value| value * 8.0).collect::<Vec<_>>();
    assert_eq!(rows(&path("bytes.npy"))?.1, full.iter().map(eighths).collect::<Vec<_>>());
    assert_eq!(rows(&path("twice.npz"))?.1, [full[0].iter().map(|value| value * 2.0).collect::<Vec<_>>()]);
    for (name, message) in
        [("coo.npz", "tocsr()"), ("bsr.npz", "tocsr()"), ("two.npz", "2 arrays (a, b)"), ("line.npy", "reshape(-1, 1)")]
    {
        let error = rows(&path(name)).expect_err(message).to_string();
        assert!(error.contains(message), "{error}");
    }
    let values = words()?.vectors().clone();
    format::matrix::write(&values, &path("out.npy"))?;
    format::matrix::write(&values, &path("out.csv"))?;
    python(folder.path(), "same(np.load('out.npy'))\nsame(np.loadtxt('out.csv', delimiter=',', dtype=np.float32))\n");
    Ok(())
}
