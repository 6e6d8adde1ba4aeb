//! Flags, commands, help.

use crate::support::{Folder, Tested};

#[test]
fn the_overview_names_every_command_and_fits_one_screen() {
    let ran = Folder::new().firth("--help");
    ran.expect_code(0);
    for command in [
        "demo",
        "corpus",
        "train",
        "nearest",
        "analogy",
        "odd",
        "recommend",
        "rules",
        "cluster",
        "eval",
        "embed",
        "plot",
        "reduce",
        "convert",
        "info",
    ] {
        assert!(ran.stdout.contains(&format!("\n  {command} ")), "{command}");
    }
    assert!(ran.stdout.lines().count() <= 50, "{} lines", ran.stdout.lines().count());
    assert_eq!(ran.stderr, "");
}

#[test]
fn every_command_has_help_with_an_example() {
    let folder = Folder::new();
    for command in [
        "demo",
        "corpus build",
        "corpus info",
        "corpus generate",
        "train skipgram",
        "train cbow",
        "train autoencoder",
        "nearest",
        "analogy",
        "odd",
        "recommend",
        "rules",
        "cluster",
        "eval analogy",
        "eval similarity",
        "eval categories",
        "eval clusters",
        "eval classify",
        "embed",
        "plot",
        "reduce",
        "convert",
        "info",
    ] {
        let ran = folder.firth(&format!("{command} --help"));
        ran.expect_code(0);
        assert!(ran.stdout.contains(&format!("Example:\n  firth {command} ")), "{command}:\n{}", ran.stdout);
    }
}

#[test]
fn the_columns_of_piped_tables_are_told_by_their_help() {
    let folder = Folder::new();
    let evaluations =
        ["analogy", "similarity", "categories", "clusters", "classify", "sentences", "outlier", "retrieval"];
    let evaluations = evaluations.map(|name| format!("eval {name}"));
    let others = ["nearest", "analogy", "odd", "recommend", "rules", "cluster", "anomaly", "restore"].map(String::from);
    for command in evaluations.iter().chain(&others) {
        let ran = folder.firth(&format!("{command} --help"));
        assert!(ran.stdout.contains("Columns when piped: "), "{command}:\n{}", ran.stdout);
    }
    for command in ["embed", "reduce"] {
        let said = folder.firth(&format!("{command} --help")).stdout;
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("a key and its numbers a line"), "{command}:\n{said}");
    }
}

#[test]
fn without_a_command_the_overview_goes_to_standard_error() {
    let ran = Folder::new().firth("");
    ran.expect_error(2, &["--help"]);
    assert!(ran.stderr.contains("firth COMMAND"));
}

