//! Compressed files, wherever a file is given.

use std::io::Write;

use crate::support::{Folder, Tested};

/// Packs a file as `NAME.gz`, `NAME.zst`, `NAME.bz2` or `NAME.xz`; gives the new name.
fn pack(folder: &Folder, name: &str, ending: &str) -> Tested<String> {
    let bytes = std::fs::read(folder.join(name))?;
    let packed = match ending {
        "gz" => {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(&bytes)?;
            gzip.finish()?
        }
        "zst" => zstd::encode_all(&bytes[..], 1)?,
        "bz2" => {
            let mut bzip = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            bzip.write_all(&bytes)?;
            bzip.finish()?
        }
        _ => {
            let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
            xz.write_all(&bytes)?;
            xz.finish()?
        }
    };
    let packed_name = format!("{name}.{ending}");
    folder.write(&packed_name, packed);
    Ok(packed_name)
}

#[test]
fn vectors_are_read_packed_in_every_way() -> Tested {
    let folder = Folder::new();
    folder.write_vectors("v.txt");
    let (rows, near) = (folder.firth("embed v.txt --words").stdout, folder.firth("nearest v.txt king").stdout);
    for (name, format) in [
        ("a.vec", "word2vec"),
        ("b.bin", "word2vec-bin"),
        ("c.fasttext", "fasttext"),
        ("d.csv", "csv"),
        ("e.npy", "npy"),
        ("f.safetensors", "safetensors"),
    ] {
        folder.firth(&format!("convert v.txt {name}")).expect_code(0);
        for (ending, compression) in [("gz", "gzip"), ("zst", "zstd"), ("bz2", "bzip2"), ("xz", "xz")] {
            let packed = pack(&folder, name, ending)?;
            assert_eq!(folder.firth(&format!("nearest {packed} king")).expect_code(0).stdout, near, "{packed}");
            let report = folder.json(&format!("info {packed} --check"));
            assert_eq!((&report["format"], &report["compression"]), (&format.into(), &compression.into()), "{packed}");
        }
        folder.firth(&format!("convert {name}.gz back.txt --force")).expect_code(0);
        assert_eq!(folder.firth("embed back.txt --words").stdout, rows, "{name}");
    }
    assert!(folder.firth("info a.vec.gz").stdout.contains("format\tword2vec\ncompression\tgzip\n"));
    assert!(folder.firth("info f.safetensors.gz --check").stdout.contains("fingerprint right"));
    assert!(folder.json("info a.vec")["compression"].is_null());
    Ok(())
}

#[test]
fn what_a_fasttext_model_predicts_is_read_packed() -> Tested {
    let folder = Folder::new();
    folder.write_text("a.txt", 100);
    folder.firth("train skipgram a.txt -o run --dim 4 --epochs 1 --threads 1").expect_code(0);
    folder.firth("convert run m.fasttext").expect_code(0);
    pack(&folder, "m.fasttext", "gz")?;
    folder.firth("convert m.fasttext.gz again.fasttext").expect_code(0);
    assert!(std::fs::read(folder.join("m.fasttext"))? == std::fs::read(folder.join("again.fasttext"))?);
    Ok(())
}

#[test]
fn faults_of_packed_vectors_say_where_they_are() -> Tested {
    let folder = Folder::new();
    folder.write("nan.txt", "2 3\na 1 2 3\nb 1 nan 3\n");
    folder.write("text.vec", "Once upon a time\n");
    for (name, told) in
        [("nan.txt", "nan.txt.gz (unpacked), line 3: "), ("text.vec", "text.vec.gz (unpacked), line 1: ")]
    {
        let packed = pack(&folder, name, "gz")?;
        folder.firth(&format!("nearest {packed} a")).expect_error(3, &[told]);
    }
    folder.write_vectors("v.txt");
    for ending in ["gz", "zst", "bz2", "xz"] {
        let name = pack(&folder, "v.txt", ending)?;
        let bytes = std::fs::read(folder.join(&name))?;
        folder.write(&name, &bytes[..bytes.len() - 9]);
        folder.firth(&format!("nearest {name} king")).expect_error(3, &[&format!("{name}, byte "), "truncated"]);
    }
    // Little that would fill the disk.
    folder.write("zeros.bin", vec![0; 8 << 20]);
    for ending in ["zst", "bz2", "xz"] {
        let name = pack(&folder, "zeros.bin", ending)?;
        let ran = folder.firth(&format!("nearest {name} king"));
        ran.expect_error(3, &[&name, "become more than 1024 times as many", "unpack it with"]);
        folder.firth(&format!("eval analogy v.txt {name}")).expect_code(3);
    }
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_folder_without_room_for_what_is_unpacked_is_named() -> Tested {
    let folder = Folder::new();
    folder.write_vectors("v.txt");
    let name = pack(&folder, "v.txt", "gz")?;
    let ran = folder.command(&format!("nearest {name} king")).env("TMPDIR", folder.join("none")).output()?;
    crate::support::Ran::from(ran).expect_error(3, &["none: cannot hold a copy of v.txt.gz", "set TMPDIR"]);
    Ok(())
}

#[test]
fn no_output_has_the_name_of_a_compressed_file() {
    let folder = Folder::new();
    folder.write_vectors("v.txt");
    for command in
        ["convert v.txt out.vec.gz", "convert v.txt out.vec.gz --to word2vec", "embed v.txt --words -o out.vec.gz"]
    {
        folder.firth(command).expect_error(2, &["out.vec.gz: no compressed file is written; write out.vec and"]);
    }
    assert_eq!(folder.names(), ["v.txt"]);
}

#[test]
fn files_of_questions_and_keys_are_read_packed_or_from_standard_input() -> Tested {
    let folder = Folder::new();
    folder.write_vectors("v.txt");
    for (command, text) in [
        ("eval analogy v.txt", ": royal\nman woman king queen\n"),
        ("eval similarity v.txt", "\u{feff}king\tman\t9\nking\trock\t1\nrock\tstone\t8\n"),
        ("eval outlier v.txt", "stones\tking|queen|man\trock|stone\n"),
        ("eval categories v.txt", "stone\trock\nstone\tstone\nperson\tking\nperson\tman\n"),
        ("eval sentences v.txt --pool mean", "3\tking man\tman\n1\tking\trock\n5\tstone\trock stone\n"),
        ("convert v.txt out.csv --force --keys", "king\nqueen\n"),
    ] {
        folder.write("q", text);
        let plain = folder.json(&format!("{command} q"));
        for ending in ["gz", "zst", "bz2", "xz"] {
            let name = pack(&folder, "q", ending)?;
            let found = folder.json(&format!("{command} {name}")).to_string().replace(&name, "q");
            assert_eq!(found, plain.to_string(), "{command} {name}");
        }
        let mut words: Vec<&str> = command.split(' ').collect();
        words.extend(["-", "--json"]);
        let ran = folder.firth_with(&words, std::fs::read(folder.join("q.gz"))?);
        let found: serde_json::Value = serde_json::from_str(&ran.expect_code(0).stdout)?;
        assert_eq!(found.to_string().replace("\"-\"", "\"q\""), plain.to_string(), "{command} -");
        folder.write("latin", [text.as_bytes(), b"caf\xe9\n"].concat());
        let line = format!("latin, line {}: the byte e9 is not UTF-8", text.lines().count() + 1);
        folder.firth(&format!("{command} latin")).expect_error(3, &[&line]);
    }
    Ok(())
}
