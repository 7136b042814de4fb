struct Users {
    count: u64,
}
impl Users {
    const TABLE: &str = "users";
    fn add(&mut self, name: &str) -> Result<u64, String> {
        let mut entry = ::monitor_runtime::private::Site::enter(
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
        let begun = ::monitor_runtime::private::begin(&mut entry);
        let result: Result<u64, String> = match () {
            () => {
                self.count += 1;
                Ok(self.count)
            }
        };
        #[allow(unreachable_code)]
        begun.end(&::monitor_runtime::private::classify(&result).monitor_classify(&result));
        match result {
            #[allow(clippy::implicit_return)]
            result => result,
        }
    }
    fn count(&self) -> u64 {
        self.count
    }
}
