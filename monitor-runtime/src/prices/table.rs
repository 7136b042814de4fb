//! A table of prices by provider and model.

use super::error::PricesError;
use super::rate::{ExactRate, Rate};
use super::{PricedCall, Pricing};
use crate::json::value::Json;
use crate::usage::{Cost, PriceDate};

/// Prices of models, by provider and name, as of a day.
///
/// A name that ends with `*` stands for all names that begin so, and the provider `*` for every provider.
///
/// Of the prices that fit the model that replied or the requested one, those of the call's own provider come first, then those for
/// more than the bare `*`, then those for the model that replied, then those with the longest name, then one without `*`.
///
/// No prices are shipped, since providers change them more often than a crate can follow.
///
/// ```
/// use monitor_runtime::genai::{Prices, PricesError, Rate};
///
/// let prices = Prices::builder("2026-11-01")
///     .usd_per_million("openai", "gpt-5*", Rate::io(1.25, 10.0).cached(0.125))
///     .usd_per_million("gcp.gemini", "gemini-2.5-pro", Rate::io(1.25, 10.0))
///     .above(200_000, Rate::io(2.5, 15.0))
///     .build()?;
/// # let _ = prices;
/// # Ok::<(), PricesError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Prices {
    as_of: PriceDate,
    entries: Vec<Entry>,
}

/// A table that is being made, by [`Prices::builder`].
#[derive(Clone, Debug)]
#[must_use = "the table is made by `build`"]
pub struct PricesBuilder {
    as_of: String,
    given: Vec<Given>,
    /// The tokens of an `above` without a price before it.
    misplaced: Option<u64>,
}

/// A price as given.
#[derive(Clone, Debug)]
struct Given {
    provider: String,
    model: String,
    /// The first one is above 0 tokens.
    rates: Vec<(u64, Rate)>,
}

/// A price in the table.
#[derive(Clone, Debug)]
struct Entry {
    /// `None` for every provider.
    provider: Option<Box<str>>,
    /// The name, without its `*`.
    model: Box<str>,
    is_prefix: bool,
    /// The input tokens above which each rate applies, ascending, the first one 0.
    rates: Vec<(u64, ExactRate)>,
}

impl Prices {
    /// Begins a table with the day that its prices are of, such as `2026-11-01`.
    pub fn builder(as_of: &str) -> PricesBuilder {
        PricesBuilder { as_of: as_of.to_owned(), given: Vec::new(), misplaced: None }
    }

    /// Reads a table from JSON. All prices are in US dollars for a million tokens.
    ///
    /// ```
    /// use monitor_runtime::genai::{Prices, PricesError};
    ///
    /// let prices = Prices::from_json(r#"{
    ///     "as_of": "2026-11-01",
    ///     "prices": [
    ///         {"provider": "openai", "model": "gpt-5*", "input": 1.25, "output": 10, "cached": 0.125},
    ///         {"provider": "anthropic", "model": "claude-sonnet-4*", "input": 3, "output": 15, "cached": 0.3,
    ///          "cache_write": 3.75, "above": [{"tokens": 200000, "input": 6, "output": 22.5}]}
    ///     ]
    /// }"#)?;
    /// # let _ = prices;
    /// # Ok::<(), PricesError>(())
    /// ```
    ///
    /// A price also takes `reasoning`, and so does each entry of `above`.
    ///
    /// # Errors
    ///
    /// If the text is not JSON of this form, has an unknown field, or if [`PricesBuilder::build`] refuses the table.
    pub fn from_json(text: &str) -> Result<Self, PricesError> {
        let json = Json::read(text)?;
        let table = Object::new(&json, "the table".to_owned(), &["as_of", "prices"])?;
        let mut builder = Self::builder(table.text("as_of")?);
        for (at, price) in table.list("prices")?.iter().enumerate() {
            let place = format!("prices[{at}]");
            let price = Object::new(price, place.clone(), &PRICE_FIELDS)?;
            builder = builder.usd_per_million(price.text("provider")?, price.text("model")?, price.rate()?);
            for (at, tier) in price.optional_list("above")?.iter().enumerate() {
                let tier = Object::new(tier, format!("{place}.above[{at}]"), &TIER_FIELDS)?;
                builder = builder.above(tier.tokens()?, tier.rate()?);
            }
        }
        builder.build()
    }

