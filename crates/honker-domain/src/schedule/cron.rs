//! Cron fields matched on the wall clock, without any time zone. croner parses and searches; this module holds it to
//! our rules.

use std::ops::Range;

use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{Span, Timestamp};

use super::cron_field::{FIELDS, Field};

/// How far ahead a match is looked for. Everything that can happen recurs sooner: the rarest combination, 29 February
/// on a given weekday, after at most 40 years.
pub(super) const HORIZON_YEARS: i64 = 100;

const MIDNIGHT: &str = "0 0 * * *";

/// Instants a search may start from, the years 1 to 4899 in UTC: croner knows the years 1 to 5000, and the horizon
/// must fit.
pub(super) const SUPPORTED: Range<i64> = -62_135_596_800..92_461_910_400;

/// Nicknames of croner, plus `@midnight`, which Vixie cron has too.
const NICKNAMES: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", MIDNIGHT),
    ("@midnight", MIDNIGHT),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// Why no match was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SearchError {
    /// The start is outside the years that can be searched.
    OutOfRange,
    /// Nothing matches within [`HORIZON_YEARS`].
    NoMatch,
}

/// Parsed cron fields.
#[derive(Debug, Clone)]
pub(super) struct Cron {
    fields: croner::Cron,
    runs_through_hours: bool,
}

impl Cron {
    /// Parses a nickname, or 5 or 6 fields separated by white space.
    ///
    /// # Errors
    /// A phrase that names the field and the problem.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = if text.starts_with('@') { nickname(text)? } else { text };
        let mut texts: Vec<&str> = text.split_whitespace().collect();
        match texts.len() {
            5 => texts.insert(0, "0"),
            6 => {}
            count => return Err(format!("it has {count} fields instead of 5 or 6")),
        }
        let meet_both = meet_both_day_fields(&mut texts);
        let fields = translate_fields(&texts, meet_both)?;
        let runs_through_hours = texts[2].contains(['*', '/']) || fields.pattern.hours.values().len() == 24;
        Ok(Self { fields, runs_through_hours })
    }

    /// Whether the hours are a wildcard or a step, or every single hour is listed: then the schedule means "every so
    /// often" rather than "at these hours", and an hour that the clock repeats is one more hour to run in.
    pub(super) fn runs_through_hours(&self) -> bool {
        self.runs_through_hours
    }

    /// Whether there is any date that matches.
    ///
    /// Searched in the last century croner knows, because there it gives up after 100 years instead of thousands,
    /// 30 times sooner. Centuries differ by a single 29 February.
    pub(super) fn can_match(&self) -> bool {
        self.first_match(SUPPORTED.end).is_ok()
    }

    /// The first matching wall time at or after `wall`, both as if they were Unix seconds in UTC.
    pub(super) fn first_match(&self, wall: i64) -> Result<i64, SearchError> {
        let start = date_time(wall)?;
        let horizon = start.checked_add(Span::new().years(HORIZON_YEARS)).map_err(|_| SearchError::OutOfRange)?;
        // The only error left after parsing is the search limit of croner, the year 5000.
        let matched = self.fields.find_next_occurrence(&start, true).map_err(|_| SearchError::NoMatch)?;
        if matched > horizon {
            return Err(SearchError::NoMatch);
        }
        let matched = Offset::UTC.to_timestamp(matched).map_err(|_| SearchError::OutOfRange)?;
        Ok(matched.as_second())
    }
}

/// Fields that [`Cron::parse`] accepts in the form that the reference reads: numbers only, and no nickname.
///
/// # Errors
/// A phrase that names the field and the part without such a form.
pub(super) fn numeric(text: &str) -> Result<String, String> {
    let text = if text.starts_with('@') { nickname(text)? } else { text };
    let texts: Vec<&str> = text.split_whitespace().collect();
    let fields = FIELDS.iter().skip(FIELDS.len().saturating_sub(texts.len()));
    let numeric: Result<Vec<String>, String> = fields
        .zip(&texts)
        .map(|(field, text)| {
            // The reference takes a plus before a number, and its rule is the one that our plus asks for.
            let plain = text.strip_prefix('+').unwrap_or(text);
            let plus = if plain.len() < text.len() && !plain.starts_with(['*', '?']) { "+" } else { "" };
            field.numeric(plain).map(|numeric| format!("{plus}{numeric}")).map_err(|why| blame(field, text, &why))
        })
        .collect();
    numeric.map(|fields| fields.join(" "))
}

/// True if a day that meets one of two day fields is enough: the reference asks for both.
pub(super) fn is_either_day_enough(text: &str) -> bool {
    let texts: Vec<&str> = text.split_whitespace().collect();
    let [.., of_month, _, of_week] = texts.as_slice() else { return false };
    !of_week.starts_with(['*', '?', '+']) && !of_month.starts_with(['*', '?'])
}

fn nickname(text: &str) -> Result<&'static str, String> {
    let known = NICKNAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    known.map(|(_, fields)| *fields).ok_or_else(|| "the nickname is unknown".to_owned())
}

/// Whether a day must meet both day fields, rather than at least one of them as usual; removes the `+`.
///
/// The rule of Vixie cron: a day field that begins with `*` restricts days together with the other one, so `0 0 */2 *
/// MON` is Mondays on odd days. croner applies it to a bare `*` only. Its `+` before day-of-week asks for both
/// explicitly: `0 0 13 * +FRI` is Friday the 13th.
fn meet_both_day_fields(texts: &mut [&str]) -> bool {
    let (of_month, of_week) = (texts[3], texts[5]);
    texts[5] = of_week.strip_prefix('+').unwrap_or(of_week);
    of_week.starts_with(['*', '?', '+']) || of_month.starts_with(['*', '?'])
}

fn translate_fields(texts: &[&str], meet_both: bool) -> Result<croner::Cron, String> {
    let translated: Result<Vec<String>, String> = FIELDS
        .iter()
        .zip(texts)
        .map(|(field, text)| field.translate(text).map_err(|why| blame(field, text, &why)))
        .collect();
    let translated = translated?;
    parse_fields(&translated, meet_both).map_err(|_| find_culprit(&translated, texts))
}

fn parse_fields(fields: &[String], meet_both: bool) -> Result<croner::Cron, CronError> {
    CronParser::builder()
        .seconds(Seconds::Required)
        .year(Year::Disallowed)
        .dom_and_dow(meet_both)
        .build()
        .parse(&fields.join(" "))
}

/// croner does not say which field it refuses, so each is tried alone.
fn find_culprit(fields: &[String], texts: &[&str]) -> String {
    for (index, field) in FIELDS.iter().enumerate() {
        let mut alone = FIELDS.map(|_| "*".to_owned());
        alone[index].clone_from(&fields[index]);
        if let Err(error) = parse_fields(&alone, false) {
            return blame(field, texts[index], &reason(error));
        }
    }
    "its fields do not fit together".to_owned()
}

fn reason(error: CronError) -> String {
    let message = match error {
        CronError::ComponentError(message)
        | CronError::IllegalCharacters(message)
        | CronError::InvalidPattern(message) => message,
        other => other.to_string(),
    };
    message.trim_end_matches('.').to_ascii_lowercase()
}

fn blame(field: &Field, text: &str, why: &str) -> String {
    format!("in the {} field {text:?}, {why}", field.name)
}

fn date_time(wall: i64) -> Result<DateTime, SearchError> {
    let timestamp = Timestamp::from_second(wall).map_err(|_| SearchError::OutOfRange)?;
    Ok(Offset::UTC.to_datetime(timestamp))
}
