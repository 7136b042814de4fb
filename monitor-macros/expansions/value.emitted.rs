fn review(draft: &str) -> bool {
    let entry = ::monitor_runtime::private::Site::enter_plain(::monitor_runtime::private::site!(
        Agent, "review", "review"
    ));
    return ::monitor_runtime::private::track(
        entry,
        move || -> bool { !draft.is_empty() },
        |result| ::monitor_runtime::private::verdict!(result),
    );
}
