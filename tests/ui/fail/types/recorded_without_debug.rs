use monitor_runtime::track_skill;

struct Secret;

#[track_skill(record(secret, %page, result))]
fn open(secret: Secret, page: Vec<u8>) -> Secret {
    secret
}

fn main() {
    open(Secret, vec![]);
}
