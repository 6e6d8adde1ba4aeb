//! `rules`: counts, thresholds, planted rules, what is refused.

use crate::support::Folder;

/// Ten baskets: bread with butter four times, butter alone never, tea in seven.
fn folder() -> Folder {
    let folder = Folder::new();
    let baskets =
        "bread,butter,tea\nbread,butter\nbread, butter\nbutter,bread,tea\nbread\ntea\ntea,salt\ntea\ntea\ntea\n";
    folder.write("baskets.csv", baskets);
    folder
}

#[test]
fn rules_are_printed_with_exact_figures() {
    let ran = folder().firth("rules baskets.csv --min-support 20% --max-items 2 --no-estimate");
    ran.expect_code(0);
    let expected = "bread => butter\t0.400000\t0.8000\t2.00\t4\t-\nbutter => bread\t0.400000\t1.0000\t2.00\t4\t-\n";
    assert_eq!(ran.stdout, expected);
}

#[test]
fn the_promised_json_fields_are_there() {
    let folder = folder();
    let rules = folder.json("rules baskets.csv --min-support 4 --min-confidence 0.9 --no-estimate");
    assert_eq!(rules.as_array().map(Vec::len), Some(1));
    let rule = &rules[0];
    assert_eq!((&rule["if"], &rule["then"]), (&serde_json::json!(["butter"]), &serde_json::json!(["bread"])));
    assert_eq!((&rule["count"], &rule["support"], &rule["confidence"]), (&4.into(), &0.4.into(), &1.0.into()));
    assert_eq!(rule["lift"], 2.0);
    assert!(rule["estimate"].is_null() && rule["conviction"].is_null() && rule["leverage"].is_f64());
}

#[test]
fn thresholds_and_a_single_item_narrow_the_rules() {
    let folder = folder();
    let count = |flags: &str| {
        folder.firth(&format!("rules baskets.csv --no-estimate {flags}")).expect_code(0).stdout.lines().count()
    };
    assert_eq!(count("--min-support 1 --min-confidence 0 --min-lift 0 --top 3"), 3);
    assert!(count("--min-support 1 --min-confidence 0 --min-lift 0") > 8);
    assert_eq!(count("--min-support 1 --min-confidence 0 --min-lift 0 --with salt"), 2);
    assert_eq!(count("--min-support 20% --min-lift 2.6"), 0);
    folder
        .firth("rules baskets.csv --no-estimate --with buter")
        .expect_error(2, &["\"buter\" is no item in baskets.csv", "\"butter\""]);
}

#[test]
fn itemsets_are_listed_most_frequent_first() {
    let folder = folder();
    let ran = folder.firth("rules baskets.csv --min-support 3 --itemsets");
    let expected = "tea\t0.700000\t7\nbread\t0.500000\t5\nbread, butter\t0.400000\t4\nbutter\t0.400000\t4\n";
    assert_eq!(ran.expect_code(0).stdout, expected);
    let sets = folder.json("rules baskets.csv --min-support 3 --itemsets --with butter --max-items 1");
    assert_eq!(sets, serde_json::json!([{"items": ["butter"], "count": 4, "support": 0.4}]));
}

#[test]
fn rules_go_into_a_file_as_lines_or_as_json() {
    let folder = folder();
    let command = "rules baskets.csv --min-support 20% --max-items 2 --no-estimate";
    let [printed, json] = ["", " --json"].map(|flag| folder.firth(&format!("{command}{flag}")).stdout);
    let ran = folder.firth(&format!("{command} -o rules.tsv"));
    assert_eq!((ran.expect_code(0).stdout.as_str(), folder.read("rules.tsv")), ("", printed));
    assert!(ran.stderr.contains("2 results in rules.tsv"), "{}", ran.stderr);
    let report = folder.json(&format!("{command} -o rules.json"));
    assert_eq!(report, serde_json::json!({"output": "rules.json", "results": 2}));
    assert_eq!(folder.read("rules.json"), json.trim_end());
    folder.firth(&format!("{command} -o rules.csv")).expect_code(0);
    let csv = "rule,support,confidence,lift,count,estimate\n\
               bread => butter,0.400000,0.8000,2.00,4,-\nbutter => bread,0.400000,1.0000,2.00,4,-\n";
    assert_eq!(folder.read("rules.csv"), csv);
    folder.firth("rules baskets.csv --min-support 3 --itemsets -o sets.CSV --quiet").expect_code(0);
    assert!(folder.read("sets.CSV").contains("\n\"bread, butter\",0.400000,4\n"), "{}", folder.read("sets.CSV"));
    folder.firth("rules baskets.csv --itemsets -o sets.tsv --quiet").expect_code(0);
    assert!(folder.read("sets.tsv").starts_with("tea\t0.700000\t7\n"));
    folder.firth(&format!("{command} -o rules.tsv")).expect_error(2, &["rules.tsv", "--force"]);
    folder.firth(&format!("{command} -o baskets.csv --force")).expect_error(2, &["baskets.csv"]);
    folder.firth("rules baskets.csv --evaluate -o x").expect_error(2, &["--output: has no effect", "--evaluate"]);
    folder.firth(&format!("{command} --force")).expect_error(2, &["--force"]);
}

