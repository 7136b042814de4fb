fn review(draft: &str) -> bool {
    let mut entry = ::monitor_runtime::private::Site::enter_plain(
        ::monitor_runtime::private::site!(Agent, "review", "review"),
    );
    let guard = ::monitor_runtime::private::guard(&mut entry);
    !draft.is_empty()
}
