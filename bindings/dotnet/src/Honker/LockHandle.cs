using System;
using System.Threading;

namespace Honker
{
    /// <summary>A lock that was taken. Disposing it releases it.</summary>
    public sealed class LockHandle : IDisposable
    {
        private readonly Engine engine;
        private readonly double ttl;
        private int isReleased;

        internal LockHandle(Engine engine, string name, string owner, double ttl)
        {
            this.engine = engine;
            this.ttl = ttl;
            Name = name;
            Owner = owner;
        }

        /// <summary>The name.</summary>
        public string Name { get; }

        /// <summary>The owner.</summary>
        public string Owner { get; }

        /// <summary>Extend the lock.</summary>
        /// <param name="ttl">Seconds from now; null means those with which it was taken.</param>
        /// <returns>False if it has lapsed and is lost.</returns>
        public bool Heartbeat(double? ttl = null)
        {
            return engine.Flag(null, "SELECT honker_lock_renew(@p0, @p1, @p2)", Name, Owner, ttl ?? this.ttl);
        }

        /// <summary>Release the lock.</summary>
        /// <returns>False if it was lost or released before.</returns>
        public bool Release()
        {
            if (Interlocked.Exchange(ref isReleased, 1) != 0)
            {
                return false;
            }
            try
            {
                return engine.Flag(null, "SELECT honker_lock_release(@p0, @p1)", Name, Owner);
            }
            catch
            {
                Volatile.Write(ref isReleased, 0);
                throw;
            }
        }

        /// <summary>Release the lock, unless it was released or the database is closed; then it lapses.</summary>
        public void Dispose()
        {
            try
            {
                Release();
            }
            catch (HonkerClosedException)
            {
                // The lock lapses by itself.
            }
        }
    }
}