    /// Returns the day that the prices are of.
    pub fn as_of(&self) -> PriceDate {
        self.as_of
    }

    /// The entry for a call, by the model that replied and the requested one together: a general price for the one must not
    /// hide an exact price for the other.
    fn find(&self, call: &PricedCall<'_>) -> Option<&Entry> {
        let is_of_reply = |entry: &Entry| call.response_model.is_some_and(|m| entry.fits(call.provider, m));
        let is_fitting = |entry: &&Entry| is_of_reply(entry) || entry.fits(call.provider, call.request_model);
        self.entries.iter().filter(is_fitting).max_by_key(|entry| {
            let is_general = entry.model.is_empty();
            let (is_own, is_whole) = (entry.provider.is_some(), !entry.is_prefix);
            (is_own, !is_general, is_of_reply(entry), entry.model.len(), is_whole)
        })
    }
}

impl Pricing for Prices {
    fn price(&self, call: &PricedCall<'_>) -> Option<Cost> {
        let entry = self.find(call)?;
        let input = call.usage.input_tokens().unwrap_or(0);
        let (_, rate) = entry.rates.iter().rev().find(|(above, _)| *above == 0 || input > *above)?;
        Some(rate.cost(&call.usage)?.dated(self.as_of))
    }
}

impl Entry {
    fn fits(&self, provider: &str, model: &str) -> bool {
        let fits_name = if self.is_prefix { model.starts_with(&*self.model) } else { model == &*self.model };
        fits_name && self.provider.as_deref().is_none_or(|own| own == provider)
    }
}

impl PricesBuilder {
    /// Adds the price of a model, or of all models that begin with the text before a `*`, of a provider or of every provider, `*`.
    pub fn usd_per_million(mut self, provider: &str, model: &str, rate: Rate) -> Self {
        let rates = vec![(0, rate)];
        self.given.push(Given { provider: provider.to_owned(), model: model.to_owned(), rates });
        self
    }

    /// Sets the price of calls of the model added last whose input has more than this number of tokens.
    ///
    /// It applies to all tokens of such a call. The lowest number comes first.
    pub fn above(mut self, tokens: u64, rate: Rate) -> Self {
        match self.given.last_mut() {
            Some(given) => given.rates.push((tokens, rate)),
            None => self.misplaced = self.misplaced.or(Some(tokens)),
        }
        self
    }

    /// Makes the table.
    ///
    /// # Errors
    ///
    /// If the day does not exist, a price is negative or above a million dollars, a `*` is not at the end of a name, two prices
    /// are for the same names, or the prices above a number of tokens are out of order.
    pub fn build(self) -> Result<Prices, PricesError> {
        let Self { as_of, given, misplaced } = self;
        if let Some(tokens) = misplaced {
            return Err(PricesError::Tier { tokens });
        }
        let as_of = PriceDate::parse(&as_of).ok_or(PricesError::Date { given: as_of })?;
        for (at, one) in given.iter().enumerate() {
            if given[..at].iter().any(|other| (&other.provider, &other.model) == (&one.provider, &one.model))
            {
                let (provider, model) = (one.provider.clone(), one.model.clone());
                return Err(PricesError::Duplicate { provider, model });
            }
        }
        let entries = given.iter().map(Given::entry).collect::<Result<_, _>>()?;
        Ok(Prices { as_of, entries })
    }
}

impl Given {
    fn entry(&self) -> Result<Entry, PricesError> {
        let Self { provider, model, rates } = self;
        let name = model.strip_suffix('*').unwrap_or(model);
        if name.contains('*') || model.is_empty() {
            return Err(PricesError::Pattern { of: "model", given: model.clone() });
        }
        if provider.is_empty() || provider != "*" && provider.contains('*') {
            return Err(PricesError::Pattern { of: "provider", given: provider.clone() });
        }
        if let Some(pair) = rates.windows(2).find(|pair| pair[1].0 <= pair[0].0) {
            return Err(PricesError::Tier { tokens: pair[1].0 });
        }
        let exact = |(above, rate): &(u64, Rate)| ExactRate::new(rate, model).map(|exact| (*above, exact));
        Ok(Entry {
            provider: (provider != "*").then(|| provider.as_str().into()),
            model: name.into(),
            is_prefix: name.len() < model.len(),
            rates: rates.iter().map(exact).collect::<Result<_, _>>()?,
        })
    }
}