/// The baskets of a planted corpus, and the rules that are in them.
fn planted() -> (Folder, Vec<(Vec<String>, String, f64)>) {
    let folder = Folder::new();
    folder.firth("corpus generate topics -o topics").expect_code(0);
    let goods = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
    let baskets: String = folder
        .read("topics/baskets.tsv")
        .lines()
        .filter_map(|line| line.split('\t').nth(1))
        .map(|goods| format!("{goods}\n"))
        .collect();
    folder.write("baskets.csv", baskets);
    let rules = folder.read("topics/rules.tsv");
    let rule = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        (goods(fields[0]), fields[1].to_owned(), fields[3].parse().expect("a confidence"))
    };
    let rules = rules.lines().filter(|line| !line.starts_with("antecedent")).map(rule).collect();
    (folder, rules)
}

#[test]
fn planted_rules_are_found_with_their_confidence() {
    let (folder, planted) = planted();
    let rules = folder.json("rules baskets.csv --min-support 1% --min-confidence 50% --top 1000 --no-estimate");
    assert!(planted.len() > 3);
    for (antecedent, consequent, confidence) in planted {
        let found = rules.as_array().expect("rules").iter().find(|rule| {
            let side = |name: &str| serde_json::from_value::<Vec<String>>(rule[name].clone()).expect("names");
            let mut antecedent = antecedent.clone();
            antecedent.sort();
            side("if") == antecedent && side("then") == [consequent.clone()]
        });
        let found = found.and_then(|rule| rule["confidence"].as_f64()).expect("a planted rule");
        assert!((found - confidence).abs() < 1e-3, "{antecedent:?} => {consequent}: {found}, planted {confidence}");
    }
}

#[test]
fn the_decoders_estimate_stands_beside_the_count() {
    let (folder, _) = planted();
    let rules = folder.json("rules baskets.csv --min-support 2% --min-confidence 50% --max-items 2 --top 20");
    for rule in rules.as_array().expect("rules") {
        let (counted, estimate) = (rule["confidence"].as_f64().expect("counted"), rule["estimate"].as_f64());
        assert!(estimate.is_some_and(|estimate| (estimate - counted).abs() < 0.3), "{rule}");
    }
}

#[test]
fn methods_are_measured_by_the_hidden_item() {
    let (folder, _) = planted();
    let measured = folder.json("rules baskets.csv --evaluate");
    let names: Vec<_> = measured.as_array().expect("a list").iter().map(|row| row["method"].clone()).collect();
    assert_eq!(names, ["popularity", "rules", "ease", "autoencoder"]);
    let hits = |at: usize, name: &str| measured[at][name].as_f64().expect("a number");
    for at in 1..4 {
        assert!(hits(at, "hit@10") > hits(0, "hit@10") && hits(at, "mrr") > hits(0, "mrr"), "{measured}");
    }
}

#[test]
fn methods_without_an_autoencoder_are_measured_alone() {
    let (folder, _) = planted();
    let ran = folder.firth("rules baskets.csv --evaluate --no-estimate");
    let methods: Vec<_> = ran.expect_code(0).stdout.lines().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(methods, ["popularity", "rules", "ease"]);
}

#[test]
fn too_many_itemsets_are_refused_with_the_remedy() {
    let folder = Folder::new();
    let basket: Vec<String> = (0..60).map(|item| format!("item{item}")).collect();
    folder.write("wide.csv", format!("{}\n", basket.join(",")).repeat(20));
    let ran = folder.firth("rules wide.csv --max-items 10 --no-estimate");
    ran.expect_error(2, &["itemsets", "raise --min-support", "--max-items"]);
}

#[test]
fn bad_input_and_flags_are_refused() {
    let folder = folder();
    folder.write("empty.csv", "\n\n");
    for (arguments, code, parts) in [
        ("rules empty.csv", 3, vec!["empty.csv", "no basket"]),
        ("rules none.csv", 3, vec!["none.csv"]),
        ("rules baskets.csv --min-support 0", 2, vec!["--min-support", "0.5%"]),
        ("rules baskets.csv --min-support 200%", 2, vec!["--min-support", "100%"]),
        ("rules baskets.csv --min-confidence 2", 2, vec!["--min-confidence", "0 to 1"]),
        ("rules baskets.csv --min-lift -1", 2, vec!["-1"]),
        ("rules baskets.csv --max-items 11", 2, vec!["--max-items", "1 to 10"]),
        ("rules baskets.csv --max-items 1", 2, vec!["--max-items", "--itemsets"]),
        ("rules baskets.csv --itemsets --min-lift 2", 2, vec!["--min-lift", "no effect"]),
        ("rules baskets.csv --itemsets --no-estimate", 2, vec!["--no-estimate", "no effect"]),
        ("rules baskets.csv --evaluate --top 3", 2, vec!["--top", "no effect"]),
        ("rules baskets.csv --evaluate --itemsets", 2, vec!["cannot be used with"]),
        ("rules baskets.csv --evaluate", 3, vec!["baskets", "at least 5"]),
    ] {
        folder.firth(arguments).expect_error(code, &parts);
    }
}
