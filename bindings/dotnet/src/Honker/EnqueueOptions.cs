using System.Collections.Generic;

namespace Honker
{
    /// <summary>Options of a job.</summary>
    public sealed class EnqueueOptions
    {
        /// <summary>Create options.</summary>
        /// <param name="RunAtUnix">Unix seconds before which the job is not claimed. Excludes a delay.</param>
        /// <param name="DelaySeconds">Seconds from now before which the job is not claimed.</param>
        /// <param name="Priority">Jobs of a larger priority are claimed sooner.</param>
        /// <param name="MaxAttempts">Claims before it is a dead letter; null means those of the queue.</param>
        /// <param name="ExpiresSeconds">Seconds from now after which the job is no longer claimed.</param>
        public EnqueueOptions(
            double? RunAtUnix = null,
            double? DelaySeconds = null,
            long Priority = 0,
            int? MaxAttempts = null,
            double? ExpiresSeconds = null)
        {
            this.RunAtUnix = RunAtUnix;
            this.DelaySeconds = DelaySeconds;
            this.Priority = Priority;
            this.MaxAttempts = MaxAttempts;
            this.ExpiresSeconds = ExpiresSeconds;
        }

        /// <summary>Unix seconds before which the job is not claimed.</summary>
        public double? RunAtUnix { get; set; }

        /// <summary>Seconds from now before which the job is not claimed.</summary>
        public double? DelaySeconds { get; set; }

        /// <summary>Jobs of a larger priority are claimed sooner.</summary>
        public long Priority { get; set; }

        /// <summary>Claims before it is a dead letter; null means those of the queue.</summary>
        public int? MaxAttempts { get; set; }

        /// <summary>Seconds from now after which the job is no longer claimed.</summary>
        public double? ExpiresSeconds { get; set; }

        /// <summary>Jobs of one key share the limits per key of the queue.</summary>
        public string? Key { get; set; }

        /// <summary>One job of this key may exist in the queue; see <see cref="OnConflict"/>.</summary>
        public string? UniqueKey { get; set; }

        /// <summary>
        /// If a job of the unique key exists: <c>existing</c> (the default, its id is returned), <c>replace</c>,
        /// <c>rerun</c>, or <c>raise</c>, which throws <see cref="UniqueKeyTakenException"/>.
        /// </summary>
        public string? OnConflict { get; set; }

        /// <summary>When the unique key is free again: <c>finished</c> (the default) or <c>started</c>.</summary>
        public string? UniqueUntil { get; set; }

        /// <summary>Seconds for which the unique key stays taken after the job has succeeded.</summary>
        public double? UniqueForSeconds { get; set; }

        /// <summary>Seconds after the last enqueue of the unique key at which the job starts.</summary>
        public double? DebounceSeconds { get; set; }

        /// <summary>Seconds after the first enqueue of the unique key at which it starts at the latest.</summary>
        public double? DebounceMaxSeconds { get; set; }

        /// <summary>The ids of jobs whose end the job waits for.</summary>
        public IReadOnlyCollection<long>? After { get; set; }

        /// <summary>
        /// If a job of <see cref="After"/> fails: <c>cancel</c> (the default), <c>run</c>, or <c>wait</c> until it is
        /// requeued and succeeds.
        /// </summary>
        public string? OnParentFailure { get; set; }

        /// <summary>
        /// All options as JSON text for SQL; null if the arguments of the function, which cost less, can carry them.
        /// </summary>
        internal string? ToJson(int maxAttempts)
        {
            Dictionary<string, object> given = Flow();
            if (given.Count == 0)
            {
                return null;
            }
            Add(given, "run_at", RunAtUnix);
            Add(given, "delay", DelaySeconds);
            Add(given, "priority", Priority);
            Add(given, "max_attempts", maxAttempts);
            Add(given, "expires", ExpiresSeconds);
            return Payloads.Encode(given, new OpenOptions());
        }

        /// <summary>The options that relate the job to others.</summary>
        internal Dictionary<string, object> Flow()
        {
            var given = new Dictionary<string, object>();
            Add(given, "key", Key);
            Add(given, "unique_key", UniqueKey);
            Add(given, "on_conflict", OnConflict);
            Add(given, "unique_until", UniqueUntil);
            Add(given, "unique_for_s", UniqueForSeconds);
            Add(given, "debounce_s", DebounceSeconds);
            Add(given, "debounce_max_s", DebounceMaxSeconds);
            Add(given, "after", After);
            Add(given, "on_parent_failure", OnParentFailure);
            return given;
        }

        // Null is an option that was not given.
        private static void Add(Dictionary<string, object> given, string name, object? value)
        {
            if (value != null)
            {
                given[name] = value;
            }
        }
    }
}
