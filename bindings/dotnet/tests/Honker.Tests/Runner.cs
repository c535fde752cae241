using System.Threading.Tasks;
namespace Honker.Tests { internal static class Runner { internal static Task<int> RunAsync(string filter) => Task.FromResult(1); } }
