use monitor_runtime::track_query;

struct Users {
    count: u64,
}

#[track_query(level = "debug")]
impl Users {
    const TABLE: &str = "users";

    #[track(operation = "insert", fields(name))]
    fn add(&mut self, name: &str) -> Result<u64, String> {
        self.count += 1;
        Ok(self.count)
    }

    #[track(skip)]
    fn count(&self) -> u64 {
        self.count
    }
}
