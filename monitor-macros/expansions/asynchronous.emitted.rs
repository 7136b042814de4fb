async fn search(query: &str, limit: usize) -> Result<Vec<String>, std::io::Error> {
    let mut entry = ::monitor_runtime::private::site!(
        Skill,
        "web_search",
        "",
        Error,
        INFO,
        "search",
        ["skill_id", "length"]
    )
    .enter(|opening| {
        opening.span(&[
            opening.id(),
            ::core::option::Option::Some(::monitor_runtime::private::value(&(query.len()))),
        ])
    });
    return ::monitor_runtime::private::track_future(
        &mut entry,
        async move {
            if false {
                let monitor_never_returned: Result<Vec<String>, std::io::Error> =
                    ::monitor_runtime::private::never_returned();
                return monitor_never_returned;
            }
            Ok(vec![query.to_owned(); limit])
        },
        |result| ::monitor_runtime::private::verdict!(result),
    )
    .await;
}
