namespace Honker
{
    /// <summary>Options of a queue.</summary>
    public sealed class QueueOptions
    {
        /// <summary>Create options.</summary>
        /// <param name="VisibilityTimeoutSeconds">The length of a lease, more than 0, at most a year.</param>
        /// <param name="MaxAttempts">Claims of a job before it is a dead letter, 1 to 1,000,000.</param>
        public QueueOptions(double VisibilityTimeoutSeconds = 300, int MaxAttempts = 3)
        {
            this.VisibilityTimeoutSeconds = VisibilityTimeoutSeconds;
            this.MaxAttempts = MaxAttempts;
        }

        /// <summary>The length of a lease in seconds, after which another worker gets the job.</summary>
        public double VisibilityTimeoutSeconds { get; set; }

        /// <summary>Claims of a job before it is a dead letter.</summary>
        public int MaxAttempts { get; set; }
    }

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
    }
}
