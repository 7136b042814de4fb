use futures_core::Stream;
fn tokens(reply: impl Stream<Item = String>) -> impl Stream<Item = String> {
    let entry = ::monitor_runtime::private::Site::enter_plain(::monitor_runtime::private::site!(
        Skill, "tokens", "tokens"
    ));
    return ::monitor_runtime::private::track_promised_stream::<String, _>(
        entry,
        move || {
            ::monitor_runtime::private::captured(&reply);
            { reply }
        },
        |result| {
            ::monitor_runtime::private::verdict!(
                result,
                ::monitor_runtime::private::error_if(result, String::is_empty)
            )
        },
    );
}
