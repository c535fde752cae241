//! The `@every <count><unit>` form: a fixed number of seconds, not aligned to the clock.

/// What an interval starts with, in lower case only: upper case never worked, so a stored row cannot contain it.
pub(super) const PREFIX: &str = "@every";

/// Seconds in `text`, the part of an expression after [`PREFIX`], such as `5s`, `10m`, `2h` or `1d`.
///
/// Stricter than number parsing in general (no sign, no fraction, no compound such as `1m30s`), so that every
/// language which reads the row agrees on its length.
///
/// # Errors
/// A phrase that names the problem of `text`.
pub(super) fn parse(text: &str) -> Result<i64, String> {
    let text = text.trim();
    let (unit_s, unit_at) = match text.char_indices().next_back() {
        Some((at, 's')) => (1, at),
        Some((at, 'm')) => (60, at),
        Some((at, 'h')) => (3_600, at),
        Some((at, 'd')) => (86_400, at),
        _ => return Err("it does not end in one of the units s, m, h or d".to_owned()),
    };
    let digits = &text[..unit_at];
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("{digits:?} is not a whole number"));
    }
    let interval_s = digits.parse::<i64>().ok().and_then(|count| count.checked_mul(unit_s));
    match interval_s {
        Some(0) => Err("the count must be at least 1".to_owned()),
        Some(interval_s) => Ok(interval_s),
        None => Err("the interval does not fit 64-bit seconds".to_owned()),
    }
}
