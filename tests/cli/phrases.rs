//! `--phrases`: planted phrases are found, kept with the run, and found again in queries and new documents.

use crate::support::Folder;

/// Words at random, with phrases among them: `ice cream`, `new york` and `new york times`. `dead` ends lines, `line` begins the
/// next: they are neighbours only across lines.
fn write_text(folder: &Folder, name: &str) {
    let line = |at: u64| {
        let word = |of: u64| format!("w{}", (at * 31 + of * of * 7 + of) % 211);
        let mut words: Vec<String> = (0..20).map(word).collect();
        for (every, phrase) in
            [(31, "Ice cream"), (37, "New York Times"), (41, "new York"), (97, "york"), (89, "cream")]
        {
            if at.is_multiple_of(every) {
                words.insert((at % 7 + every % 11) as usize, phrase.to_owned());
            }
        }
        words.extend(at.is_multiple_of(10).then(|| "dead".to_owned()));
        if at % 10 == 1 {
            words.insert(0, "line".to_owned());
        }
        words.join(" ") + "\n"
    };
    folder.write(name, (0..1500).map(line).collect::<String>());
}

fn folder() -> Folder {
    let folder = Folder::new();
    write_text(&folder, "a.txt");
    folder
}

/// The names of the phrases that a corpus or run has.
fn phrases(folder: &Folder, corpus: &str) -> Vec<String> {
    let info = folder.json(&format!("corpus info {corpus}"));
    let names = info["commonest_phrases"].as_array().expect("phrases");
    names.iter().map(|phrase| phrase["word"].as_str().expect("a word").to_owned()).collect()
}

#[test]
fn planted_phrases_are_found_pass_by_pass() {
    let folder = folder();
    let none = folder.json("corpus build a.txt -o none");
    assert!(none["phrases"].is_null() && folder.json("corpus info none")["commonest_phrases"].is_null());
    for score in ["word2phrase", "npmi"] {
        let one = folder.json(&format!("corpus build a.txt -o one-{score} --phrases 1 --phrase-score {score}"));
        let two = folder.json(&format!("corpus build a.txt -o two-{score} --phrases 2 --phrase-score {score}"));
        assert_eq!(one["phrases"].as_array().map(Vec::len), Some(1));
        assert_eq!(two["phrases"][0], one["phrases"][0]);
        assert_eq!(one["tokens"], none["tokens"]);
        let kept = |report: &serde_json::Value, field: &str| report[field].as_u64().expect("a number");
        assert!(
            kept(&two, "tokens_joined") > kept(&one, "tokens_joined")
                && kept(&two, "tokens_kept") < kept(&one, "tokens_kept")
        );
        let has = |corpus: &str, phrase: &str| phrases(&folder, corpus).iter().any(|found| found == phrase);
        for (corpus, phrase, is_there) in [
            ("one", "ice_cream", true),
            ("one", "new_york", true),
            ("one", "new_york_times", false),
            ("two", "new_york_times", true),
            ("two", "dead_line", false),
        ] {
            assert_eq!(has(&format!("{corpus}-{score}"), phrase), is_there, "{corpus} {phrase} {score}");
        }
    }
    let info = folder.json("info two-npmi");
    assert_eq!(info["phrases"], folder.json("corpus info two-npmi")["phrases"], "{info}");
    let told = folder.firth("info two-npmi").stdout;
    assert!(told.contains(&format!("\nphrases\t{} + {}\n", info["phrases"][0], info["phrases"][1])), "{told}");
    assert!(folder.json("info none")["phrases"].is_null());
    let human = folder.firth("corpus info two-npmi");
    assert!(human.expect_code(0).stdout.contains("\nphrases\t"), "{}", human.stdout);
}

