//! Bad input: one clear message each, the right exit code, nothing left behind.

use std::io::Write;

use crate::support::{Folder, Tested};

#[test]
fn a_missing_file_is_named() {
    let folder = Folder::new();
    for command in ["train skipgram none.txt -o out", "corpus build none.txt -o out", "corpus info none", "info none"] {
        folder.firth(command).expect_error(3, &["none"]);
    }
    folder.firth("corpus build *.txt -o out").expect_code(3);
    folder.firth("train cbow a.txt -o out --config none.toml").expect_error(3, &["none.toml"]);
    assert_eq!(folder.names(), [""; 0]);
}

#[test]
fn text_without_words_is_refused() -> Tested {
    let folder = Folder::new();
    std::fs::create_dir(folder.join("folder"))?;
    folder.write("empty.txt", "");
    folder.write("blank.txt", " \n\n\t\n");
    for input in ["folder", "empty.txt", "blank.txt"] {
        for command in ["train skipgram", "corpus build"] {
            folder.firth(&format!("{command} {input} -o out")).expect_error(3, &[input]);
        }
    }
    folder.firth("corpus build - -o out").expect_code(3);
    assert_eq!(folder.names(), ["blank.txt", "empty.txt", "folder"]);
    Ok(())
}

#[test]
fn too_rare_words_name_the_commonest_and_the_flag() {
    let folder = Folder::new();
    folder.write("a.txt", "one two two three three three\n");
    folder.firth("train skipgram a.txt -o out").expect_error(3, &["a.txt", "\"three\"", "3", "--min-count"]);
    assert_eq!(folder.names(), ["a.txt"]);
}

#[test]
fn invalid_utf8_is_replaced_and_counted_or_refused() {
    let folder = Folder::new();
    let mut text = "caf\u{e9} and tea\n".repeat(10).into_bytes();
    text.extend(b"caf\xe9 and \xff\xfe tea\n");
    folder.write("a.txt", &text);
    let report = folder.json("corpus build a.txt -o c1");
    assert!(report["invalid_utf8"].as_u64() >= Some(2), "{report}");
    assert!(folder.firth("corpus build a.txt -o c2").stdout.contains("invalid UTF-8"));
    folder.firth("corpus build a.txt -o c3 --strict").expect_error(3, &["a.txt", "UTF-8"]);
    folder.firth("train cbow a.txt -o c3 --strict").expect_error(3, &["a.txt", "UTF-8"]);
    assert_eq!(folder.names(), ["a.txt", "c1", "c2"]);
}

