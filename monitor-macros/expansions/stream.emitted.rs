use futures_core::Stream;
fn tokens(reply: impl Stream<Item = String>) -> impl Stream<Item = String> {
    let entry = ::monitor_runtime::private::Site::enter_plain(::monitor_runtime::private::site!(
        Skill, "tokens", "tokens"
    ));
    #[allow(clippy::closure_returning_async_block, clippy::result_large_err)]
    let body = ::monitor_runtime::private::once(move || {
        ::monitor_runtime::private::captured(&reply);
        reply
    });
    match ::monitor_runtime::private::track_typed_stream(entry, body, |result: &String| {
        ::monitor_runtime::private::verdict!(
            result,
            ::monitor_runtime::private::error_if(result, String::is_empty)
        )
    }) {
        #[allow(clippy::implicit_return)]
        result => result,
    }
}
