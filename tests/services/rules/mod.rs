//! The rules, dashboards and manifests below `docs/`: each is read, compared with its subject, and run by a program if there is one.

mod alerting;
mod dashboards;
mod expression;
mod files;
mod live;
mod manifests;
mod prometheus;
