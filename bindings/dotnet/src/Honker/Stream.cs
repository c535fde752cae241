using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using System.Threading;

namespace Honker
{
    /// <summary>A stream: events of a topic that are kept, and the offsets of its consumers.</summary>
    public sealed class Stream
    {
        private readonly Engine engine;

        internal Stream(Engine engine, string topic)
        {
            this.engine = engine;
            Topic = topic;
        }

        /// <summary>The topic.</summary>
        public string Topic { get; }

        internal Engine Engine => engine;

        /// <summary>Append an event.</summary>
        /// <param name="payload">Any value with a JSON form.</param>
        /// <param name="key">A key for consumers, or null.</param>
        /// <param name="transaction">A transaction to publish it with.</param>
        /// <returns>The offset of the event.</returns>
        public long Publish(object? payload, string? key = null, HonkerTransaction? transaction = null)
        {
            string text = Payloads.Encode(payload, engine.Options);
            return engine.Number(transaction, "SELECT honker_stream_publish(@p0, @p1, @p2)", Topic, key, text);
        }

        /// <summary>Read events after an offset, in order.</summary>
        /// <param name="offset">The offset; 0 is the beginning.</param>
        /// <param name="limit">The largest number.</param>
        /// <returns>The events. There may be fewer than there are left: read on until none comes.</returns>
        public List<Event> ReadSince(long offset, int limit = 1000)
        {
            JsonElement rows = engine.Json("SELECT honker_stream_read_since(@p0, @p1, @p2)", Topic, offset, limit);
            return rows.EnumerateArray().Select(row => new Event(row, engine.Options)).ToList();
        }

        /// <summary>Read the events after the saved offset of a consumer.</summary>
        /// <param name="consumer">The name of the consumer.</param>
        /// <param name="limit">The largest number.</param>
        public List<Event> ReadFromConsumer(string consumer, int limit = 1000)
        {
            return ReadSince(GetOffset(consumer), limit);
        }

        /// <summary>Save the offset of a consumer. It never falls.</summary>
        /// <param name="consumer">The name of the consumer.</param>
        /// <param name="offset">The offset of the last event that was processed.</param>
        /// <param name="transaction">A transaction to save it with.</param>
        /// <returns>True if the offset rose.</returns>
        public bool SaveOffset(string consumer, long offset, HonkerTransaction? transaction = null)
        {
            return engine.Flag(
                transaction, "SELECT honker_stream_save_offset(@p0, @p1, @p2)", consumer, Topic, offset);
        }

        /// <summary>The saved offset of a consumer; 0 if there is none.</summary>
        /// <param name="consumer">The name of the consumer.</param>
        public long GetOffset(string consumer)
        {
            return engine.Number(null, "SELECT honker_stream_get_offset(@p0, @p1)", consumer, Topic);
        }

        /// <summary>
        /// Read events as they come. Use <c>await foreach</c>. An event counts as processed when the next one is asked
        /// for, and only offsets of processed events are saved; a consumer that crashes gets the others again.
        /// </summary>
        /// <param name="consumer">Whose offset is read and saved; null saves none.</param>
        /// <param name="fromOffset">The offset to begin after; null is the saved one, or 0.</param>
        /// <param name="saveEveryN">Save after this number of processed events; 0 disables it.</param>
        /// <param name="saveEverySeconds">Save after this time; 0 disables it.</param>
        /// <param name="cancellationToken">Ends a wait at once with OperationCanceledException.</param>
        /// <exception cref="HonkerClosedException">While it waits: the database was closed.</exception>
        public IAsyncEnumerable<Event> Subscribe(
            string? consumer = null,
            long? fromOffset = null,
            int saveEveryN = 1000,
            double saveEverySeconds = 1.0,
            CancellationToken cancellationToken = default)
        {
            engine.Watcher.News();
            long offset = fromOffset ?? (consumer == null ? 0 : GetOffset(consumer));
            var saving = new OffsetSaving(this, consumer, saveEveryN, saveEverySeconds);
            return Subscription.ReadAsync(this, offset, saving, cancellationToken);
        }
    }
}
