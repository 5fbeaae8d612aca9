//! Numbers for people and for programs.

use std::time::Duration;

use serde_json::Value;

/// A number in few characters: six significant digits, and powers of ten where zeros would hide them.
pub fn short(v: f64) -> String {
    if !v.is_finite() {
        return if v.is_nan() {
            "NaN".to_owned()
        } else if v > 0.0 {
            "inf".to_owned()
        } else {
            "-inf".to_owned()
        };
    }
    if v == 0.0 {
        return "0".to_owned();
    }
    let exponent = v.abs().log10().floor() as i32;
    if !(-4..9).contains(&exponent) {
        return format!("{v:.1e}");
    }
    let digits = (5 - exponent).max(0) as usize;
    let text = format!("{v:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A number in a column: six decimals for floats, which fit 12 columns unless the number is large.
pub fn aligned(v: f64, float: bool) -> String {
    if !float {
        return format!("{v}");
    }
    if v.is_finite() && v.abs() < 1e5 && (v == 0.0 || v.abs() >= 1e-5) { format!("{v:.6}") } else { short(v) }
}

/// A number, or a fraction such as 1/255, that is neither NaN nor infinite.
pub fn finite(text: &str) -> Result<f32, String> {
    let number = |t: &str| t.trim().parse::<f64>().ok();
    let value = match text.split_once('/') {
        None => text.trim().parse().ok(),
        Some((a, b)) => number(a).zip(number(b)).map(|(a, b)| (a / b) as f32),
    };
    value.filter(|v| v.is_finite()).ok_or_else(|| "not a finite number, nor a fraction such as 1/255".to_owned())
}

/// A count of at least one.
pub fn positive(text: &str) -> Result<usize, String> {
    text.trim().parse().ok().filter(|n| *n > 0).ok_or_else(|| "must be a whole number from 1 on".to_owned())
}

/// The value of `--seconds`: how long to measure.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.trim().parse().ok().filter(|s| (0.0..=3600.0).contains(s));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "must be 0 to 3600".to_owned())
}

/// A number in JSON, which has none for NaN and infinity: those are strings.
pub fn json(v: f64) -> Value {
    match serde_json::Number::from_f64(v) {
        Some(n) => Value::Number(n),
        None if v.is_nan() => "NaN".into(),
        None if v > 0.0 => "Infinity".into(),
        None => "-Infinity".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_characters_that_say_it() {
        let numbers =
            [3.7771674e-8, 0.008123456, 0.99, -12.5, 1.0, 123456789.0, 1e30, 0.0, f64::NAN, f64::NEG_INFINITY];
        let texts = ["3.8e-8", "0.00812346", "0.99", "-12.5", "1", "123456789", "1.0e30", "0", "NaN", "-inf"];
        assert_eq!(numbers.map(short), texts);
    }

    #[test]
    fn fractions_are_numbers() {
        assert_eq!(
            ["1/128", "-0.5", " 1 / 255 ", "1e-3/2"].map(|t| finite(t).unwrap()),
            [1.0 / 128.0, -0.5, 1.0 / 255.0, 5e-4]
        );
        for wrong in ["1/0", "0/0", "1/", "/2", "1/2/3", "nan", "inf", "1/inf/", "1e99", ""] {
            assert!(finite(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_json_lacks_is_a_string() {
        let texts = [1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(|v| json(v).to_string());
        assert_eq!(texts, ["1.5", "\"NaN\"", "\"Infinity\"", "\"-Infinity\""]);
    }
}
