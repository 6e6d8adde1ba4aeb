//! `recommend`: from ratings and histories to items, and what is refused.

use crate::support::Folder;

/// Two kinds of films: who likes one of a kind likes all of it but one, which is told by the user's number. Everybody
/// dislikes film 99.
fn folder() -> Folder {
    let folder = Folder::new();
    let mut ratings = String::from("userId,movieId,rating,timestamp\n");
    for user in 1..=60 {
        let (first, left_out) = if user % 2 == 0 { (10, 10 + user / 2 % 8) } else { (20, 20 + user / 2 % 8) };
        for film in (first..first + 8).filter(|film| *film != left_out) {
            ratings += &format!("{user},{film},4.5,0\n");
        }
        ratings += &format!("{user},99,1.0,0\n");
    }
    folder.write("ratings.csv", ratings);
    let titles: String = (10..28).map(|film| format!("{film},\"Film, the {film}th\",Drama\n")).collect();
    folder.write("movies.csv", format!("movieId,title,genres\n{titles}"));
    folder
}

#[test]
fn a_user_is_recommended_the_missing_film_with_its_title() {
    let folder = folder();
    for method in ["ease", "knn"] {
        let ran =
            folder.firth(&format!("recommend ratings.csv --user 2 7 --top 1 --method {method} --items movies.csv"));
        ran.expect_code(0);
        let rows: Vec<Vec<&str>> = ran.stdout.lines().map(|line| line.split('\t').collect()).collect();
        assert_eq!(rows[0][..4], ["2", "1", "11", "Film, the 11th"], "{method}");
        assert_eq!(rows[1][..4], ["7", "1", "23", "Film, the 23th"], "{method}");
        assert!(rows[0][4].parse::<f64>().is_ok_and(|score| score > 0.0) && rows.len() == 2);
    }
}

#[test]
fn the_autoencoder_and_the_sum_find_it_as_well() {
    let folder = folder();
    for method in ["--method autoencoder", "--method sum", ""] {
        let found = folder.json(&format!("recommend ratings.csv --user 2 --top 1 {method}"));
        assert_eq!(found[0]["results"][0]["item"], "11", "{method}");
        assert_eq!(found, folder.json(&format!("recommend ratings.csv --user 2 --top 1 {method} --threads 2")));
    }
}

#[test]
fn the_promised_json_fields_are_there() {
    let folder = folder();
    let found = folder.json("recommend ratings.csv --user 2 --top 3 --method ease --items movies.csv");
    assert_eq!((&found[0]["user"], &found[0]["results"][0]["item"]), (&"2".into(), &"11".into()));
    assert_eq!(found[0]["results"][0]["title"], "Film, the 11th");
    assert!(found[0]["results"][0]["score"].is_f64() && found[0]["results"].as_array().map(Vec::len) == Some(3));
    let found = folder.json("recommend ratings.csv --user 2 --method ease");
    assert!(found[0]["results"][0]["title"].is_null());
}

#[test]
fn what_a_user_has_had_is_not_recommended_even_if_disliked() {
    let folder = folder();
    let ran = folder.firth("recommend ratings.csv --user 2 --method popularity --min-rating 0 --top 50");
    let items: Vec<&str> = ran.expect_code(0).stdout.lines().filter_map(|line| line.split('\t').nth(2)).collect();
    assert_eq!(items.len(), 9, "{items:?}");
    assert!(!items.contains(&"99") && !items.contains(&"10") && items.contains(&"11"), "{items:?}");
    // With a threshold nobody likes the film, and it is not there at all.
    let ran = folder.firth("recommend ratings.csv --user 2 --method popularity --top 50");
    assert!(ran.expect_code(0).stdout.lines().all(|line| line.split('\t').nth(2) != Some("99")));
}

#[test]
fn similar_items_are_found_by_id_and_by_title() {
    let folder = folder();
    for (item, method) in [("12", "knn"), ("12", "ease"), ("film, the 12th", "knn")] {
        let arguments =
            ["recommend", "ratings.csv", "--items", "movies.csv", "--json", "--top", "7", "--method", method];
        let ran = folder.firth_with(&[&arguments[..], &["--similar", item]].concat(), "");
        let found: serde_json::Value = serde_json::from_str(&ran.expect_code(0).stdout).expect("JSON");
        assert_eq!((&found[0]["item"], &found[0]["title"]), (&"12".into(), &"Film, the 12th".into()));
        let results = found[0]["results"].as_array().expect("results");
        assert_eq!(results.len(), 7);
        for result in results {
            let film: u32 = result["item"].as_str().and_then(|film| film.parse().ok()).expect("a number");
            assert!((10..18).contains(&film) && film != 12, "{results:?}");
        }
    }
    folder.firth("recommend ratings.csv --similar 12 --method sum").expect_error(2, &["--method", "knn or ease"]);
}