#[test]
fn queries_and_new_documents_are_joined_alike() {
    let folder = folder();
    folder.firth("train skipgram a.txt -o run --phrases 2 --dim 8 --epochs 1 --threads 1").expect_code(0);
    for query in ["new_york_times", "New York Times", "new york times"] {
        assert_eq!(
            folder.firth_with(&["nearest", "run", query, "--json"], "").expect_code(0).stdout[..27],
            *"[{\"query\":\"new_york_times\","
        );
    }
    let ran = folder.firth_with(&["analogy", "run", "ice cream", "w1", "New York", "--top", "1"], "");
    assert!(ran.expect_code(0).stdout.starts_with("ice_cream w1 new_york\t"), "{}", ran.stdout);
    folder.firth_with(&["odd", "run", "Ice Cream", "w1", "new york"], "").expect_code(0);
    folder
        .firth_with(&["nearest", "run", "dead line"], "")
        .expect_error(2, &["\"dead line\" is not in the vocabulary"]);
    folder.write("keys.txt", "New York Times\nnew_york_times\nIce cream\ndead line\nW1\n");
    let ran = folder.firth("convert run few.csv --keys keys.txt");
    assert!(ran.expect_code(0).stderr.contains("1 of 5 keys have no vector (\"dead line\")"), "{}", ran.stderr);
    let mut keys: Vec<String> =
        folder.read("few.csv").lines().skip(1).map(|line| line.split(',').next().unwrap().into()).collect();
    keys.sort();
    assert_eq!(keys, ["ice_cream", "new_york_times", "w1"]);
    let word = folder.firth_with(&["embed", "run", "--words", "ice cream"], "").stdout;
    folder.write("new.txt", "Ice cream\nIce\ncream times\n");
    let pooled = folder.firth("embed run new.txt --pool mean");
    let first = pooled.expect_code(0).stdout.lines().next().map(|line| line.replacen("1\t", "ice_cream\t", 1));
    assert_eq!(first.as_deref(), Some(word.trim_end()));
    // A run of documents keeps the phrases of its words.
    folder.firth("embed run new.txt --pool mean -o pooled").expect_code(0);
    assert_eq!(folder.firth("embed pooled new.txt").stdout, pooled.stdout);
    assert_eq!(phrases_of(&folder, "embed pooled new.txt"), (2, 4), "ice and times are no words of their own");
}

#[test]
fn a_file_of_words_joins_phrases_or_tells_that_it_does_not() {
    let folder = folder();
    let flags = "--phrases 2 --dim 8 --epochs 1 --threads 1";
    folder.firth(&format!("train skipgram a.txt -o run {flags}")).expect_code(0);
    folder.firth(&format!("train skipgram a.txt -o trained.safetensors {flags}")).expect_code(0);
    folder.firth("convert run copy.safetensors").expect_code(0);
    folder.firth("convert copy.safetensors half.safetensors --dtype f16").expect_code(0);
    folder.write("new.txt", "New York Times and ice cream\nnew york dead line\n");
    let whole = folder.firth("embed run new.txt --pool mean").expect_code(0).stdout.clone();
    for model in ["copy.safetensors", "trained.safetensors", "run/words.safetensors"] {
        assert_eq!(folder.firth(&format!("embed {model} new.txt --pool mean")).expect_code(0).stdout, whole, "{model}");
    }
    folder.firth_with(&["nearest", "half.safetensors", "New York Times"], "").expect_code(0);
    folder.firth("embed copy.safetensors new.txt --tokenizer words").expect_error(2, &["a tokenizer of its own"]);
    let told = "drops the counts of";
    for (command, told) in [
        ("convert run a.bin", told),
        ("convert copy.safetensors b.csv", "how words of text are joined to phrases"),
        ("convert run c.static", "how words of text are joined to phrases"),
        (&format!("train skipgram a.txt -o d.bin {flags}"), told),
    ] {
        let said = folder.firth(command).expect_code(0).stderr.clone();
        let line = said.lines().find(|line| line.contains("how words of text are joined to phrases"));
        assert!(line.is_some_and(|line| line.contains("warning") && line.contains(told)), "{command}: {said}");
    }
}

