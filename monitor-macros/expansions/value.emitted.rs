fn review(draft: &str) -> bool {
    let entry =
        ::monitor_runtime::private::site!(Agent, "review", "", Error, INFO, "review", ["agent_id"])
            .enter(::monitor_runtime::private::without_fields);
    return ::monitor_runtime::private::track(
        entry,
        move || -> bool { !draft.is_empty() },
        |result| ::monitor_runtime::private::verdict!(result),
    );
}
