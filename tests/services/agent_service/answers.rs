//! The answers of the service.

use serde_json::json;

use crate::support::service::{Service, command, notes};

#[test]
fn an_answer_comes_with_its_sources() {
    let service = Service::on(&notes());
    let response = service.ask("Which water does green tea want?");
    assert_eq!((response.status, response.header("content-type")), (200, Some("application/json")));

    let mut answer = response.json();
    let answer_id = answer["answer_id"].take();
    assert_eq!(
        answer,
        json!({
            "answer_id": null,
            "answer": "Green tea wants water of 80 degrees.",
            "sources": [{ "file": "tea.md", "heading": "Tea > Green tea" }],
            "rounds": 1,
        })
    );
    assert_eq!(service.runs()[0]["answer_id"], answer_id);
}

#[test]
fn a_draft_that_is_sent_back_is_done_better() {
    let answer = Service::on(&notes()).ask("Warm cups and boiling water").json();
    assert_eq!(answer["answer"], "Warm the cups before you pour.\n\nIt wants boiling water.");
    let cups = json!({ "file": "table/cups.md", "heading": "Cups" });
    assert_eq!(answer["sources"], json!([cups, { "file": "tea.md", "heading": "Tea > Black tea" }]));
    assert_eq!(answer["rounds"], 2);
}

#[test]
fn an_answer_says_what_it_leaves_open() {
    let answer = Service::on(&notes()).ask("How many degrees for green tea in Japan?").json();
    assert_eq!(
        answer["answer"],
        "Green tea wants water of 80 degrees.\n\nThe notes say nothing about: many, japan."
    );
    assert_eq!(answer["rounds"], 3);
}

#[test]
fn a_question_beyond_the_notes_is_not_found() {
    let response = Service::on(&notes()).ask("Who invented the steam engine?");
    assert_eq!(response.status, 404);
    assert_eq!(response.json(), json!({ "error": "the notes have no answer to this question" }));
}

#[test]
fn a_question_that_is_none_is_refused_with_the_reason() {
    let service = Service::on(&notes());
    let expected = "expected a body such as {\"question\": \"what is a skill?\"}";
    let long = |characters| json!({ "question": "x".repeat(characters) }).to_string();
    for (body, status, reason) in [
        ("", 400, expected),
        ("{\"question\":", 400, expected),
        ("{\"query\": \"tea\"}", 400, "missing field `question`"),
        ("{\"question\": 7}", 400, "invalid type: integer `7`, expected a string"),
        ("{\"question\": \" \"}", 400, "the question is empty"),
        ("{\"question\": \"?!\"}", 400, "the question has no word in it"),
        (r#"{"question": "green\u0000tea"}"#, 400, "the question has the character U+0000 in it"),
        (r#"{"question": "tea", "timeout_ms": 0}"#, 400, "invalid value: integer `0`, expected a nonzero"),
        (r#"{"question": "tea", "timeout_ms": "1s"}"#, 400, "invalid type: string"),
        (&long(501), 400, "the question has 501 characters; at most 500 are taken"),
        (&long(20_000), 413, "the body is longer than 16384 bytes"),
    ] {
        let response = service.post(body);
        let error = response.json()["error"].as_str().map(str::to_owned).unwrap();
        assert!(
            response.status == status && error.contains(reason),
            "{body:.40}: {} {error}",
            response.status
        );
    }
    assert_eq!(service.post(&long(500)).status, 404, "500 characters are taken");
    assert_eq!(service.runs().len(), 1, "what is refused is no run");
}

#[test]
fn other_routes_and_methods_are_refused_in_json() {
    let service = Service::on(&notes());
    assert_eq!(service.get("/ask").status, 405);
    let nowhere = service.get("/nowhere");
    assert_eq!(nowhere.status, 404);
    assert!(nowhere.json()["error"].as_str().is_some_and(|error| error.contains("POST /ask")));
}

#[test]
fn runs_are_listed_with_the_newest_first() {
    let service = Service::on(&notes());
    for question in ["Green tea?", "Who invented the steam engine?", "  Warm cups? "] {
        service.ask(question);
    }
    let runs = service.runs();
    let column = |name: &str| -> Vec<_> { runs.iter().map(|run| run[name].clone()).collect() };
    assert_eq!(column("question"), ["Warm cups?", "Who invented the steam engine?", "Green tea?"]);
    assert_eq!(column("status"), ["answered", "unanswered", "answered"]);
    assert_eq!(column("rounds"), [1, 2, 1]);
    assert_eq!(column("answer")[0], "Warm the cups before you pour.");
    assert!(column("answer")[1].is_null());
    assert!(column("ended_at").is_sorted_by(|newer, older| newer.as_str() >= older.as_str()));
}

#[test]
fn without_options_it_answers_about_this_project() {
    let service = Service::start(&mut command());
    let response = service.ask("what is a skill?");
    assert_eq!(response.status, 200, "{}", response.body);
    assert!(response.json()["sources"][0]["file"].as_str().is_some_and(|file| file.contains(".md")));
}
