use std::pin::Pin;
fn plan(goal: &str) -> Pin<Box<dyn Future<Output = usize> + '_>> {
    let entry = ::monitor_runtime::private::Site::enter_plain(::monitor_runtime::private::site!(
        Agent, "plan", "plan"
    ));
    #[allow(clippy::closure_returning_async_block, clippy::result_large_err)]
    let body =
        ::monitor_runtime::private::once(move || -> Pin<Box<dyn Future<Output = usize> + '_>> {
            Box::pin(async move { goal.len() })
        });
    match {
        use ::monitor_runtime::private::returned::*;
        (&&&::monitor_runtime::private::Returned::by(&body))
            .monitor_track(entry, body, |result| ::monitor_runtime::private::verdict!(result))
    } {
        #[allow(clippy::implicit_return)]
        result => result,
    }
}
