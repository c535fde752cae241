package honker

import "context"

// Notification is a message to the listeners of a channel.
type Notification struct {
	// ID grows over all channels.
	ID      int64
	Channel string
	// Payload is the JSON text as it was sent.
	Payload []byte
}

// UnmarshalPayload decodes the payload.
func (n *Notification) UnmarshalPayload(dst any) error { return unmarshalPayload(n.Payload, dst) }

// Notify sends a notification to those that listen to a channel now, in any process, and returns its id. Notifications
// older than a day are deleted.
func (db *Database) Notify(channel string, payload any) (int64, error) {
	text, err := encode(payload)
	if err != nil {
		return 0, err
	}
	return call[int64](db, "SELECT notify(?, ?)", channel, text)
}

// NotifyTx sends a notification if and only if the transaction commits.
func (db *Database) NotifyTx(tx Tx, channel string, payload any) (int64, error) {
	text, err := encode(payload)
	if err != nil {
		return 0, err
	}
	return callIn[int64](db, tx, "notify(?, ?)", channel, text)
}

// PruneNotifications deletes the notifications that are older than a number of seconds, and all but the newest maxKeep.
// nil means no limit. It returns the number deleted.
func (db *Database) PruneNotifications(olderThanS, maxKeep *int64) (int64, error) {
	return call[int64](db, "SELECT honker_notification_prune(?, ?)", olderThanS, maxKeep)
}

// Listen returns the notifications of a channel that are sent from now on. The channel closes when the context ends,
// when the database is closed, and after an error, which is logged; use [Database.Listener] to have the error.
func (db *Database) Listen(ctx context.Context, channel string) <-chan Notification {
	notifications := make(chan Notification)
	listener, err := db.Listener(channel)
	go func() {
		defer close(notifications)
		pump(ctx, db, notifications, func(ctx context.Context) (*Notification, error) {
			if err != nil {
				return nil, err
			}
			return listener.Next(ctx)
		})
		if listener != nil {
			listener.Close()
		}
	}()
	return notifications
}

// Listener receives the notifications of a channel. Close it when it is no longer needed.
type Listener struct {
	db      *Database
	channel string
	readTo  int64
	reader  *logReader[Notification]
}

// Listener begins to listen to a channel.
func (db *Database) Listener(channel string) (*Listener, error) {
	reader, err := newLogReader[Notification](db)
	if err != nil {
		return nil, err
	}
	made := &Listener{db: db, channel: channel, reader: reader}
	made.readTo, err = ask[int64](db, "SELECT honker_notification_last_id(?)", channel)
	if err != nil {
		reader.end()
		return nil, err
	}
	reader.page = made.page
	return made, nil
}

func (l *Listener) page() ([]Notification, error) {
	const query = "SELECT honker_notification_read_since(?, ?, ?)"
	rows, err := parsed[[]notificationRow](ask[string](l.db, query, l.channel, l.readTo, readBatch))
	page := make([]Notification, 0, len(rows))
	for _, row := range rows {
		l.readTo = row.ID
		if row.Malformed != "" {
			warnOfMalformed("notification", row.ID, row.Malformed)
			continue
		}
		page = append(page, Notification{row.ID, row.Channel, []byte(row.Payload)})
	}
	return page, err
}

type notificationRow struct {
	ID        int64  `json:"id"`
	Channel   string `json:"channel"`
	Payload   string `json:"payload"`
	Malformed string `json:"malformed"`
}

// Next returns the next notification, and waits for it without polling. It returns nil, nil when the context ends, and
// fails with [ErrClosed] when the listener or the database is closed.
func (l *Listener) Next(ctx context.Context) (*Notification, error) {
	notification, found, err := l.reader.next(ctx, "the listener")
	if !found {
		return nil, err
	}
	return &notification, nil
}

// Close ends the wait of Next. Closing again does nothing.
func (l *Listener) Close() { l.reader.end() }