const PRICE_FIELDS: [&str; 8] =
    ["provider", "model", "input", "output", "cached", "cache_write", "reasoning", "above"];
const TIER_FIELDS: [&str; 6] = ["tokens", "input", "output", "cached", "cache_write", "reasoning"];

/// An object of the file, with its place in it.
struct Object<'j> {
    members: &'j [(String, Json)],
    place: String,
}

impl<'j> Object<'j> {
    /// Takes an object that has no other fields than `known`, and none twice.
    fn new(json: &'j Json, place: String, known: &'static [&'static str]) -> Result<Self, PricesError> {
        let Json::Object(members) = json else {
            return Err(PricesError::NoObject { place });
        };
        for (at, (name, _)) in members.iter().enumerate() {
            let field = name.clone();
            if !known.contains(&name.as_str()) {
                return Err(PricesError::UnknownField { place, field, known });
            }
            if members[..at].iter().any(|(other, _)| other == name) {
                return Err(PricesError::DuplicateField { place, field });
            }
        }
        Ok(Self { members, place })
    }

    fn get(&self, field: &str) -> Option<&'j Json> {
        self.members.iter().find(|(name, _)| name == field).map(|(_, value)| value)
    }

    fn error(&self, field: &str, expected: &'static str) -> PricesError {
        PricesError::Field { place: self.place.clone(), field: field.to_owned(), expected }
    }

