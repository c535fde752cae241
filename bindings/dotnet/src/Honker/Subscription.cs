using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;

namespace Honker
{
    /// <summary>Reads the events of a stream as they come.</summary>
    internal static class Subscription
    {
        private static readonly TimeSpan FallbackPoll = TimeSpan.FromSeconds(15);

        internal static async IAsyncEnumerable<Event> ReadAsync(
            Stream stream,
            long offset,
            OffsetSaving saving,
            [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            Watcher watcher = stream.Engine.Watcher;
            try
            {
                while (true)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    Task news = watcher.News();
                    List<Event> events = stream.ReadSince(offset);
                    foreach (Event each in events)
                    {
                        yield return each;
                        cancellationToken.ThrowIfCancellationRequested();
                        offset = each.Offset;
                        saving.Processed(offset);
                    }
                    if (events.Count == 0)
                    {
                        TimeSpan wait = saving.UntilSave(FallbackPoll);
                        await watcher.WaitAsync(news, wait, cancellationToken).ConfigureAwait(false);
                        saving.SaveIfDue();
                    }
                }
            }
            finally
            {
                saving.SaveAtEnd();
            }
        }
    }

    /// <summary>Decides when the offset of a consumer is saved.</summary>
    internal sealed class OffsetSaving
    {
        private readonly Stream stream;
        private readonly string? consumer;
        private readonly int everyN;
        private readonly TimeSpan every;
        private readonly Stopwatch sinceSave = Stopwatch.StartNew();
        private long offset;
        private int unsaved;

        internal OffsetSaving(Stream stream, string? consumer, int everyN, double everySeconds)
        {
            this.stream = stream;
            this.consumer = consumer;
            this.everyN = everyN;
            every = TimeSpan.FromSeconds(everySeconds);
        }

        private bool IsOn => consumer != null && (everyN > 0 || every > TimeSpan.Zero);

        internal void Processed(long processed)
        {
            offset = processed;
            unsaved++;
            SaveIfDue();
        }

        internal TimeSpan UntilSave(TimeSpan longest)
        {
            if (!IsOn || unsaved == 0 || every <= TimeSpan.Zero)
            {
                return longest;
            }
            TimeSpan left = every - sinceSave.Elapsed;
            return left <= TimeSpan.Zero ? TimeSpan.Zero : left < longest ? left : longest;
        }

        internal void SaveIfDue()
        {
            bool isMany = everyN > 0 && unsaved >= everyN;
            bool isLong = every > TimeSpan.Zero && sinceSave.Elapsed >= every;
            if (IsOn && unsaved > 0 && (isMany || isLong))
            {
                Save();
            }
        }

        internal void SaveAtEnd()
        {
            if (!IsOn || unsaved == 0)
            {
                return;
            }
            try
            {
                Save();
            }
            catch (HonkerClosedException)
            {
                // The next subscription begins at the offset saved before, as after a crash.
            }
        }

        private void Save()
        {
            stream.SaveOffset(consumer!, offset);
            unsaved = 0;
            sinceSave.Restart();
        }
    }
}
