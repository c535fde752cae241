using System;
using System.Threading.Tasks;

namespace Honker.Tests
{
    /// <summary>Runs the tests, or with the argument <c>agent</c> the agent of the conformance suite.</summary>
    internal static class Program
    {
        private static async Task<int> Main(string[] arguments)
        {
            if (arguments.Length == 1 && arguments[0] == "agent")
            {
                await Agent.RunAsync().ConfigureAwait(false);
                return 0;
            }
            string filter = arguments.Length > 0 ? arguments[0] : "";
            return await Runner.RunAsync(filter).ConfigureAwait(false);
        }
    }
}
