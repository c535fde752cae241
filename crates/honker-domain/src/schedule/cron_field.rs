//! One cron field as text: checked word by word and rewritten to plain numbers, before croner parses it.
//!
//! croner 4 replaces names as plain text wherever they occur (`MON` as an hour is 1, `JANFEB` is December), drops
//! empty list items, does not know `*` inside a list, ignores text after `W`, ignores `L` beside `LW`, and
//! never matches `7L`. The order of ranges and all else about the structure is left to croner.

/// No field spans more values, so a larger step selects the first value of its range only, and so does this one.
/// croner adds steps in 16 bits and would refuse some of them.
const LARGEST_STEP: u32 = 60;

/// The place of a field in an expression, and its words.
pub(super) struct Field {
    /// As used in messages.
    pub name: &'static str,
    /// Smallest and largest number.
    pub bounds: (u32, u32),
    /// Names of the numbers from the smallest on.
    names: &'static [&'static str],
    extra: Extra,
}

/// Words beyond numbers and names.
enum Extra {
    Nothing,
    /// `?`, `L` (last day), `LW` (last day from Monday to Friday), `15W` (the nearest such day).
    MonthDay,
    /// `?`, `5#2` (second Friday), `5L` and `5#L` (last Friday), `7` for Sunday.
    Weekday,
}

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// The fields in the order of an expression with seconds.
pub(super) const FIELDS: [Field; 6] = [
    Field::plain("second", 0, 59),
    Field::plain("minute", 0, 59),
    Field::plain("hour", 0, 23),
    Field { extra: Extra::MonthDay, ..Field::plain("day-of-month", 1, 31) },
    Field { names: &MONTHS, ..Field::plain("month", 1, 12) },
    Field { names: &WEEKDAYS, extra: Extra::Weekday, ..Field::plain("day-of-week", 0, 7) },
];

impl Field {
    const fn plain(name: &'static str, smallest: u32, largest: u32) -> Self {
        Self { name, bounds: (smallest, largest), names: &[], extra: Extra::Nothing }
    }

    /// `text` in the form croner reads as we mean it.
    ///
    /// # Errors
    /// A phrase that names the problem of `text`.
    pub(super) fn translate(&self, text: &str) -> Result<String, String> {
        if text == "*" {
            return Ok(text.to_owned());
        }
        let items: Result<Vec<String>, String> = text.split(',').map(|item| self.translate_item(item)).collect();
        let items = items?;
        let has = |word: &str| items.iter().any(|item| item == word);
        if has("L") && has("LW") {
            return Err("L and LW exclude each other".to_owned());
        }
        Ok(items.join(","))
    }

    fn translate_item(&self, item: &str) -> Result<String, String> {
        if item.is_empty() {
            return Err("its list has an empty item".to_owned());
        }
        let Some((range, step)) = item.split_once('/') else {
            return self.translate_range(item);
        };
        if number(range).is_some() {
            // Vixie cron ignores the step, others run from N to the end: the meaning is ambiguous.
            let largest = self.bounds.1;
            return Err(format!("{item:?} is ambiguous, write \"{range}-{largest}/{step}\" or \"{range}\""));
        }
        let step = number(step).ok_or_else(|| format!("the step {step:?} is not a whole number"))?;
        let range = if range == "*" { range.to_owned() } else { self.translate_range(range)? };
        Ok(format!("{range}/{}", step.min(LARGEST_STEP)))
    }

    /// `text`, which [`Field::translate`] accepts, in the form that the reference reads: numbers only, and Sunday is 0.
    ///
    /// # Errors
    /// A phrase that names the part without such a form.
    pub(super) fn numeric(&self, text: &str) -> Result<String, String> {
        let items: Result<Vec<String>, String> = text.split(',').map(|item| self.numeric_item(item)).collect();
        items.map(|items| items.join(","))
    }