#[test]
fn all_users_go_to_a_file_whole() {
    let folder = folder();
    folder.firth("recommend ratings.csv --all-users --method ease --top 2 -o out.tsv").expect_code(0);
    let text = folder.read("out.tsv");
    assert_eq!(text.lines().count(), 120);
    assert!(text.starts_with("1\t1\t20\t\t"), "{text}");
    folder.firth("recommend ratings.csv --all-users --method ease -o out.tsv").expect_error(2, &["--force"]);
    let report = folder.json("recommend ratings.csv --all-users --method ease --top 1 -o out.json --force");
    assert_eq!((&report["queries"], &report["results"]), (&60.into(), &60.into()));
    let found: serde_json::Value = serde_json::from_str(&folder.read("out.json")).expect("JSON");
    assert_eq!(found[1]["results"][0]["item"], "11");
    folder.firth("recommend ratings.csv --user 1 --method ease -o ratings.csv --force").expect_error(2, &["input"]);
    assert_eq!(folder.names(), ["movies.csv", "out.json", "out.tsv", "ratings.csv"]);
}

#[test]
fn every_method_is_measured_on_held_out_users() {
    let folder = folder();
    let measured = folder.json("recommend ratings.csv --evaluate --rounds 2 --seed 3");
    let names: Vec<_> = measured.as_array().expect("a list").iter().map(|row| row["method"].clone()).collect();
    assert_eq!(names, ["popularity", "knn", "ease", "autoencoder", "sum"]);
    for row in measured.as_array().expect("a list") {
        assert!(row["recall@20"].is_f64() && row["seconds"].is_f64(), "{row}");
        assert_eq!(row["users"], 60, "half of 60 users in each of two rounds");
    }
    let alone = folder.json("recommend ratings.csv --evaluate --method ease --seed 3");
    assert_eq!((&alone[0]["ndcg@100"], alone.as_array().map(Vec::len)), (&measured[2]["ndcg@100"], Some(1)));
    let score = |at: usize| measured[at]["ndcg@100"].as_f64().expect("a number");
    assert!(score(2) > score(0) + 0.1 && score(4) > score(0) + 0.1, "{measured}");
}

#[test]
fn histories_packed_files_and_tables_without_header_are_read() {
    let folder = Folder::new();
    let history = |user: usize| if user.is_multiple_of(2) { "a,b,c" } else { "x, y,z" };
    let lines: String = (0..30).map(|user| format!("u{user}\t{}\n", history(user))).collect();
    folder.write("histories.txt", lines + "new\ta,b\n");
    let flags = "--method ease --min-items 2 --top 1";
    let ran = folder.firth(&format!("recommend histories.txt --user new {flags}"));
    assert!(ran.expect_code(0).stdout.starts_with("new\t1\tc\t\t"), "{}", ran.stdout);
    let lines: String = (0..30).map(|user| format!("{}\n", history(user))).collect();
    let ran =
        folder.firth_with(&["recommend", "-", "--user", "31", "--method", "knn", "--min-items", "2"], lines + "b,c\n");
    assert!(ran.expect_code(0).stdout.starts_with("31\t1\ta\t\t"), "{}", ran.stdout);
    let rows: String =
        (0..30).flat_map(|user| (0..3).map(move |item| format!("{user}\t{}\t5\t0\n", item + user % 2 * 3))).collect();
    folder
        .write("u.data", zstd::encode_all(format!("{rows}77\t0\t5\t0\n77\t1\t4\t0\n").as_bytes(), 1).expect("memory"));
    let ran = folder.firth(&format!("recommend u.data --user 77 {flags}"));
    assert!(ran.expect_code(0).stdout.starts_with("77\t1\t2\t\t"), "{}", ran.stdout);
}

#[test]
fn a_stranger_is_recommended_what_is_popular_with_a_warning() {
    let folder = folder();
    let text = folder.read("ratings.csv") + "300,12345,5,0\n";
    folder.write("ratings.csv", text);
    let ran = folder.firth("recommend ratings.csv --user 300 --method ease --top 3");
    assert_eq!(ran.expect_code(0).stdout.lines().count(), 3);
    assert!(ran.stderr.contains("warning") && ran.stderr.contains("popular"), "{}", ran.stderr);
}

