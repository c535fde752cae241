using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Threading.Tasks;

namespace Honker.Tests
{
    /// <summary>Marks a test: a method without parameters that returns nothing or a task.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    internal sealed class TestAttribute : Attribute
    {
    }

    /// <summary>A check did not hold.</summary>
    internal sealed class CheckFailedException : Exception
    {
        internal CheckFailedException(string message)
            : base(message)
        {
        }
    }

    /// <summary>Runs each test on a new object, so each has a folder of its own.</summary>
    internal static class Runner
    {
        private static readonly TimeSpan Longest = TimeSpan.FromSeconds(30);

        internal static async Task<int> RunAsync(string filter)
        {
            int passed = 0;
            var failed = new List<string>();
            foreach (MethodInfo test in Tests().Where(each => Title(each).Contains(filter)))
            {
                var clock = Stopwatch.StartNew();
                string? problem = await RunOneAsync(test).ConfigureAwait(false);
                string outcome = problem == null ? "ok" : "FAILED";
                Console.WriteLine($"{outcome} {Title(test)} ({clock.ElapsedMilliseconds} ms)");
                if (problem == null)
                {
                    passed++;
                    continue;
                }
                failed.Add(Title(test));
                Console.WriteLine(problem);
            }
            Console.WriteLine($"{passed} passed, {failed.Count} failed");
            return failed.Count == 0 && passed > 0 ? 0 : 1;
        }

        private static IEnumerable<MethodInfo> Tests()
        {
            const BindingFlags any = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;
            return Assembly.GetExecutingAssembly().GetTypes().OrderBy(type => type.Name)
                .SelectMany(type => type.GetMethods(any))
                .Where(method => method.GetCustomAttribute<TestAttribute>() != null);
        }

        private static string Title(MethodInfo test)
        {
            return $"{test.DeclaringType!.Name}.{test.Name}";
        }

        private static async Task<string?> RunOneAsync(MethodInfo test)
        {
            try
            {
                var made = (IDisposable)Activator.CreateInstance(test.DeclaringType!, true)!;
                // The run of a test is a flow of control of its own.
                Task running = Task.Run(async () =>
                {
                    using (made)
                    {
                        await ((test.Invoke(made, null) as Task) ?? Task.CompletedTask).ConfigureAwait(false);
                    }
                });
                if (await Task.WhenAny(running, Task.Delay(Longest)).ConfigureAwait(false) != running)
                {
                    return $"has not ended after {Longest}";
                }
                await running.ConfigureAwait(false);
                return null;
            }
            catch (TargetInvocationException error)
            {
                return error.InnerException!.ToString();
            }
            catch (Exception error)
            {
                return error.ToString();
            }
        }
    }

    /// <summary>A test case: a folder with an open database, and checks.</summary>
    internal abstract class Case : IDisposable
    {
        private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);
        private readonly string folder;

        protected Case()
        {
            folder = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"honker-{Guid.NewGuid():N}");
            Directory.CreateDirectory(folder);
            Db = Database.Open(Path);
        }

        protected string Path => System.IO.Path.Combine(folder, "app.db");

        protected Database Db { get; }

        public void Dispose()
        {
            Db.Dispose();
            Directory.Delete(folder, true);
        }

        protected static void Equal<T>(T expected, T seen)
        {
            if (!EqualityComparer<T>.Default.Equals(expected, seen))
            {
                throw new CheckFailedException($"is {seen}, not {expected}");
            }
        }

        protected static void True(bool holds, string problem = "does not hold")
        {
            if (!holds)
            {
                throw new CheckFailedException(problem);
            }
        }

        protected static T Throws<T>(Action action)
            where T : Exception
        {
            try
            {
                action();
            }
            catch (T error)
            {
                return error;
            }
            throw new CheckFailedException($"did not throw {typeof(T).Name}");
        }

        protected static async Task<T> ThrowsAsync<T>(Task running)
            where T : Exception
        {
            try
            {
                await running.ConfigureAwait(false);
            }
            catch (T error)
            {
                return error;
            }
            throw new CheckFailedException($"did not throw {typeof(T).Name}");
        }

        protected static async Task UntilAsync(Func<bool> condition)
        {
            var clock = Stopwatch.StartNew();
            while (!condition())
            {
                True(clock.Elapsed < Deadline, "the condition did not come true");
                await Task.Delay(5).ConfigureAwait(false);
            }
        }

        /// <summary>The next item, as `await foreach` takes it.</summary>
        protected static async Task<T> NextAsync<T>(IAsyncEnumerator<T> items)
        {
            True(await items.MoveNextAsync().ConfigureAwait(false), "has ended");
            return items.Current;
        }
    }
}
