use std::pin::Pin;
fn plan(goal: &str) -> Pin<Box<dyn Future<Output = usize> + '_>> {
    let entry = ::monitor_runtime::private::Site::enter_plain(::monitor_runtime::private::site!(
        Agent, "plan", "plan"
    ));
    return {
        use ::monitor_runtime::private::returned::*;
        (&&&::monitor_runtime::private::Returned::<Pin<Box<dyn Future<Output = usize> + '_>>>::TYPE)
            .monitor_track(
                entry,
                move || -> Pin<Box<dyn Future<Output = usize> + '_>> {
                    Box::pin(async move { goal.len() })
                },
                |result| ::monitor_runtime::private::verdict!(result),
            )
    };
}
