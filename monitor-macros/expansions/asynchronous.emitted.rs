async fn search(query: &str, limit: usize) -> Result<Vec<String>, std::io::Error> {
    let mut entry = ::monitor_runtime::private::Site::enter(
        ::monitor_runtime::private::site!(
            Skill,
            "web_search",
            "search",
            fields = &["skill_id", "length"]
        ),
        |opening| {
            opening.span(&[
                opening.id(),
                ::core::option::Option::Some(::monitor_runtime::private::value(&(query.len()))),
            ])
        },
    );
    let body = async move {
        if false {
            let monitor_never_returned: Result<Vec<String>, std::io::Error> =
                ::monitor_runtime::private::never_returned();
            return monitor_never_returned;
        }
        std::future::ready(()).await;
        Ok(vec![query.to_owned(); limit])
    };
    let result: Result<Vec<String>, std::io::Error> = ::monitor_runtime::private::track_pinned(
        &mut entry,
        ::monitor_runtime::private::pin!(body),
    )
    .await;
    ::monitor_runtime::private::classify(&result).monitor_settle(&result, &mut entry);
    match result {
        #[allow(clippy::implicit_return)]
        result => result,
    }
}
