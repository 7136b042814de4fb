//! The rules, dashboards and manifests below `docs/`: each is read, held against what it stands for, and run where a program can.

mod alerting;
mod dashboards;
mod expression;
mod files;
mod live;
mod manifests;
mod prometheus;
