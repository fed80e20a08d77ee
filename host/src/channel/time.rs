//! Providers' times: seconds, milliseconds, fractions, numbers in text, ISO 8601 with and without a
//! colon in the offset, and protobuf longs as JavaScript prints them. What cannot be read is `None`:
//! a bad time never costs a message.

use serde_json::Value;

use crate::channel::json::{self, Object};
use crate::message::Timestamp;

/// 2100-01-01. Later than that is a wrong unit or an invention.
const END_MS: f64 = 4_102_444_800_000.0;

/// Reads a time in any of the forms above.
pub fn read(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(number) => from_number(number.as_f64()?),
        Value::String(text) => from_text(text.trim()),
        Value::Object(long) => {
            let low = long.get("low")?.as_i64()? as u32;
            let high = long.get("high")?.as_i64()?;
            from_number(high as f64 * 4_294_967_296.0 + f64::from(low))
        }
        Value::Null | Value::Bool(_) | Value::Array(_) => None,
    }
}

/// The first time under any of these names.
pub fn of(object: &Object, names: &[&str]) -> Option<Timestamp> {
    names.iter().find_map(|name| read(json::field(object, name)?))
}

/// The unit follows from the size: up to the year 5138 there is no doubt.
fn from_number(number: f64) -> Option<Timestamp> {
    let ms = match number {
        n if n < 1e11 => n * 1e3,
        n if n < 1e14 => n,
        n if n < 1e17 => n / 1e3,
        n => n / 1e6,
    };
    from_ms(ms)
}

fn from_ms(ms: f64) -> Option<Timestamp> {
    (1.0..END_MS).contains(&ms).then(|| Timestamp::from_ms(ms.round() as i64))
}

fn from_text(text: &str) -> Option<Timestamp> {
    if let Ok(number) = text.parse::<f64>() {
        return from_number(number);
    }
    let at = match text.parse::<jiff::Timestamp>() {
        Ok(at) => at,
        // Without an offset: UTC.
        Err(_) => {
            text.parse::<jiff::civil::DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp()
        }
    };
    from_ms(at.as_millisecond() as f64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_unit_and_form() {
        for (value, expected) in [
            (json!(1667561485), Some(1_667_561_485_000)),
            (json!(1710481111.853), Some(1_710_481_111_853)),
            (json!(1741249703485_u64), Some(1_741_249_703_485)),
            (json!(1741249703485000_u64), Some(1_741_249_703_485)),
            (json!(1741249703485000000_u64), Some(1_741_249_703_485)),
            (json!("1667561485"), Some(1_667_561_485_000)),
            (json!(" 1741249703485 "), Some(1_741_249_703_485)),
            (json!("1710481111.853"), Some(1_710_481_111_853)),
            (json!("2025-03-06T08:28:21Z"), Some(1_741_249_701_000)),
            (json!("2025-03-06T08:28:21.250Z"), Some(1_741_249_701_250)),
            (json!("2025-03-06T08:28:21.000+0000"), Some(1_741_249_701_000)),
            (json!("2025-03-06T05:28:21-0300"), Some(1_741_249_701_000)),
            (json!("2025-03-06T12:28:21+04:00"), Some(1_741_249_701_000)),
            (json!("2025-03-06 08:28:21+00"), Some(1_741_249_701_000)),
            (json!("2025-03-06T08:28:21"), Some(1_741_249_701_000)),
            (json!({"low": 1741250500, "high": 0, "unsigned": true}), Some(1_741_250_500_000)),
            (json!({"low": 1788746269, "high": 405, "unsigned": false}), Some(1_741_250_501_149)),
            (json!(null), None),
            (json!(0), None),
            (json!(-1667561485), None),
            (json!(99999999999_u64), None),
            (json!(1e300), None),
            (json!(""), None),
            (json!("NaN"), None),
            (json!("inf"), None),
            (json!("yesterday"), None),
            (json!("2025-13-45T99:00:00Z"), None),
            (json!("9999-03-06T08:28:21Z"), None),
            (json!(true), None),
            (json!([1667561485]), None),
            (json!({}), None),
        ] {
            assert_eq!(read(&value).map(Timestamp::as_ms), expected, "{value}");
        }
    }
}
