//! Rates of starts, by the generic cell rate algorithm: one number per rate, the time at which the next start is due.
//!
//! A start at `now` is allowed when `now` is not earlier than `next - tolerance`; then `next = max(next, now - late) + interval`.
//! `tolerance` is `(burst - 1) * interval`. `late` is small: a worker wakes some milliseconds after the time, and without it
//! each of these would be lost, a tenth of a rate of 100 a second. So any window of `per_s` seconds has at most
//! `limit + burst - 1` starts, and one more where workers were late.
//!
//! The number is written in the transaction of the claim. A crash before its commit undoes both; after it, the start is spent.
//! A clock that is set back makes `next` lie further in the future than a full burst allows; then it counts as if the starts
//! were taken now.

/// At most so many starts within a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Starts.
    pub limit: i64,
    /// Seconds.
    pub per_s: f64,
    /// Starts that may come at once.
    pub burst: i64,
}

/// The lateness of a worker that is made up for, in milliseconds, if that is no more than an interval.
const LATE_MS: f64 = 20.0;

/// A thousandth of a millisecond: the error of binary fractions.
const ERROR_MS: f64 = 1e-3;

impl Rate {
    pub(super) fn new(limit: Option<i64>, per_s: Option<f64>, burst: i64) -> Option<Self> {
        let (limit, per_s) = (limit.filter(|limit| *limit > 0)?, per_s.filter(|per_s| *per_s > 0.0)?);
        Some(Self { limit, per_s, burst: burst.max(1) })
    }

    fn interval_ms(&self) -> f64 {
        self.per_s * 1e3 / super::settings::as_real(self.limit)
    }

    fn tolerance_ms(&self) -> f64 {
        super::settings::as_real(self.burst - 1) * self.interval_ms()
    }

    fn late_ms(&self) -> f64 {
        LATE_MS.min(self.interval_ms() - 1.0).max(0.0)
    }

    /// The time of the next start that counts, by the one that is stored.
    fn next(&self, stored: Option<f64>, now_ms: f64) -> f64 {
        let latest = now_ms + self.tolerance_ms() + self.interval_ms() * super::settings::as_real(self.limit.max(1));
        stored.unwrap_or(f64::MIN).max(now_ms - self.late_ms()).min(latest)
    }

    /// How many of `wanted` may start now.
    #[expect(clippy::cast_possible_truncation, reason = "`as` saturates, and the caller wants few")]
    pub(super) fn allowed(&self, stored: Option<f64>, now_ms: f64, wanted: i64) -> i64 {
        let ahead = now_ms + self.tolerance_ms() + ERROR_MS - self.next(stored, now_ms);
        if ahead < 0.0 { 0 } else { wanted.min((ahead / self.interval_ms()).floor() as i64 + 1) }
    }

    /// The stored time after `count` starts now.
    pub(super) fn after(&self, stored: Option<f64>, now_ms: f64, count: i64) -> f64 {
        self.next(stored, now_ms) + self.interval_ms() * super::settings::as_real(count)
    }

    /// Gives out the next start, which may be to come: its time, and the stored time after it. Starts that were given out
    /// may reach far into the future, so there is no bound as in [`Rate::allowed`].
    pub(super) fn reserve(&self, stored: Option<f64>, now_ms: f64) -> (f64, f64) {
        let next = stored.unwrap_or(f64::MIN).max(now_ms - self.late_ms());
        (next - self.tolerance_ms(), next + self.interval_ms())
    }

    /// The first time at which a start is allowed, if that is to come.
    pub(super) fn next_start_ms(&self, stored: Option<f64>, now_ms: f64) -> f64 {
        self.next(stored, now_ms) - self.tolerance_ms()
    }
}

#[cfg(test)]
mod tests {
    use super::Rate;

    /// The starts of a worker that asks at each of these times, and starts what is allowed.
    fn starts(rate: Rate, times: impl Iterator<Item = f64>) -> Vec<f64> {
        let mut next = None;
        let mut starts = Vec::new();
        for now in times {
            let count = rate.allowed(next, now, 1_000);
            if count > 0 {
                next = Some(rate.after(next, now, count));
                starts.extend(std::iter::repeat_n(now, usize::try_from(count).unwrap()));
            }
        }
        starts
    }

    fn most_in_a_window(starts: &[f64], per_ms: f64) -> usize {
        let within = |first: f64| starts.iter().filter(|at| **at >= first && **at < first + per_ms).count();
        starts.iter().map(|first| within(*first)).max().unwrap_or(0)
    }

    #[test]
    fn a_late_worker_loses_no_start() {
        let rate = Rate { limit: 100, per_s: 1.0, burst: 1 };
        // It looks every 7 ms, so it is up to 7 ms late for each.
        let starts = starts(rate, (0..).map(|step| f64::from(step) * 7.0).take_while(|at| *at < 10_000.0));
        assert!((999..=1_001).contains(&starts.len()), "{}", starts.len());
        assert!(most_in_a_window(&starts, 1_000.0) <= 101);
    }

    #[test]
    fn a_window_holds_the_limit_and_the_burst() {
        for burst in [1, 2, 10, 100] {
            let rate = Rate { limit: 10, per_s: 1.0, burst };
            let pauses = [0.0, 5_000.0, 7_500.0, 60_000.0];
            let times = pauses.iter().flat_map(|start| (0..1_500).map(move |step| start + f64::from(step)));
            let starts = starts(rate, times);
            let most = i64::try_from(most_in_a_window(&starts, 1_000.0)).unwrap();
            assert!(most <= rate.limit + rate.burst, "burst {burst}: {most}");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nothing_for_long() {
        let rate = Rate { limit: 10, per_s: 1.0, burst: 1 };
        let next = Some(rate.after(None, 1e12, 10));
        assert_eq!(rate.allowed(next, 1e9, 1), 0);
        assert!(rate.next_start_ms(next, 1e9) <= 1e9 + 1_100.0);
    }
}
