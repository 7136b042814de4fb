use monitor_runtime::track_skill;

fn is_empty(text: &String) -> bool {
    text.is_empty()
}

#[track_skill(error_if = is_empty)]
async fn search(query: &str) -> Vec<u8> {
    query.into()
}

fn main() {
    is_empty(&String::new());
    let _ = search("rust");
}
