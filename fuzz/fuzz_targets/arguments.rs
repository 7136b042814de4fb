//! The attributes' arguments.
#![cfg_attr(fuzzing, no_main)]

monitor_fuzz::target!(monitor_fuzz::arguments);
