//! The agent's tools, each tracked as a skill, in each form that `rig` accepts.
//!
//! `rig` runs a tool in a span `execute_tool` inside the agent's span. A tool's log lines therefore have `gen_ai.tool.call.id` and
//! similar fields beside `agent_id` and `skill_id`.

use std::convert::Infallible;

use monitor_runtime::track_skill;
use rig_agent::rig_tool;
use rig_agent::tool::{Tool, ToolContext};
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::info;

/// The reason why a tool could not help.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unavailable {
    /// Nothing is known about the place.
    #[error("no forecast for {0}")]
    Unknown(String),
    /// Every room is taken.
    #[error("every hotel in {0} is full")]
    Full(String),
}

/// A tool written by hand: the attribute is on the method that does the work.
#[derive(Debug)]
pub(crate) struct Forecast;

/// The place to look up.
#[derive(Debug, Deserialize)]
pub(crate) struct Place {
    city: String,
}

impl Tool for Forecast {
    const NAME: &'static str = "forecast";
    type Args = Place;
    type Output = &'static str;
    type Error = Unavailable;

    fn description(&self) -> String {
        "Says what weather a city will have".to_owned()
    }

    fn parameters(&self) -> Value {
        json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
    }

    #[track_skill(id = Self::NAME, fields(city = args.city))]
    async fn call(&self, _context: &mut ToolContext, args: Place) -> Result<&'static str, Unavailable> {
        info!("looking at the sky");
        if args.city == "Oslo" { Ok("sunny") } else { Err(Unavailable::Unknown(args.city)) }
    }
}

/// Converts euros into Norwegian kroner.
#[rig_tool]
#[track_skill("convert", fields(euros))]
pub(crate) fn convert(euros: f64) -> Result<f64, Infallible> {
    info!("converting");
    Ok(euros * 11.5)
}

/// Books a hotel room.
#[track_skill("book_hotel")]
#[rig_tool]
pub(crate) async fn book_hotel(city: String) -> Result<String, Unavailable> {
    info!("calling the hotels");
    Err(Unavailable::Full(city))
}

/// Asks an airline for a seat.
#[rig_tool]
#[track_skill("ask_airline")]
pub(crate) async fn ask_airline(city: String) -> Result<String, Unavailable> {
    info!("waiting in line");
    std::future::pending::<()>().await;
    Ok(format!("a seat to {city}"))
}
