fn plan(name: &str) -> impl Future<Output = usize> + use<> {
    let entry = ::monitor_runtime::private::Site::enter_as(
        ::monitor_runtime::private::site!(Agent, "plan", "plan"),
        &(name),
        ::monitor_runtime::private::without_fields,
    );
    return ::monitor_runtime::private::track_promised_future::<usize, _, _>(
        entry,
        move || std::future::ready(name.len()),
        |result| ::monitor_runtime::private::verdict!(result),
    );
}
