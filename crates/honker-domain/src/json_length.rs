//! The length of JSON texts before they are built, so that a result never exceeds the longest text of a connection.

use crate::{Error, Result};

/// Room for the fields of a job, an event or a notification that are numbers, and for all names of fields.
const FIELDS_BYTES: usize = 512;

/// The bytes of a text as a JSON string, quotes included: control characters take six, as `serde_json` writes them.
#[must_use]
pub fn of_text(text: &str) -> usize {
    let escapes: usize = text
        .bytes()
        .map(|byte| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 1,
            0..=0x1f => 5,
            _ => 0,
        })
        .sum();
    text.len() + escapes + 2
}

/// The rows of a result as far as they fit: at least one row, and after it no more than fit into the bytes that are
/// good for one result and into the longest text.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    longest_text: usize,
    payload_max: usize,
    json_bytes: usize,
    payload_bytes: usize,
    rows: usize,
}

impl Room {
    /// Room for rows with `payload_max` bytes of payload in a text of up to `longest_text` bytes.
    #[must_use]
    pub const fn new(longest_text: usize, payload_max: usize) -> Self {
        // Of an object around the rows.
        Self { longest_text, payload_max, json_bytes: 1_024, payload_bytes: 0, rows: 0 }
    }

    /// The same with fewer bytes, some having been used for something else.
    #[must_use]
    pub const fn less(self, bytes: usize) -> Self {
        Self { json_bytes: self.json_bytes.saturating_add(bytes), ..self }
    }

    /// True if another row may be read.
    #[must_use]
    pub const fn is_left(&self) -> bool {
        self.payload_bytes < self.payload_max
    }

    /// Takes room for a row with a payload and other texts. False if the row does not fit behind others.
    ///
    /// # Errors
    /// The row does not fit by itself.
    pub fn take(&mut self, id: i64, payload: &str, others: &[&str]) -> Result<bool> {
        let texts: usize = others.iter().map(|text| of_text(text)).sum();
        let row = of_text(payload) + texts + FIELDS_BYTES;
        if self.json_bytes.saturating_add(row) > self.longest_text {
            return if self.rows > 0 { Ok(false) } else { Err(Error::row_too_long(id, row, self.longest_text)) };
        }
        self.json_bytes += row;
        self.payload_bytes += payload.len();
        self.rows += 1;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_length_of_a_text_is_that_which_serde_json_writes() {
        let every_ascii: String = (0..=0x7f_u8).map(char::from).collect();
        for text in ["", "plain", "\"quoted\" \\", "\u{0}\u{1f}\n\t", "été \u{7f} \u{1f600}", &every_ascii] {
            assert_eq!(super::of_text(text), serde_json::to_string(text).unwrap_or_default().len(), "{text:?}");
        }
    }
}