#[test]
fn unknown_users_and_items_get_the_nearest() {
    let folder = folder();
    let unknown = ["\"611\" is no user in ratings.csv; did you mean \"11\"?"];
    folder.firth("recommend ratings.csv --user 611 --method ease").expect_error(2, &unknown);
    folder
        .firth("recommend ratings.csv --similar 112")
        .expect_error(2, &["\"112\" is no item in ratings.csv; did", "12"]);
    let disliked = ["\"99\" is an item in ratings.csv", "--min-users"];
    folder.firth("recommend ratings.csv --similar 99").expect_error(2, &disliked);
}

#[test]
fn what_the_thresholds_leave_out_is_told() {
    let folder = folder();
    let ran = folder.firth("recommend ratings.csv --user 2 --method knn --top 1");
    ran.expect_code(0);
    let told = "firth: 60 users, 16 items, 420 events\n\
                firth: not learnt from, by --min-rating, --min-users and --min-items: 1 item, 60 events\n";
    assert_eq!(ran.stderr, told);
    let ran = folder.firth("recommend ratings.csv --user 2 --method knn --top 1 --min-rating 0");
    assert_eq!(ran.expect_code(0).stderr, "firth: 60 users, 17 items, 480 events\n");
}

#[test]
fn files_are_tables_of_the_kind_that_their_names_tell() {
    let folder = folder();
    for name in ["out.csv", "out.tsv"] {
        let flags =
            ["recommend", "ratings.csv", "--items", "movies.csv", "--user", "2", "--method", "knn", "--top", "1"];
        folder.firth_with(&[&flags[..], &["-o", name]].concat(), "").expect_code(0);
    }
    let score = folder.read("out.tsv").trim_end().rsplit('\t').next().unwrap_or_default().to_owned();
    assert_eq!(folder.read("out.tsv"), format!("2\t1\t11\tFilm, the 11th\t{score}\n"));
    let csv = format!("user,rank,item,title,score\n2,1,11,\"Film, the 11th\",{score}\n");
    assert_eq!(folder.read("out.csv"), csv);
}

#[test]
fn bad_input_names_line_and_remedy() {
    let folder = folder();
    folder.write("bad.csv", "userId,movieId,rating\n1,2,5\n1,3,good\n");
    folder.firth("recommend bad.csv --user 1").expect_error(3, &["bad.csv, line 3", "\"good\"", "expected a number"]);
    folder.write("short.csv", "userId,movieId,rating\n1,2\n");
    folder.firth("recommend short.csv --user 1").expect_error(3, &["short.csv, line 2", "2 columns", "at least 3"]);
    folder.write("few.csv", "userId,movieId,rating\n1,2,5\n");
    folder.firth("recommend few.csv --user 1").expect_error(3, &["--min-items", "--min-users"]);
    folder.firth("recommend none.csv --user 1").expect_error(3, &["none.csv"]);
    folder.firth("recommend ratings.csv --user 1 --item-field film").expect_error(3, &["\"film\"", "movieId"]);
    folder.write("other.csv", "movieId,title\n1,One\n");
    let ran = folder.firth("recommend ratings.csv --user 1 --method ease --items other.csv");
    ran.expect_error(3, &["other.csv", "no title"]);
}

#[test]
fn flags_without_effect_are_refused() {
    let folder = folder();
    folder.write("histories.txt", "a,b\nb,c\n");
    for (arguments, parts) in [
        ("recommend ratings.csv", vec!["--user", "--evaluate"]),
        ("recommend ratings.csv --user 1 --evaluate", vec!["cannot be used with"]),
        ("recommend ratings.csv --user 1 --rounds 3", vec!["--rounds", "--evaluate"]),
        ("recommend ratings.csv --evaluate --top 3", vec!["--top", "no effect"]),
        ("recommend ratings.csv --evaluate -o x", vec!["--output", "no effect"]),
        ("recommend ratings.csv --user 1 --force", vec!["--force", "no effect"]),
        ("recommend histories.txt --user 1 --min-rating 3", vec!["--min-rating", "no ratings"]),
        ("recommend ratings.csv --user 1 --method eas", vec!["eas", "ease"]),
        ("recommend ratings.csv --user 1 --min-items 0", vec!["--min-items", "from 1"]),
    ] {
        folder.firth(arguments).expect_error(2, &parts);
    }
    assert_eq!(folder.names(), ["histories.txt", "movies.csv", "ratings.csv"]);
}