    fn numeric_item(&self, item: &str) -> Result<String, String> {
        let (range, step) = item.split_once('/').map_or((item, None), |(range, step)| (range, number(step)));
        let with_step = |range: &str| step.map_or_else(|| range.to_owned(), |step| format!("{range}/{step}"));
        if range == "*" || range == "?" {
            return Ok(with_step("*"));
        }
        let range = self.translate_values(range).map_err(|_| format!("{item:?} has no such form"))?;
        let ends: Vec<u32> = range.split('-').filter_map(number).collect();
        match ends.as_slice() {
            [first, 7] if matches!(self.extra, Extra::Weekday) => {
                let days = (*first..=7).step_by(step.unwrap_or(1).max(1) as usize).map(|day| day % 7);
                let days: std::collections::BTreeSet<u32> = days.collect();
                Ok(days.iter().map(u32::to_string).collect::<Vec<_>>().join(","))
            }
            [7] if matches!(self.extra, Extra::Weekday) => Ok(with_step("0")),
            _ => Ok(with_step(&range)),
        }
    }

    /// A single value, `A-B`, `*` or `?`, with the additions of the two day fields.
    fn translate_range(&self, range: &str) -> Result<String, String> {
        match self.extra {
            _ if range == "*" => Ok(self.whole_range()),
            Extra::MonthDay | Extra::Weekday if range == "?" => Ok(self.whole_range()),
            Extra::MonthDay if is_month_day_word(range) => Ok(range.to_ascii_uppercase()),
            Extra::Weekday => self.translate_weekdays(range),
            _ => self.translate_values(range),
        }
    }

    fn whole_range(&self) -> String {
        format!("{}-{}", self.bounds.0, self.bounds.1)
    }

    /// Weekdays with an optional `#1` to `#5`, `#L` or `L`.
    fn translate_weekdays(&self, text: &str) -> Result<String, String> {
        let without_l = text.strip_suffix(['L', 'l']);
        let (days, nth) = match (text.split_once('#'), without_l) {
            (Some((days, nth)), _) => (days, nth),
            (None, Some(days)) => (days, "L"),
            (None, None) => return self.translate_values(text),
        };
        let days = self.translate_values(days)?;
        if let Some(nth) = number(nth) {
            return Ok(format!("{days}#{nth}"));
        }
        match days.as_str() {
            _ if !nth.eq_ignore_ascii_case("L") => Err(format!("{nth:?} after # is neither a number nor L")),
            "7" => Ok("0#L".to_owned()), // croner turns 7 into 0 everywhere but here.
            day if day.len() == 1 => Ok(format!("{day}#L")),
            _ => Err(format!("L in {text:?} takes one weekday")),
        }
    }

    fn translate_values(&self, range: &str) -> Result<String, String> {
        let words: Vec<&str> = range.split('-').collect();
        let values: Result<Vec<u32>, String> = words.iter().map(|word| self.value(word)).collect();
        let mut values = values?;
        // A week may end on Sunday by name, as in FRI-SUN; SUN-SUN is still one day.
        if let ([first, last], [_, last_word]) = (values.as_mut_slice(), words.as_slice())
            && last_word.eq_ignore_ascii_case(WEEKDAYS[0])
            && *first > 0
        {
            *last = 7;
        }
        Ok(values.iter().map(u32::to_string).collect::<Vec<_>>().join("-"))
    }

    fn value(&self, word: &str) -> Result<u32, String> {
        let named = || self.names.iter().zip(self.bounds.0..).find(|(name, _)| name.eq_ignore_ascii_case(word));
        match number(word).or_else(|| named().map(|(_, value)| value)) {
            Some(value) if value < self.bounds.0 || value > self.bounds.1 => {
                Err(format!("{word} is not in the range {}", self.whole_range()))
            }
            Some(value) => Ok(value),
            None if word.is_empty() => Err("a number is missing".to_owned()),
            None => Err(format!("{word:?} is neither a number nor a name of this field")),
        }
    }
}

/// The non-negative number `word` stands for; beyond 32 bits all are alike. A leading `+` is allowed because rows
/// written before this parser may have one.
fn number(word: &str) -> Option<u32> {
    let digits = word.strip_prefix('+').unwrap_or(word);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u32::MAX))
}

fn is_month_day_word(word: &str) -> bool {
    match word.strip_suffix(['W', 'w']) {
        Some(day) => day.eq_ignore_ascii_case("L") || number(day).is_some_and(|day| day <= 31),
        None => word.eq_ignore_ascii_case("L"),
    }
}
