//! The headers `x-request-id`, `traceparent` and `tracestate`.
#![cfg_attr(fuzzing, no_main)]

monitor_fuzz::target!(monitor_fuzz::headers);
