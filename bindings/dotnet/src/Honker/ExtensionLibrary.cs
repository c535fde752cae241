using System;
using System.Collections.Generic;
using System.IO;
using System.Runtime.InteropServices;

namespace Honker
{
    /// <summary>Finds the extension's library. A process loads one file.</summary>
    internal static class ExtensionLibrary
    {
        private const string Variable = "HONKER_EXTENSION_PATH";
        private static readonly object Gate = new object();
        private static string? loaded;

        /// <summary>The library's file.</summary>
        /// <exception cref="ExtensionException">There is none, or another file was loaded before.</exception>
        internal static string Find(string? option)
        {
            string found = Path.GetFullPath(Named(option) ?? Bundled() ?? Built() ?? throw NotFound());
            lock (Gate)
            {
                if (loaded != null && loaded != found)
                {
                    throw new ExtensionException(
                        $"this process has loaded {loaded}; it cannot load {found} beside it");
                }
            }
            return found;
        }

        /// <summary>Remember the file that was loaded. One that did not load may be followed by another.</summary>
        internal static void Remember(string file)
        {
            lock (Gate)
            {
                loaded ??= file;
            }
        }

        private static string? Named(string? option)
        {
            string? named = option ?? Environment.GetEnvironmentVariable(Variable);
            if (string.IsNullOrEmpty(named))
            {
                return null;
            }
            if (!File.Exists(named))
            {
                string source = option == null ? Variable : nameof(OpenOptions.ExtensionPath);
                throw new ExtensionException($"{source} names {named}, which does not exist");
            }
            return named;
        }

        private static string? Bundled()
        {
            foreach (string folder in Folders())
            {
                string file = Path.Combine(folder, FileName());
                if (File.Exists(file))
                {
                    return file;
                }
            }
            return null;
        }

        private static IEnumerable<string> Folders()
        {
            string app = AppContext.BaseDirectory;
            yield return Path.Combine(app, "runtimes", RuntimeId(), "native");
            yield return app;
            // The folders of native libraries in the package cache, for an application that was not published.
            string cached = AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? "";
            foreach (string folder in cached.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
            {
                yield return folder;
            }
        }

        private static string? Built()
        {
            DirectoryInfo? folder = new DirectoryInfo(AppContext.BaseDirectory);
            for (; folder != null; folder = folder.Parent)
            {
                string file = Path.Combine(folder.FullName, "target", "release", FileName());
                // Only the checkout of honker: a file of that name elsewhere is not ours to load.
                if (File.Exists(file) && File.Exists(Path.Combine(folder.FullName, "reference.yaml")))
                {
                    return file;
                }
            }
            return null;
        }

        private static ExtensionException NotFound()
        {
            return new ExtensionException(
                $"{FileName()} was not found in {string.Join(", ", Folders())}; set {nameof(OpenOptions)}."
                + $"{nameof(OpenOptions.ExtensionPath)} or {Variable}");
        }

        private static string FileName()
        {
            if (RuntimeInformation.IsOSPlatform(OSPlatform.Windows))
            {
                return "honker_ext.dll";
            }
            return RuntimeInformation.IsOSPlatform(OSPlatform.OSX) ? "libhonker_ext.dylib" : "libhonker_ext.so";
        }

        private static string RuntimeId()
        {
            string system = RuntimeInformation.IsOSPlatform(OSPlatform.Windows) ? "win"
                : RuntimeInformation.IsOSPlatform(OSPlatform.OSX) ? "osx" : "linux";
            return $"{system}-{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}";
        }
    }
}
