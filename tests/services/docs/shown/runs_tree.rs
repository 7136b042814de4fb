use monitor_runtime::{run, track_agent, track_query, track_skill};

#[track_skill]
fn web_search(words: &str) -> Result<Vec<&'static str>, String> {
    if words == "tea" { Ok(vec!["green", "black"]) } else { Err(format!("nothing about {words:?}")) }
}

#[track_query("save_note", operation = "insert")]
fn save_note(_note: &str) {}

#[track_agent("writer")]
fn write(found: &[&str]) {
    for note in found {
        save_note(note);
    }
}

#[track_agent("planner")]
fn plan() -> Result<(), String> {
    let found = web_search("teas").or_else(|_| web_search("tea"))?;
    write(&found);
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runs = run::builder().start()?;
    plan()?;
    println!("{}", runs.newest()[0]);
    Ok(())
}
