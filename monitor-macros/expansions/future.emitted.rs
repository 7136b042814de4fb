fn plan(name: &str) -> impl Future<Output = usize> + use<> {
    let entry = ::monitor_runtime::private::Site::enter_as(
        ::monitor_runtime::private::site!(Agent, "plan", "plan"),
        &(name),
        ::monitor_runtime::private::without_fields,
    );
    #[allow(clippy::closure_returning_async_block, clippy::result_large_err)]
    let body = ::monitor_runtime::private::once(move || std::future::ready(name.len()));
    match ::monitor_runtime::private::track_typed_future(entry, body, |result: &usize| {
        ::monitor_runtime::private::verdict!(result)
    }) {
        #[allow(clippy::implicit_return)]
        result => result,
    }
}
