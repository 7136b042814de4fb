//! The kept inputs, run as they are: what they once found stays found, without a fuzzer.

use std::fs;
use std::path::Path;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let inputs: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(inputs.len() > 10, "the corpus of {target} is there");
    for input in inputs {
        run(&fs::read(&input).unwrap());
    }
}

#[test]
fn log_lines_of_the_corpus_say_what_the_model_says() {
    replay("json_line", monitor_fuzz::json_line);
}

#[test]
fn label_values_of_the_corpus_are_read_as_they_were_written() {
    replay("exposition", monitor_fuzz::exposition);
}

#[test]
fn headers_of_the_corpus_are_taken_or_left_by_the_rules() {
    replay("headers", monitor_fuzz::headers);
}

#[test]
fn arguments_of_the_corpus_neither_panic_nor_lose_the_item() {
    replay("arguments", monitor_fuzz::arguments);
}
