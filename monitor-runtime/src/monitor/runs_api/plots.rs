//! The points of the plots.

use axum::extract::Request;

use super::object::{Object, Table, decimal_cell, micros, write_decimal};
use super::query::Query;
use super::{Answer, Api, formed, recorded};
use crate::run::{Point, SERIES};

/// The points of some series, or of all.
pub(super) fn history(api: &Api, request: &Request) -> Answer {
    let query = Query::parse(request, &["series", "range"])?;
    let runs = recorded()?;
    let points = runs.points(query.range);
    let series = if query.series.is_empty() { (0..SERIES.len()).collect() } else { query.series };
    let from = micros(points.from);
    let write = |object: &mut Object<'_>| {
        object.plain("from_us", Some(from));
        object.plain("step_us", Some(micros(points.step)));
        let mut all = Object::open(object.key("series"));
        for &at in &series {
            all.list(SERIES[at], points.values.iter(), |out, point| write_decimal(out, value(point, at)));
        }
        all.close();
    };
    let text = || {
        let names: Vec<_> = ["TIME_US"].into_iter().chain(series.iter().map(|at| SERIES[*at])).collect();
        let mut table = Table::new(&names);
        for (nth, point) in points.values.iter().enumerate() {
            let time = from + nth as u128 * micros(points.step);
            table.row(
                [time.to_string()].into_iter().chain(series.iter().map(|at| decimal_cell(value(point, *at)))),
            );
        }
        table.aligned()
    };
    Ok(formed(api, runs, query.format, write, text))
}

/// Writes every series of a point.
#[cfg(feature = "dashboard")]
pub(super) fn write_point(object: &mut Object<'_>, point: &Point) {
    for (at, name) in SERIES.iter().enumerate() {
        object.decimal(name, value(point, at));
    }
}

/// A value of a point; `None` where there is none.
fn value(point: &Point, at: usize) -> Option<f64> {
    let value = point.get(at).copied()?;
    value.is_finite().then(|| f64::from(value))
}
