package dev.honker;

import java.util.List;

/** A stream of events. Each consumer reads it at its own pace. Payloads are JSON. */
public final class Stream {
    private final Database db;
    private final String topic;

    Stream(Database db, String topic) {
        this.db = db;
        this.topic = topic;
    }

    /**
     * The topic.
     *
     * @return the topic
     */
    public String topic() {
        return topic;
    }

    /**
     * Publishes an event.
     *
     * @param json the payload
     * @return its offset
     */
    public long publish(String json) {
        return publish(json, null);
    }

    /**
     * Publishes an event with a key.
     *
     * @param json the payload
     * @param key the key, or null
     * @return its offset
     */
    public long publish(String json, String key) {
        return db.connections().write(each -> publish(each, json, key));
    }

    /**
     * Publishes an event if and only if the transaction commits.
     *
     * @param tx the transaction
     * @param json the payload
     * @return its offset
     */
    public long publish(Transaction tx, String json) {
        return publish(tx, json, null);
    }

    /**
     * Publishes an event with a key if and only if the transaction commits.
     *
     * @param tx the transaction
     * @param json the payload
     * @param key the key, or null
     * @return its offset
     */
    public long publish(Transaction tx, String json, String key) {
        return tx.run(each -> publish(each, json, key));
    }

    private long publish(SqlConnection connection, String json, String key) {
        return connection.integer(
                "SELECT honker_stream_publish(?, ?, ?)", topic, key, Arguments.required("json", json));
    }

    /**
     * The events after an offset.
     *
     * @param offset the offset of the last event seen, 0 for the beginning
     * @param limit the largest number; negative for all
     * @return the events in order, without malformed rows
     */
    public List<Event> readSince(long offset, int limit) {
        return Json.objects(page(offset, limit)).stream()
                .filter(row -> row.get("malformed") == null)
                .map(Event::read)
                .toList();
    }

    /**
     * The events after the saved offset of a consumer.
     *
     * @param consumer the consumer
     * @param limit the largest number; negative for all
     * @return the events in order, without malformed rows
     */
    public List<Event> readFromConsumer(String consumer, int limit) {
        return readSince(getOffset(consumer), limit);
    }

    String page(long offset, int limit) {
        return db.connections()
                .read(each -> each.text("SELECT honker_stream_read_since(?, ?, ?)", topic, offset, limit));
    }

    /**
     * Saves the offset of a consumer. It only rises.
     *
     * @param consumer the consumer
     * @param offset the offset of the last event that the consumer is done with
     * @return true if it rose
     */
    public boolean saveOffset(String consumer, long offset) {
        return db.connections().write(each -> saveOffset(each, consumer, offset));
    }

    /**
     * Saves the offset of a consumer if and only if the transaction commits.
     *
     * @param tx the transaction
     * @param consumer the consumer
     * @param offset the offset of the last event that the consumer is done with
     * @return true if it rose
     */
    public boolean saveOffset(Transaction tx, String consumer, long offset) {
        return tx.run(each -> saveOffset(each, consumer, offset));
    }

    private boolean saveOffset(SqlConnection connection, String consumer, long offset) {
        return connection.flag("SELECT honker_stream_save_offset(?, ?, ?)", consumer, topic, offset);
    }

    /**
     * The saved offset of a consumer.
     *
     * @param consumer the consumer
     * @return the offset, 0 if none was saved
     */
    public long getOffset(String consumer) {
        return db.connections().read(each -> each.integer("SELECT honker_stream_get_offset(?, ?)", consumer, topic));
    }

    /**
     * Begins to read events one after the other.
     *
     * @param options the options
     * @return the subscription; close it
     */
    public Subscription subscription(SubscribeOptions options) {
        return new Subscription(db, this, options);
    }

    /**
     * Calls a handler for each event from the beginning, without saving an offset.
     *
     * @param handler the handler; its exceptions end the subscription, see {@link Running#failure}
     * @return the running subscription; close it
     */
    public Running subscribe(EventHandler handler) {
        return subscribe(handler, SubscribeOptions.defaults());
    }

    /**
     * Calls a handler for each event.
     *
     * @param handler the handler; its exceptions end the subscription, see {@link Running#failure}
     * @param options the options
     * @return the running subscription; close it
     */
    public Running subscribe(EventHandler handler, SubscribeOptions options) {
        Subscription subscription = subscription(options);
        return new Running(db, "honker-subscription", 1, null, (index, isStopped) -> {
            try (subscription) {
                subscription.run(handler, isStopped);
            }
        });
    }
}
