using System;
using System.Text.Json;

namespace Honker
{
    /// <summary>Options of <see cref="Database.Open"/>.</summary>
    public sealed class OpenOptions
    {
        /// <summary>The file of the extension; null searches for it, as the README says.</summary>
        public string? ExtensionPath { get; set; }

        /// <summary>
        /// The time between two checks for commits where the system has no file events. Default: 1 ms.
        /// </summary>
        public TimeSpan UpdatePollInterval { get; set; } = TimeSpan.FromMilliseconds(1);

        /// <summary>The backend of the watcher; null chooses automatically. Others: polling, kernel, shm.</summary>
        public string? WatcherBackend { get; set; }

        /// <summary>The SQLite that opens the connections; null is <see cref="NativeDriver"/>.</summary>
        public ISqliteDriver? Driver { get; set; }

        /// <summary>
        /// How payloads become JSON and are read. Null writes names as declared, keeps text readable, and reads
        /// property names in any case.
        /// </summary>
        public JsonSerializerOptions? JsonOptions { get; set; }
    }
}
