//! Label values in the text exposition.
#![cfg_attr(fuzzing, no_main)]

monitor_fuzz::target!(monitor_fuzz::exposition);
