struct Users {
    count: u64,
}
impl Users {
    const TABLE: &str = "users";
    fn add(&mut self, name: &str) -> Result<u64, String> {
        let entry = ::monitor_runtime::private::Site::enter(
            ::monitor_runtime::private::site!(
                Query,
                "Users::add",
                "add",
                operation = "insert",
                level = ::monitor_runtime::private::Level::DEBUG,
                fields = &["query", "name"]
            ),
            |opening| {
                opening.span(&[
                    opening.id(),
                    ::core::option::Option::Some(::monitor_runtime::private::value(&(name))),
                ])
            },
        );
        return ::monitor_runtime::private::track(
            entry,
            move || -> Result<u64, String> {
                self.count += 1;
                Ok(self.count)
            },
            |result| ::monitor_runtime::private::verdict!(result),
        );
    }
    fn count(&self) -> u64 {
        self.count
    }
}
