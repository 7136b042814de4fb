//! A log line, whatever is bound and logged.
#![cfg_attr(fuzzing, no_main)]

monitor_fuzz::target!(monitor_fuzz::json_line);