#[test]
fn a_file_of_words_keeps_its_phrases_wherever_it_lies() {
    let folder = folder();
    let flags = "--phrases 2 --dim 8 --epochs 1 --threads 1";
    folder.write("new.txt", "New York Times and ice cream\nnew york dead line\n");
    folder.firth(&format!("train skipgram a.txt -o run {flags}")).expect_code(0);
    // Settings of the user's own make no run of the folder.
    folder.write("config.toml", "dim = 8\n");
    folder.firth(&format!("train skipgram a.txt -o words.safetensors {flags} --config config.toml")).expect_code(0);
    folder.firth("convert words.safetensors b.safetensors").expect_code(0);
    folder.firth("convert run plain/words.safetensors").expect_code(0);
    folder.firth("embed run --words -o all.safetensors").expect_code(0);
    let whole = folder.firth("embed run new.txt --pool mean").expect_code(0).stdout.clone();
    for model in ["words.safetensors", "b.safetensors", "plain", "plain/words.safetensors", "all.safetensors"] {
        assert_eq!(folder.firth(&format!("embed {model} new.txt --pool mean")).expect_code(0).stdout, whole, "{model}");
    }
}

#[test]
fn a_run_of_documents_joins_phrases_without_a_vocabulary() {
    let folder = folder();
    let flags = "--phrases 2 --min-n 3 --max-n 4 --buckets 500 --dim 8 --epochs 1 --threads 1";
    folder.firth(&format!("train skipgram a.txt -o w.safetensors {flags}")).expect_code(0);
    folder.write("keys.txt", "new_york_times\nw1\nunseen\n");
    folder.firth("convert w.safetensors k.safetensors --keys keys.txt").expect_code(0);
    folder.write("new.txt", "New York Times w1\n");
    let fitted = folder.firth("embed k.safetensors new.txt --pool mean").expect_code(0).stdout.clone();
    folder.firth("embed k.safetensors new.txt --pool mean -o run").expect_code(0);
    assert!(!folder.join("run/vocabulary.safetensors").exists(), "unseen has no count");
    folder.firth("convert run again.safetensors").expect_code(0);
    for command in ["embed run new.txt", "embed again.safetensors new.txt --pool mean"] {
        assert_eq!(folder.firth(command).expect_code(0).stdout, fitted, "{command}");
    }
    // Nor can a vocabulary be made of such words.
    for command in
        ["train cbow a.txt -o no --from k.safetensors", "corpus build a.txt -o no --vocabulary k.safetensors"]
    {
        folder.firth(command).expect_error(3, &["k.safetensors", "\"unseen\" has count 0", "--keys"]);
    }
}

/// How many of how many words a command says that the model knows.
fn phrases_of(folder: &Folder, command: &str) -> (u64, u64) {
    let ran = folder.firth(command);
    let said = ran.expect_code(0).stderr.lines().find(|line| line.contains("the model knows")).unwrap_or_default();
    let mut numbers = said.split(' ').filter_map(|word| word.parse().ok());
    numbers.next().zip(numbers.next()).unwrap_or_default()
}

#[test]
fn runs_of_documents_join_new_ones() {
    let folder = folder();
    folder.write("new.txt", "New York Times and ice cream\nnew york dead line\n");
    folder.firth("train pv-dbow a.txt -o pv --phrases 2 --dim 8 --epochs 1 --threads 1").expect_code(0);
    assert_eq!(phrases_of(&folder, "embed pv new.txt"), (5, 6), "new_york_times ice_cream new_york dead line");
    let flags = "--code 4 --hidden 8 --epochs 1 --phrases 1 --max-documents 100%";
    folder.firth(&format!("train autoencoder a.txt -o ae {flags}")).expect_code(0);
    assert_eq!(phrases_of(&folder, "embed ae new.txt").1, 7, "times is left over in the first pass");
    // An encoded corpus brings its phrases along.
    folder.firth("corpus build a.txt -o corpus --phrases 2").expect_code(0);
    folder.firth("train cbow corpus -o cbow --dim 8 --epochs 1 --threads 1").expect_code(0);
    folder.firth_with(&["nearest", "cbow", "New York Times"], "").expect_code(0);
}

