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
}
