//! Interprets bytes of the fuzzer as a script of SQL: calls with arguments, rows to corrupt, transactions to begin or
//! end.

use super::sqlite::Value;

/// Reads from the front; zeros follow the end, so that every input is a script.
pub struct Input<'a> {
    bytes: &'a [u8],
}

impl<'a> Input<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (head, rest) = self.bytes.split_at(count.min(self.bytes.len()));
        self.bytes = rest;
        head
    }

    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// One of several things.
    pub fn choose<'t, T>(&mut self, things: &'t [T]) -> &'t T {
        &things[usize::from(self.byte()) % things.len()]
    }

    /// The index of one of several names. A hash maps each value of the input to its nearest name, so an input of the
    /// corpus keeps its meaning when the engine gets more functions or columns.
    pub fn choose_named(&mut self, names: &[String]) -> usize {
        let seed = u64::from(self.byte()) << 8 | u64::from(self.byte());
        (0..names.len()).min_by_key(|index| distance(seed, &names[*index])).expect("there are some")
    }

    fn eight(&mut self) -> [u8; 8] {
        let mut eight = [0; 8];
        let given = self.take(8);
        eight[..given.len()].copy_from_slice(given);
        eight
    }

    /// An ordinary value, a strange one, or one that the fuzzer spells out.
    pub fn value(&mut self) -> Value {
        match self.byte() % 8 {
            0 => Value::Null,
            1 => Value::Integer(i64::from(self.byte().cast_signed())),
            2 => Value::Integer(*self.choose(&INTEGERS)),
            3 => Value::Real(*self.choose(&REALS)),
            4 => Value::text(self.choose::<&str>(&TEXTS)),
            5 => Value::Integer(i64::from_le_bytes(self.eight())),
            6 => Value::Real(f64::from_le_bytes(self.eight())),
            _ => {
                let form = self.byte();
                let bytes = self.take(usize::from(form / 2)).to_vec();
                if form.is_multiple_of(2) { Value::Text(bytes) } else { Value::Blob(bytes) }
            }
        }
    }
}

/// FNV-1a with a final mix, because it mixes the end of a text badly.
fn distance(seed: u64, name: &str) -> u64 {
    let start = (0xcbf2_9ce4_8422_2325 ^ seed).wrapping_mul(0x0100_0000_01b3);
    let hash = name.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (hash ^ hash >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

const INTEGERS: [i64; 14] = [
    0,
    1,
    2,
    3,
    -1,
    60,
    10_000,
    1_000_000,
    2_000_000_000,
    253_402_300_799,
    9_007_199_254_740_991,
    i64::MAX,
    i64::MAX - 1,
    i64::MIN,
];

const REALS: [f64; 10] = [0.0, -0.0, 0.05, 1.5, 1e-9, 1e15, 1e300, -1e18, f64::INFINITY, f64::NEG_INFINITY];

const TEXTS: [&str; 26] = [
    "q",
    "w",
    "",
    "{}",
    "[]",
    "[1]",
    "[1,2,null]",
    "[[1,1]]",
    "[[null,\"{}\"],[\"k\",\"1\"]]",
    "[{\"id\":1,\"attempt\":1,\"do\":\"ack\",\"result\":\"1\",\"result_ttl_s\":0.5}]",
    "[{\"id\":1,\"attempt\":1,\"do\":\"retry\",\"delay_s\":0,\"error\":\"e\"}]",
    "[{\"id\":1,\"attempt\":1,\"do\":\"fail\",\"error\":\"e\"},{\"id\":2,\"attempt\":1,\"do\":\"release\"}]",
    "@every 1s",
    "@hourly",
    "*/5 * * * *",
    "30 2 29 2 *",
    "UTC",
    "Europe/Berlin",
    "pending",
    "processing",
    "catch_up",
    "once",
    "skip",
    "12",
    "soon",
    "schema_version",
];
