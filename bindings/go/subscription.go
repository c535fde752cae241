package honker

import (
	"context"
	"log/slog"
	"time"
)

// SubscribeOptions are the options of [Stream.Subscription]. Zeros mean the defaults.
type SubscribeOptions struct {
	// SaveEveryN saves the offset after so many events. 0 means 1000, less than 0 means never.
	SaveEveryN int
	// SaveEvery saves the offset after so long. 0 means a second, less than 0 means never.
	SaveEvery time.Duration
}

// Subscription is the progress of a consumer along a stream. Close it to save the offset of the last event that the
// consumer is done with.
type Subscription struct {
	stream   *Stream
	consumer string
	options  SubscribeOptions
	reader   *logReader[StreamEvent]
	readTo   int64
	// handedOut is the event that the consumer works on, doneTo the last one that it is done with; 0 means none.
	handedOut, doneTo int64
	unsaved           int
	savedAt           time.Time
}

// Subscription begins to read the events after the saved offset of a consumer.
func (s *Stream) Subscription(consumer string, options SubscribeOptions) (*Subscription, error) {
	if options.SaveEveryN == 0 {
		options.SaveEveryN = defaultSaveEveryN
	}
	if options.SaveEvery == 0 {
		options.SaveEvery = defaultSaveEvery
	}
	reader, err := newLogReader[StreamEvent](s.db)
	if err != nil {
		return nil, err
	}
	made := &Subscription{stream: s, consumer: consumer, options: options, reader: reader, savedAt: time.Now()}
	if made.readTo, err = s.GetOffset(consumer); err != nil {
		reader.end()
		return nil, err
	}
	reader.page, reader.idle = made.page, made.saveInTime
	return made, nil
}

func (s *Subscription) page() ([]StreamEvent, error) {
	events, readTo, err := s.stream.readSince(s.readTo, readBatch)
	s.readTo = readTo
	return events, err
}

// Next returns the next event, and waits for it without polling. It returns nil, nil when the context ends, and fails
// with [ErrClosed] when the subscription or the database is closed.
//
// The call means that the consumer is done with the event before, whose offset may be saved now.
func (s *Subscription) Next(ctx context.Context) (*StreamEvent, error) {
	if s.handedOut != 0 {
		s.doneTo, s.handedOut = s.handedOut, 0
		s.unsaved++
	}
	if isMany := s.options.SaveEveryN > 0 && s.unsaved >= s.options.SaveEveryN; isMany && s.reader.isOpen() {
		if err := s.save(); err != nil {
			return nil, err
		}
	}
	if _, err := s.saveInTime(); err != nil {
		return nil, err
	}
	event, found, err := s.reader.next(ctx, "the subscription")
	if !found {
		return nil, err
	}
	s.handedOut = event.Offset
	return &event, nil
}

// saveInTime saves an offset that has waited for long, and returns the span until it is to be called again.
func (s *Subscription) saveInTime() (time.Duration, error) {
	if s.unsaved == 0 || s.options.SaveEvery <= 0 || !s.reader.isOpen() {
		return fallbackPoll, nil
	}
	if left := s.options.SaveEvery - time.Since(s.savedAt); left > 0 {
		return left, nil
	}
	return fallbackPoll, s.save()
}

func (s *Subscription) save() error {
	if _, err := s.stream.SaveOffset(s.consumer, s.doneTo); err != nil {
		return err
	}
	s.unsaved, s.savedAt = 0, time.Now()
	return nil
}

// Close ends the wait of Next, and saves the offset of the last event that the consumer is done with, unless saving is
// off. Closing again does nothing.
func (s *Subscription) Close() error {
	isSaving := s.options.SaveEveryN > 0 || s.options.SaveEvery > 0
	wasOpen := s.reader.isOpen()
	s.reader.end()
	if !wasOpen || !isSaving || s.unsaved == 0 || isDone(s.stream.db.closing) {
		return nil
	}
	return s.save()
}

// endChannel closes the subscription of a channel, which has no caller for an error.
func (s *Subscription) endChannel() {
	if err := s.Close(); err != nil {
		slog.Warn("honker: an offset is not saved; events come again", "consumer", s.consumer, "error", err)
	}
}
