//! Lost file events, for tests that prove that nothing depends on them. Only in builds with the feature `failpoints`.

/// Loses a share of the events.
pub struct Loss {
    percent: u64,
    seen: u64,
}

impl Loss {
    /// `HONKER_TEST_LOSE_EVENTS` is the percentage.
    pub fn from_environment() -> Self {
        let percent = std::env::var("HONKER_TEST_LOSE_EVENTS").ok().and_then(|text| text.parse().ok());
        Self { percent: percent.unwrap_or(0), seen: 0 }
    }

    pub fn swallows(&mut self) -> bool {
        if self.percent == 0 {
            return false;
        }
        // Spread evenly, the same in every run.
        self.seen = self.seen.wrapping_add(1);
        self.seen.wrapping_mul(37) % 100 < self.percent
    }
}