#[test]
fn a_binary_file_is_refused() {
    let folder = Folder::new();
    let bytes: Vec<u8> = (0..20_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    folder.write("a.dat", bytes);
    folder.firth("corpus build a.dat -o out").expect_error(3, &["a.dat", "binary"]);
    assert_eq!(folder.names(), ["a.dat"]);
}

#[test]
fn a_truncated_archive_is_refused() -> Tested {
    let folder = Folder::new();
    folder.write_text("a.txt", 500);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(folder.read("a.txt").as_bytes())?;
    let whole = gzip.finish()?;
    folder.write("a.txt.gz", &whole[..whole.len() / 2]);
    let frame = zstd::encode_all(folder.read("a.txt").as_bytes(), 1)?;
    folder.write("a.zst", &frame[..frame.len() - 10]);
    for name in ["a.txt.gz", "a.zst"] {
        folder.firth(&format!("train skipgram {name} -o out")).expect_error(3, &[name]);
    }
    assert_eq!(folder.names(), ["a.txt", "a.txt.gz", "a.zst"]);
    Ok(())
}

#[test]
fn an_existing_output_is_refused_before_any_work() -> Tested {
    let folder = Folder::new();
    folder.write_text("a.txt", 100);
    folder.write("out", "mine");
    std::fs::create_dir(folder.join("folder"))?;
    for output in ["out", "folder"] {
        for command in ["train skipgram a.txt", "corpus build a.txt", "corpus generate world"] {
            folder.firth(&format!("{command} -o {output}")).expect_error(2, &[output, "another output"]);
        }
    }
    folder.firth("corpus build a.txt -o folder --force").expect_code(0);
    folder.firth("corpus build a.txt -o folder --force").expect_code(0);
    assert_eq!(
        (folder.read("out").as_str(), folder.names()),
        ("mine", ["a.txt", "folder", "out"].map(String::from).into())
    );
    Ok(())
}

#[test]
fn a_folder_that_cannot_be_written_is_a_failure() {
    let folder = Folder::new();
    folder.write_text("a.txt", 100);
    // A file in the place of a folder fails for every user, root as well.
    for command in ["train skipgram a.txt -o a.txt/run", "corpus build a.txt -o a.txt/deep/corpus"] {
        folder.firth(command).expect_error(1, &["a.txt"]);
    }
    folder.firth("corpus build a.txt -o ..").expect_error(2, &[".."]);
    assert_eq!(folder.names(), ["a.txt"]);
}

#[test]
fn missing_folders_of_an_output_are_made_and_unmade() {
    let folder = Folder::new();
    folder.write_text("a.txt", 100);
    folder.firth("corpus build a.txt -o new/deep/corpus --min-count 1000").expect_error(3, &["--min-count"]);
    assert_eq!(folder.names(), ["a.txt"]);
    folder.firth("corpus build a.txt -o new/deep/corpus").expect_code(0);
    assert!(folder.join("new/deep/corpus").is_dir());
}

#[test]
fn a_damaged_corpus_is_refused() -> Tested {
    let folder = Folder::new();
    folder.write_text("a.txt", 500);
    folder.firth("corpus build a.txt -o c").expect_code(0);
    let path = folder.join("c/dataset.safetensors");
    let bytes = std::fs::read(&path)?;
    std::fs::write(&path, &bytes[..bytes.len() - 100])?;
    folder.firth("train cbow c -o run").expect_error(3, &["dataset.safetensors"]);
    let mut changed = bytes.clone();
    // The first word's id becomes that of another word; the data begin behind the header and its length.
    let header = u64::from_le_bytes(bytes[..8].try_into()?) as usize;
    changed[8 + header] ^= 1;
    std::fs::write(&path, changed)?;
    folder.firth("info c").expect_code(0);
    folder.firth("info c --check").expect_error(3, &["dataset.safetensors", "checksum", "damaged"]);
    Ok(())
}

#[test]
fn a_run_without_its_words_passes_for_nothing_else() {
    let folder = Folder::new();
    folder.write_text("a.txt", 100);
    folder.firth("train cbow a.txt -o run --dim 4 --epochs 1 --checkpoint-every never").expect_code(0);
    std::fs::remove_file(folder.join("run/words.safetensors")).expect("the words");
    folder
        .firth("info run")
        .expect_error(3, &["words.safetensors is missing from the run run (cbow)", "train the run anew"]);
    folder.firth("corpus info run").expect_code(0);
    folder.firth("corpus build a.txt -o corpus").expect_code(0);
    assert_eq!(folder.json("info corpus")["kind"], "corpus");
}

#[test]
fn a_quote_that_nothing_closes_is_named() {
    let folder = Folder::new();
    folder.write("d.csv", "id,text\n1,a b\n2,\"c d\n3,e f\n");
    folder.write("v.csv", "word,v0,v1\na,1,2\n\"b,3,4\nc,5,6\n");
    for command in
        ["corpus build d.csv --text-field text -o out", "convert v.csv out.txt", "convert v.csv out.txt --lenient"]
    {
        let file = if command.contains("d.csv") { "d.csv, line 3" } else { "v.csv, line 3" };
        folder.firth(command).expect_error(3, &[file, "never closed"]);
    }
    folder.write("d.csv", "\"id,text\n1,a b\n2,c d\n");
    for flags in ["--header", "--text-field text"] {
        folder.firth(&format!("corpus build d.csv {flags} -o out")).expect_error(3, &["d.csv, line 1", "never closed"]);
    }
    folder.write("d.csv", "id,text\n1,a b\n2,\"c \"\"d\n\"\n3,\"e f\"");
    assert_eq!(folder.json("corpus build d.csv --text-field text -o out --min-count 1")["documents"], 3);
}

#[test]
fn quoted_rows_behind_a_mark_are_cut_between_rows() {
    let folder = Folder::new();
    let rows: String =
        (0..30_000).map(|row| format!("\"text {row} goes\nover lines and ends so\n\",{row}\n")).collect();
    // More than a piece; cut within quotes if the first one were passed over.
    folder.write("d.csv", format!("\u{feff}{rows}"));
    assert_eq!(folder.json("corpus build d.csv --text-field 1 -o out --min-count 1")["documents"], 30_000);
}
