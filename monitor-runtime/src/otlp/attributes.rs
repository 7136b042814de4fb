//! Converts the fields of `tracing` to OTLP attributes.

use std::error::Error;
use std::fmt::Debug;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use tracing::field::{Field, Visit};

use crate::error_chain::{MOST_ATTRIBUTE_BYTES, text_up_to};

/// Makes an attribute.
pub(super) fn attribute(key: impl Into<String>, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// Makes a text attribute.
pub(super) fn text(key: impl Into<String>, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

/// Records the fields of a span as attributes of the same names. A repeated name replaces its value, since OTLP
/// requires unique keys.
pub(super) struct Attributes<'a>(pub(super) &'a mut Vec<KeyValue>);

impl Attributes<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        let name = field.name();
        let name = name.strip_prefix("r#").unwrap_or(name);
        match self.0.iter_mut().find(|known| known.key == name) {
            Some(known) => known.value = Some(AnyValue { value: Some(value) }),
            None => self.0.push(attribute(name, value)),
        }
    }

    fn put_integer(&mut self, field: &Field, value: impl TryInto<i64> + ToString + Copy) {
        // OTLP integers are signed 64-bit numbers.
        let value = value.try_into().map_or_else(|_| Value::StringValue(value.to_string()), Value::IntValue);
        self.put(field, value);
    }
}

impl Visit for Attributes<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::DoubleValue(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::IntValue(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put_integer(field, value);
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.put_integer(field, value);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.put_integer(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::BoolValue(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::StringValue(value.to_owned()));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field, Value::StringValue(text_up_to(MOST_ATTRIBUTE_BYTES, value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, Value::StringValue(text_up_to(MOST_ATTRIBUTE_BYTES, &format_args!("{value:?}"))));
    }
}
