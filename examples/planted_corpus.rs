//! Grows a planted corpus and writes it, with its answers, into a folder.
//!
//!     cargo run --release --example planted_corpus -- world 1 25000 planted

use std::path::Path;

use firth::corpus::synthetic::Planted;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, seed, documents, folder] = arguments.as_slice() else {
        return Err("usage: planted_corpus KIND SEED DOCUMENTS FOLDER".into());
    };

    // # Growing
    // The same kind, seed and size give the same text on every machine.
    let planted = Planted::grow(kind, seed.parse()?, documents.parse()?)?;
    let questions: usize = planted.analogies.iter().map(|section| section.questions.len()).sum();
    println!("{} documents, {questions} questions", planted.documents.len());

    // # Writing
    // Text, labels and answers, each in a file of its own; README.txt says what they hold.
    for path in planted.write(Path::new(folder))? {
        println!("{}", path.display());
    }
    Ok(())
}