    fn text(&self, field: &str) -> Result<&'j str, PricesError> {
        match self.get(field) {
            Some(Json::Text(text)) => Ok(text.as_str()),
            _ => Err(self.error(field, "a text")),
        }
    }

    fn list(&self, field: &str) -> Result<&'j [Json], PricesError> {
        match self.get(field) {
            Some(Json::List(values)) => Ok(values.as_slice()),
            _ => Err(self.error(field, "a list")),
        }
    }

    fn optional_list(&self, field: &str) -> Result<&'j [Json], PricesError> {
        if self.get(field).is_some() { self.list(field) } else { Ok(&[]) }
    }

    fn optional_number(&self, field: &str) -> Result<Option<f64>, PricesError> {
        match self.get(field) {
            None => Ok(None),
            Some(Json::Number(number)) => Ok(Some(*number)),
            Some(_) => Err(self.error(field, "a number")),
        }
    }

    fn number(&self, field: &str) -> Result<f64, PricesError> {
        self.optional_number(field)?.ok_or_else(|| self.error(field, "a number"))
    }

    fn tokens(&self) -> Result<u64, PricesError> {
        let tokens = self.number("tokens")?;
        // Every whole number up to here is a float of its own.
        if tokens.fract() != 0.0 || !(1.0..=9e15).contains(&tokens) {
            return Err(self.error("tokens", "a whole number from 1 to 9000000000000000"));
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to lie within u64"
        )]
        Ok(tokens as u64)
    }

    fn rate(&self) -> Result<Rate, PricesError> {
        Ok(Rate {
            input: self.number("input")?,
            output: self.number("output")?,
            cached: self.optional_number("cached")?,
            cache_write: self.optional_number("cache_write")?,
            reasoning: self.optional_number("reasoning")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::usage::{CostSource, Usage};

    fn cost(prices: &Prices, provider: &str, models: (&str, Option<&str>), usage: Usage) -> Option<Cost> {
        let (request_model, response_model) = models;
        prices.price(&PricedCall { provider, request_model, response_model, usage, ended: SystemTime::now() })
    }

    /// The price of a million input tokens, in dollars.
    fn input_price(prices: &Prices, provider: &str, model: &str) -> Option<u64> {
        let cost = cost(prices, provider, (model, None), Usage::new(1_000_000, 0))?;
        Some(cost.nanos() / 1_000_000_000)
    }

    #[test]
    fn the_longest_name_of_the_own_provider_applies() {
        let prices = Prices::builder("2026-11-01")
            .usd_per_million("*", "gpt-5-mini-long-name", Rate::io(9.0, 0.0))
            .usd_per_million("openai", "gpt*", Rate::io(1.0, 0.0))
            .usd_per_million("openai", "gpt-5*", Rate::io(2.0, 0.0))
            .usd_per_million("openai", "gpt-5", Rate::io(3.0, 0.0))
            .usd_per_million("*", "*", Rate::io(4.0, 0.0))
            .build()
            .unwrap();
        let price = |provider, model| input_price(&prices, provider, model).unwrap();
        assert_eq!(price("openai", "gpt-4"), 1);
        assert_eq!(price("openai", "gpt-5-mini"), 2);
        assert_eq!(price("openai", "gpt-5-mini-long-name"), 2, "the own provider comes first");
        assert_eq!(price("openai", "gpt-5"), 3, "a whole name comes before one with `*`");
        assert_eq!(price("openai", "o3"), 4);
        assert_eq!(price("azure", "gpt-5-mini-long-name"), 9);
    }

    #[test]
    fn an_unknown_model_has_no_price() {
        let prices = Prices::builder("2026-11-01")
            .usd_per_million("openai", "gpt-5", Rate::io(1.0, 1.0))
            .build()
            .unwrap();
        assert_eq!(input_price(&prices, "openai", "gpt-50"), None);
        assert_eq!(input_price(&prices, "anthropic", "gpt-5"), None);
    }

    #[test]
    fn the_model_that_replied_comes_first() {
        let prices = Prices::builder("2026-11-01")
            .usd_per_million("openai", "router", Rate::io(1.0, 0.0))
            .usd_per_million("openai", "gpt-5*", Rate::io(2.0, 0.0))
            .build()
            .unwrap();
        let nanos = |reply| cost(&prices, "openai", ("router", reply), Usage::new(1, 0)).unwrap().nanos();
        assert_eq!([nanos(Some("gpt-5-2025-08-07")), nanos(Some("o3")), nanos(None)], [2_000, 1_000, 1_000]);
    }

    #[test]
    fn a_general_price_hides_no_exact_one_of_the_other_name() {
        let price = |general: (&str, &str), request: (&str, &str)| {
            let prices = Prices::builder("2026-11-01")
                .usd_per_million(general.0, general.1, Rate::io(1.0, 0.0))
                .usd_per_million(request.0, request.1, Rate::io(5.0, 0.0));
            let names = ("my-deployment", Some("gpt-5-2025"));
            cost(&prices.build().unwrap(), "azure", names, Usage::new(1, 0)).unwrap().nanos()
        };
        assert_eq!(price(("*", "*"), ("azure", "my-deployment")), 5_000);
        assert_eq!(price(("*", "gpt-5*"), ("azure", "my-deployment")), 5_000, "the own provider comes first");
        assert_eq!(price(("azure", "*"), ("azure", "my-*")), 5_000);
        assert_eq!(price(("azure", "gpt*"), ("azure", "my-deployment")), 1_000, "the model that replied");
    }

    #[test]
    fn a_long_input_has_its_own_price_for_all_tokens() {
        let prices = Prices::builder("2026-11-01")
            .usd_per_million("gcp.gemini", "gemini-2.5-pro", Rate::io(1.25, 10.0))
            .above(200_000, Rate::io(2.5, 15.0))
            .above(1_000_000, Rate::io(5.0, 30.0))
            .build()
            .unwrap();
        let nanos = |input| {
            cost(&prices, "gcp.gemini", ("gemini-2.5-pro", None), Usage::new(input, 1_000)).unwrap().nanos()
        };
        // 0.25 + 0.01, 0.5000025 + 0.015 and 5.000005 + 0.03 dollars.
        assert_eq!(nanos(200_000), 260_000_000);
        assert_eq!(nanos(200_001), 515_002_500);
        assert_eq!(nanos(1_000_001), 5_030_005_000);
    }

    #[test]
    fn a_cost_tells_the_day_of_its_prices() {
        let prices =
            Prices::builder("2026-11-01").usd_per_million("*", "*", Rate::io(1.0, 1.0)).build().unwrap();
        let cost = cost(&prices, "openai", ("gpt-5", None), Usage::new(1, 1)).unwrap();
        assert_eq!(cost.source(), CostSource::Local { as_of: PriceDate::parse("2026-11-01") });
    }

    #[test]
    fn json_gives_the_table_that_the_builder_gives() {
        let json = r#"{"as_of": "2026-11-01", "prices": [
            {"provider": "openai", "model": "gpt-5*", "input": 1.25, "output": 10, "cached": 0.125},
            {"provider": "anthropic", "model": "claude*", "input": 3, "output": 15, "cache_write": 3.75, "reasoning": 12,
             "above": [{"tokens": 200000, "input": 6, "output": 22.5}]}]}"#;
        let built = Prices::builder("2026-11-01")
            .usd_per_million("openai", "gpt-5*", Rate::io(1.25, 10.0).cached(0.125))
            .usd_per_million("anthropic", "claude*", Rate::io(3.0, 15.0).cache_write(3.75).reasoning(12.0))
            .above(200_000, Rate::io(6.0, 22.5))
            .build()
            .unwrap();
        assert_eq!(format!("{:?}", Prices::from_json(json).unwrap()), format!("{built:?}"));
    }

    #[test]
    fn a_wrong_table_is_refused_with_its_mistake() {
        let price =
            |provider, model, rate| Prices::builder("2026-11-01").usd_per_million(provider, model, rate);
        let fine = Rate::io(1.0, 1.0);
        for (wrong, message) in [
            (
                Prices::builder("yesterday"),
                "`yesterday` is not a day; expected the day that the prices are of, as in `2026-11-01`",
            ),
            (
                price("openai", "gpt-5", Rate::io(-1.0, 1.0)),
                "the input price of `gpt-5` is -1 dollars; expected 0 to 1000000 for a million tokens",
            ),
            (
                price("openai", "gpt-5", fine.cached(f64::NAN)),
                "the cached price of `gpt-5` is NaN dollars; expected 0 to 1000000 for a million tokens",
            ),
            (
                price("openai", "*-mini", fine),
                "`*-mini` names no model; expected a name, or its beginning with `*` behind it",
            ),
            (
                price("open*", "gpt-5", fine),
                "`open*` names no provider; expected a name, or `*` for every provider",
            ),
            (
                price("openai", "gpt-5", fine).usd_per_million("openai", "gpt-5", fine),
                "`gpt-5` of `openai` has two prices; keep one of them",
            ),
            (
                price("openai", "gpt-5", fine).above(9, fine).above(9, fine),
                "the price above 9 tokens is out of order; expected it behind a model's price, with the lowest first",
            ),
            (
                Prices::builder("2026-11-01").above(7, fine),
                "the price above 7 tokens is out of order; expected it behind a model's price, with the lowest first",
            ),
        ] {
            assert_eq!(wrong.build().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn a_wrong_file_is_refused_with_its_place() {
        let of = |price: &str| format!(r#"{{"as_of": "2026-11-01", "prices": [{price}]}}"#);
        for (text, message) in [
            ("[]".to_owned(), "the table has to be an object"),
            ("{}".to_owned(), "the table: `as_of` has to be a text"),
            (r#"{"as_of": "2026-11-01"}"#.to_owned(), "the table: `prices` has to be a list"),
            (of("1"), "prices[0] has to be an object"),
            (of(r#"{"provider": "a", "model": "b", "input": 1}"#), "prices[0]: `output` has to be a number"),
            (
                of(r#"{"provider": "a", "model": "b", "input": "1", "output": 1}"#),
                "prices[0]: `input` has to be a number",
            ),
            (
                of(r#"{"inptu": 1}"#),
                "prices[0]: unknown field `inptu`; expected one of `provider`, `model`, `input`, `output`, `cached`, \
                 `cache_write`, `reasoning`, `above`",
            ),
            (of(r#"{"model": "a", "model": "b"}"#), "prices[0]: duplicate field `model`"),
            (
                of(r#"{"provider": "a", "model": "b", "input": 1, "output": 1, "above": [{"tokens": 1.5}]}"#),
                "prices[0].above[0]: `tokens` has to be a whole number from 1 to 9000000000000000",
            ),
            ("nonsense".to_owned(), "the prices are not JSON at byte 0: expected a value"),
        ] {
            assert_eq!(Prices::from_json(&text).unwrap_err().to_string(), message);
        }
    }
}
