//! The events of a stream as a consumer reads them.

use std::collections::VecDeque;
use std::time::Duration;

use crate::database::FALLBACK;
use crate::error::{Error, ErrorKind, Result};
use crate::stop::Stop;
use crate::stream::{Stream, StreamEvent};
use crate::wait::{Look, Waited, Waiter};

/// Rows of one read.
const PAGE: i64 = 1000;
const SAVE_EVERY: i64 = 1000;

/// The events of a stream behind a consumer's offset, made by [`Stream::subscribe`]. As an iterator it waits for the
/// next one.
///
/// # Which offset is saved
///
/// An event counts as done when the next one is asked for. The offset of the last event that is done is saved every
/// 1000 events ([`StreamSubscription::save_every`]) and on drop. So the event at which a loop ends, by `break`, `?` or a
/// panic, comes again, unless [`StreamSubscription::save_offset`] has saved it: every event is handled at least once.
#[derive(Debug)]
pub struct StreamSubscription {
    pub(crate) log: Log,
    pub(crate) waiter: Waiter,
    has_ended: bool,
}

/// The place in the stream.
#[derive(Debug)]
pub struct Log {
    stream: Stream,
    consumer: String,
    page: VecDeque<StreamEvent>,
    /// The last event that was handed out.
    offset: i64,
    /// The last event that is done.
    done_to: i64,
    /// The offset that is stored, as far as this subscription knows.
    saved: i64,
    save_every: i64,
}

impl StreamSubscription {
    pub(crate) fn new(stream: &Stream, consumer: &str) -> Result<Self> {
        let waiter = Waiter::new(stream.db().shared())?;
        let offset = stream.get_offset(consumer)?;
        let (stream, consumer) = (stream.clone(), consumer.to_owned());
        let (done_to, saved) = (offset, offset);
        let log = Log { stream, consumer, page: VecDeque::new(), offset, done_to, saved, save_every: SAVE_EVERY };
        Ok(Self { log, waiter, has_ended: false })
    }

    /// Saves the offset once it is `n` beyond the saved one; 1000 by default. With 0 nothing is saved by itself.
    #[must_use]
    pub fn save_every(mut self, n: i64) -> Self {
        self.log.save_every = n;
        self
    }

    /// The offset of the last event that was handed out.
    #[must_use]
    pub fn offset(&self) -> i64 {
        self.log.offset
    }

    /// Saves the offset of the last event that was handed out.
    ///
    /// # Errors
    /// Errors of writing.
    pub fn save_offset(&mut self) -> Result<()> {
        self.log.done_to = self.log.offset;
        self.log.save()
    }

    /// Waits for the next event. None after the end, which the error before it has told.
    pub fn recv(&mut self) -> Option<Result<StreamEvent>> {
        self.wait(None, &Stop::new()).transpose()
    }

    /// As [`StreamSubscription::recv`]; none once the stop comes.
    pub fn recv_until(&mut self, stop: &Stop) -> Option<Result<StreamEvent>> {
        self.wait(None, stop).transpose()
    }

    /// The next event, if it is there already.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`], [`ErrorKind::MalformedRow`] for a row that was edited by hand, and errors of reading and
    /// of saving the offset.
    pub fn try_next(&mut self) -> Result<Option<StreamEvent>> {
        match self.log.look()? {
            Look::Found(found) => found.map(Some),
            Look::Nothing(_) => Ok(None),
        }
    }

    /// Waits for the next event, at most for the timeout.
    ///
    /// # Errors
    /// As [`StreamSubscription::try_next`].
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Option<StreamEvent>> {
        self.wait(Some(timeout), &Stop::new())
    }

    fn wait(&mut self, timeout: Option<Duration>, stop: &Stop) -> Result<Option<StreamEvent>> {
        if self.has_ended {
            return Ok(None);
        }
        let waited = self.waiter.wait_for(timeout, stop, || self.log.look());
        self.outcome(waited)
    }

    /// The value of a wait. The subscription has ended after an error that will repeat.
    pub(crate) fn outcome(&mut self, waited: Result<Waited<Result<StreamEvent>>>) -> Result<Option<StreamEvent>> {
        match waited {
            Ok(Waited::Found(found)) => found.map(Some),
            Ok(Waited::TimedOut | Waited::Stopped) => Ok(None),
            Ok(Waited::Gone) => {
                self.has_ended = true;
                Err(Error::UpdateClosed)
            }
            Err(error) => {
                self.has_ended = matches!(error.kind(), ErrorKind::Closed | ErrorKind::Replaced);
                Err(error)
            }
        }
    }
}

/// The outcome of a read: the offset that was saved before it, and the events if there was none left.
pub struct Page {
    saved: i64,
    events: Option<VecDeque<StreamEvent>>,
}

impl Log {
    /// The next event, or the error of its row. The event before it is done.
    fn look(&mut self) -> Result<Look<Result<StreamEvent>>> {
        self.confirm();
        let page = self.reading()()?;
        self.add(page);
        Ok(self.pop().map_or(Look::Nothing(FALLBACK), Look::Found))
    }

    /// The event that was handed out is done.
    pub(crate) fn confirm(&mut self) {
        self.done_to = self.offset;
    }

    /// Saves the offset if it is time, and reads the next page if this one is empty; on any thread.
    pub(crate) fn reading(&self) -> impl FnOnce() -> Result<Page> + Send + 'static {
        let is_save_due = self.save_every > 0 && self.done_to - self.saved >= self.save_every;
        let is_empty = self.page.is_empty();
        let (stream, consumer, offset) = (self.stream.clone(), self.consumer.clone(), self.offset);
        let (saved, done_to) = (self.saved, self.done_to);
        move || {
            if is_save_due {
                stream.save_offset(&consumer, done_to)?;
            }
            let events = if is_empty { Some(stream.page(offset, PAGE)?.into()) } else { None };
            Ok(Page { saved: if is_save_due { done_to } else { saved }, events })
        }
    }

    pub(crate) fn add(&mut self, page: Page) {
        self.saved = page.saved;
        if let Some(events) = page.events {
            self.page = events;
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Result<StreamEvent>> {
        let next = self.page.pop_front()?;
        self.offset = next.offset;
        Some(next.checked())
    }

    fn save(&mut self) -> Result<()> {
        if self.done_to > self.saved {
            self.stream.save_offset(&self.consumer, self.done_to)?;
            self.saved = self.done_to;
        }
        Ok(())
    }
}

impl Iterator for StreamSubscription {
    type Item = Result<StreamEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        self.recv()
    }
}

impl Drop for StreamSubscription {
    fn drop(&mut self) {
        if self.log.save_every > 0 {
            // A drop reports nothing; the events then come again. `save_offset` returns the error.
            let _come_again = self.log.save();
        }
    }
}