#[test]
fn an_earlier_runs_phrases_are_joined_in_what_it_is_trained_on_with() {
    let folder = folder();
    folder.firth("train skipgram a.txt -o old --phrases 1 --dim 8 --epochs 1 --threads 1").expect_code(0);
    folder.write("new.txt", "new york zebra ice cream\n".repeat(8));
    folder.firth("train skipgram new.txt -o new --from old --grow-vocabulary --epochs 1 --threads 1").expect_code(0);
    folder.firth("train skipgram new.txt -o no --from old --phrases 1").expect_error(2, &["--phrases", "--from"]);
    let pairs = |path: &str| folder.json(&format!("info {path}"))["phrases"].as_array().map(Vec::len);
    for corpus in ["old", "new"] {
        assert!(phrases(&folder, corpus).contains(&"new_york".to_owned()), "{corpus}");
        assert_eq!((pairs(corpus), pairs(&format!("{corpus}/vocabulary.safetensors"))), (Some(1), Some(1)));
    }
    assert_eq!(folder.json("corpus info new")["tokens_joined"], 16);
    folder.firth("corpus build new.txt -o given --vocabulary old").expect_code(0);
    assert_eq!(folder.json("corpus info given")["tokens_joined"], 16);
    folder.firth("corpus build new.txt -o no --vocabulary old --phrases 1").expect_error(2, &["--phrases"]);
    folder.firth("train skipgram given -o more --from old --epochs 1").expect_code(0);
    folder.firth("corpus build a.txt -o other --phrases 2").expect_code(0);
    let ran = folder.firth("train skipgram other -o no --from old --epochs 1 --grow-vocabulary");
    ran.expect_error(2, &["other", "phrases", "--vocabulary old"]);
}

#[test]
fn a_file_of_words_serves_as_the_vocabulary_of_a_corpus() {
    let folder = folder();
    let flags = "--phrases 1 --dim 8 --epochs 1 --threads 1";
    folder.firth(&format!("train skipgram a.txt -o w.safetensors {flags}")).expect_code(0);
    folder.firth("corpus build a.txt -o plain").expect_code(0);
    let ran = folder.firth("train skipgram plain -o no --from w.safetensors --epochs 1");
    ran.expect_error(2, &["plain", "phrases", "--vocabulary w.safetensors"]);
    folder.firth("corpus build a.txt -o joined --vocabulary w.safetensors").expect_code(0);
    folder.firth("train skipgram joined -o more --from w.safetensors --epochs 1").expect_code(0);
    folder.firth("convert w.safetensors bare.bin").expect_code(0);
    let ran = folder.firth("corpus build a.txt -o no --vocabulary bare.bin");
    ran.expect_error(3, &["bare.bin", "how often its words occur", "give a run"]);
}

#[test]
fn flags_without_effect_or_out_of_range_are_refused() {
    let folder = folder();
    for (flags, part) in [
        ("--phrase-threshold 5", "--phrases 1"),
        ("--phrase-min-count 5", "--phrases 1"),
        ("--phrase-score npmi", "--phrases 1"),
        ("--phrases 9", "--phrases"),
        ("--phrases 1 --phrase-score npmi --phrase-threshold 2", "--phrase-threshold"),
        ("--phrases 1 --phrase-threshold -2", "--phrase-threshold"),
        ("--phrases 1 --phrase-score npmi --phrase-delta 3", "--phrase-delta"),
        ("--phrases 1 --phrase-score pmi", "npmi"),
    ] {
        folder.firth(&format!("corpus build a.txt -o no {flags}")).expect_error(2, &[part]);
        folder.firth(&format!("train skipgram a.txt -o no {flags}")).expect_error(2, &[part]);
    }
    folder.firth("corpus build a.txt -o corpus").expect_code(0);
    folder.firth("train skipgram corpus -o no --phrases 1").expect_error(2, &["--phrases", "encoded already"]);
}