#[test]
fn the_version_is_printed() {
    let ran = Folder::new().firth("--version");
    assert_eq!(ran.expect_code(0).stdout, format!("firth {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn unknown_names_get_the_nearest_known_one() {
    let folder = Folder::new();
    folder.write_text("a.txt", 10);
    folder.write_vectors("v.txt");
    for (arguments, parts) in [
        ("nearst v.txt king", vec!["unknown command 'nearst'", "'nearest'"]),
        ("train skipgarm a.txt -o r", vec!["unknown command 'skipgarm'", "'skipgram'"]),
        ("train skipgram a.txt -o r --windw 3", vec!["unknown flag '--windw'", "'--window'"]),
        ("convert v.txt v.x --to word2vek", vec!["\"word2vek\"", "word2vec"]),
        ("analogy v.txt man woman king --method 3cosad", vec!["3cosad", "3cosadd"]),
        ("nearest v.txt kimg", vec!["\"kimg\"", "\"king\""]),
        ("train skipgram a.txt -o r --strategy hogwld", vec!["hogwld", "hogwild"]),
        ("corpus generate wrld -o w", vec!["wrld", "world"]),
    ] {
        folder.firth(arguments).expect_error(2, &parts);
    }
    assert_eq!(folder.names(), ["a.txt", "v.txt"]);
}

#[test]
fn values_out_of_range_name_their_flag() {
    let folder = Folder::new();
    folder.write_text("a.txt", 10);
    folder.write_vectors("v.txt");
    for (arguments, flag) in [
        ("train skipgram a.txt -o r --dim 0", "--dim"),
        ("train skipgram a.txt -o r --dim 5000", "--dim"),
        ("train cbow a.txt -o r --window 0", "--window"),
        ("train cbow a.txt -o r --epochs 0", "--epochs"),
        ("train cbow a.txt -o r --lr nan", "--lr"),
        ("train cbow a.txt -o r --lr -1", "--lr"),
        ("train cbow a.txt -o r --sample -1", "--sample"),
        ("train cbow a.txt -o r --dim many", "--dim"),
        ("train cbow a.txt -o r --threads 0", "--threads"),
        ("nearest v.txt king --top 0", "--top"),
        ("convert v.txt w.bin --top x", "--top"),
    ] {
        folder.firth(arguments).expect_error(2, &[flag]);
    }
    assert_eq!(folder.names(), ["a.txt", "v.txt"]);
}

#[test]
fn wrong_numbers_are_told_what_was_expected() {
    let folder = Folder::new();
    folder.write_text("a.txt", 10);
    for value in ["-3", "1.5", "abc"] {
        let expected = ["--dim", value, "expected a whole number from 1 to 4096"];
        folder.firth(&format!("train cbow a.txt -o r --dim {value}")).expect_error(2, &expected);
    }
    folder.firth("train cbow a.txt -o r --lr fast").expect_error(2, &["expected a number above 0"]);
    folder.firth("train cbow a.txt -o r --threads 0").expect_error(2, &["expected a whole number from 1 to 1024"]);
    folder.write("c.toml", "dim = \"wide\"\n");
    folder.firth("train cbow a.txt -o r --config c.toml").expect_error(2, &["c.toml", "--dim", "wide"]);
    folder.write("c.toml", "dim = 0\n");
    folder.firth("train cbow a.txt -o r --config c.toml").expect_error(2, &["c.toml", "--dim: 0"]);
}

#[test]
fn suggestions_are_near_or_there_are_none() {
    let folder = Folder::new();
    folder.write_text("a.txt", 10);
    folder.firth("train cbow a.txt -o r --format jsnl").expect_error(2, &["did you mean 'jsonl'", "files"]);
    folder.firth("train word2vec a.txt").expect_error(2, &["unknown command 'word2vec'", "skipgram, cbow"]);
    for arguments in ["train cbow a.txt -o r --zebra 1", "frobnicate", "train cbow a.txt -o r --format xml"] {
        let ran = folder.firth(arguments);
        assert!(!ran.expect_error(2, &[]).stderr.contains("did you mean"), "{}", ran.stderr);
    }
}

#[test]
fn contradictions_are_refused() {
    let folder = Folder::new();
    folder.write_text("a.txt", 100);
    folder.firth("train cbow a.txt -o r --lowercase --no-lowercase").expect_error(2, &["--no-lowercase"]);
    folder.firth("train cbow a.txt -o r --output s").expect_error(2, &["two outputs", "'r'", "'s'"]);
    folder.firth("train cbow a.txt -o r --dim 4").expect_code(0);
    let ran = folder.firth("train skipgram a.txt -o s --config r/config.toml");
    assert!(ran.expect_code(0).stderr.contains("settings of a cbow run"), "{}", ran.stderr);
}

#[test]
fn missing_arguments_are_named() {
    let folder = Folder::new();
    folder.firth("train skipgram -o r").expect_error(2, &["INPUT"]);
    folder.firth("train skipgram a.txt").expect_error(2, &["--output"]);
    folder.firth("nearest").expect_error(2, &["MODEL"]);
    folder.firth("train").expect_code(2);
}

#[test]
fn flags_without_effect_are_refused() {
    let folder = Folder::new();
    folder.write_text("a.txt", 100);
    folder.firth("corpus build a.txt -o c").expect_code(0);
    folder.firth("train cbow c -o r --min-count 2").expect_error(2, &["--min-count", "no effect", "encoded"]);
    folder.firth("train cbow c -o r --tokenizer words").expect_error(2, &["--tokenizer", "no effect"]);
    folder.firth("train cbow c -o r --strict").expect_error(2, &["--strict", "no effect"]);
    for flag in ["--min-count 2", "--max-vocabulary 9", "--phrases 1", "--phrase-score npmi"] {
        let name = flag.split(' ').next().unwrap_or_default();
        for command in ["train cbow a.txt", "train autoencoder a.txt", "corpus build a.txt"] {
            let ran = folder.firth(&format!("{command} -o r --vocabulary c {flag}"));
            ran.expect_error(2, &[name, "no effect", "--vocabulary brings its own"]);
        }
    }
}

#[test]
fn flags_of_other_tools_are_understood() -> Tested {
    let folder = Folder::new();
    folder.write_text("a.txt", 200);
    for (number, flags) in [
        "train skipgram -train a.txt -output RUN -size 8 -window 2 -iter 2 -alpha 0.05 -negative 3 -threads 1 -min-count 1",
        "skipgram -input a.txt -output RUN -dim 8 -ws 2 -epoch 2 -lr 0.05 -neg 3 -thread 1 -minCount 1 -t 1e-4",
        "train skipgram a.txt -o RUN --vector_size 8 --window 2 --epochs 2 --alpha 0.05 --negative 3 --workers 1 --min_count 1",
        "train skipgram a.txt -o RUN --vector-size=8 --ws=2 --iter=2 --lr=0.05 --neg=3 --threads=1 --minCount=1",
    ]
    .iter()
    .enumerate()
    {
        let report = folder.json(&flags.replace("RUN", &format!("run{number}")));
        assert_eq!((&report["dim"], &report["epochs"], &report["threads"]), (&8.into(), &2.into(), &1.into()), "{flags}");
    }
    let configs: Vec<_> = (0..4).map(|number| folder.read(&format!("run{number}/config.toml"))).collect();
    assert!(
        configs.iter().all(|config| config.contains("min-count = 1") && config.contains("window = 2")),
        "{configs:?}"
    );
    Ok(())
}
