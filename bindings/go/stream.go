package honker

import (
	"context"
	"time"
)

const (
	readBatch         = 1000
	defaultSaveEveryN = 1000
	defaultSaveEvery  = time.Second
)

// StreamEvent is an event of a stream.
type StreamEvent struct {
	// Offset is the position, from 1. It grows over all topics, so those of a topic have gaps.
	Offset int64
	Topic  string
	// Key is the subject of the event, or nil.
	Key *string
	// Payload is the JSON text as it was published.
	Payload []byte
	// CreatedAt is in Unix seconds.
	CreatedAt int64
}

// UnmarshalPayload decodes the payload.
func (e *StreamEvent) UnmarshalPayload(dst any) error { return unmarshalPayload(e.Payload, dst) }

// Stream is an append-only log of events by topic. Each consumer has an offset in it.
type Stream struct {
	db    *Database
	topic string
}

// Stream returns a stream. It runs no SQL.
func (db *Database) Stream(name string) *Stream { return &Stream{db, name} }

// Topic returns the name of the stream.
func (s *Stream) Topic() string { return s.topic }

const publish = "honker_stream_publish(?, ?, ?)"

// Publish appends an event, and returns its offset.
func (s *Stream) Publish(payload any) (int64, error) { return s.publish(nil, payload) }

// PublishWithKey appends an event with a key, and returns its offset.
func (s *Stream) PublishWithKey(key string, payload any) (int64, error) {
	return s.publish(&key, payload)
}

func (s *Stream) publish(key *string, payload any) (int64, error) {
	text, err := encode(payload)
	if err != nil {
		return 0, err
	}
	return call[int64](s.db, "SELECT "+publish, s.topic, key, text)
}

// PublishTx appends an event that exists if and only if the transaction commits.
func (s *Stream) PublishTx(tx Tx, payload any) (int64, error) { return s.publishTx(tx, nil, payload) }

// PublishWithKeyTx is [Stream.PublishTx] with a key.
func (s *Stream) PublishWithKeyTx(tx Tx, key string, payload any) (int64, error) {
	return s.publishTx(tx, &key, payload)
}

func (s *Stream) publishTx(tx Tx, key *string, payload any) (int64, error) {
	text, err := encode(payload)
	if err != nil {
		return 0, err
	}
	return callIn[int64](s.db, tx, publish, s.topic, key, text)
}

// ReadSince returns up to limit events after an offset, in order; 0 is the beginning. It stops after 16 MiB of
// payloads, so it may return fewer events: read on after the last one until none is returned.
func (s *Stream) ReadSince(offset int64, limit int) ([]StreamEvent, error) {
	events, _, err := s.readSince(offset, limit)
	return events, err
}

// readSince also returns the offset of the last row, of which malformed ones are no events.
func (s *Stream) readSince(offset int64, limit int) ([]StreamEvent, int64, error) {
	const query = "SELECT honker_stream_read_since(?, ?, ?)"
	rows, err := parsed[[]eventRow](ask[string](s.db, query, s.topic, offset, limit))
	events := make([]StreamEvent, 0, len(rows))
	for _, row := range rows {
		offset = row.Offset
		if row.Malformed != "" {
			warnOfMalformed("offset", row.Offset, row.Malformed)
			continue
		}
		event := StreamEvent{row.Offset, row.Topic, row.Key, []byte(row.Payload), roundDown(row.CreatedAt)}
		events = append(events, event)
	}
	return events, offset, err
}

type eventRow struct {
	Offset    int64   `json:"offset"`
	Topic     string  `json:"topic"`
	Key       *string `json:"key"`
	Payload   string  `json:"payload"`
	CreatedAt float64 `json:"created_at"`
	Malformed string  `json:"malformed"`
}

// ReadFromConsumer returns up to limit events after the saved offset of a consumer.
func (s *Stream) ReadFromConsumer(consumer string, limit int) ([]StreamEvent, error) {
	offset, err := s.GetOffset(consumer)
	if err != nil {
		return nil, err
	}
	return s.ReadSince(offset, limit)
}

const saveOffset = "honker_stream_save_offset(?, ?, ?)"

// SaveOffset saves the offset of a consumer, and returns true if it rose. Save it after the event was processed, so
// that a crash repeats the event instead of losing it.
func (s *Stream) SaveOffset(consumer string, offset int64) (bool, error) {
	return call[bool](s.db, "SELECT "+saveOffset, consumer, s.topic, offset)
}

// SaveOffsetTx saves the offset if and only if the transaction commits.
func (s *Stream) SaveOffsetTx(tx Tx, consumer string, offset int64) (bool, error) {
	return callIn[bool](s.db, tx, saveOffset, consumer, s.topic, offset)
}

// GetOffset returns the saved offset of a consumer; 0 if none was saved.
func (s *Stream) GetOffset(consumer string) (int64, error) {
	return ask[int64](s.db, "SELECT honker_stream_get_offset(?, ?)", consumer, s.topic)
}

// Subscribe returns the events after the saved offset of a consumer, those that are there and those to come. The
// channel closes when the context ends, when the database is closed, and after an error, which is logged; use
// [Stream.Subscription] to have the error.
//
// The offset of an event is saved when a later one was received: after 1000 events or a second, and at the end. Events
// whose offset was not saved come again, so consumers must tolerate repeats.
func (s *Stream) Subscribe(ctx context.Context, consumer string) <-chan StreamEvent {
	events := make(chan StreamEvent)
	subscription, err := s.Subscription(consumer, SubscribeOptions{})
	go func() {
		defer close(events)
		var received int64
		pump(ctx, s.db, events, func(ctx context.Context) (*StreamEvent, error) {
			if err != nil {
				return nil, err
			}
			// The consumer may still work on the event that it has received; it is done with the one before.
			if sent := subscription.handedOut; sent != 0 {
				subscription.handedOut, received = received, sent
			}
			return subscription.Next(ctx)
		})
		if subscription != nil {
			subscription.endChannel()
		}
	}()
	return events
}
