using System;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Honker
{
    /// <summary>Payloads as JSON text.</summary>
    internal static class Payloads
    {
        private static readonly JsonSerializerOptions Default = new JsonSerializerOptions
        {
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            PropertyNameCaseInsensitive = true,
        };

        internal static string Encode(object? value, OpenOptions options)
        {
            try
            {
                Type type = value?.GetType() ?? typeof(object);
                return JsonSerializer.Serialize(value, type, options.JsonOptions ?? Default);
            }
            catch (Exception error) when (IsOfSerializer(error))
            {
                throw new PayloadException($"the payload has no JSON form: {error.Message}", error);
            }
        }

        internal static JsonElement Decode(string text)
        {
            try
            {
                using (JsonDocument document = JsonDocument.Parse(text))
                {
                    return document.RootElement.Clone();
                }
            }
            catch (JsonException error)
            {
                throw new PayloadException($"the payload is not JSON: {error.Message}", error);
            }
        }

        internal static T Decode<T>(string text, OpenOptions options)
        {
            try
            {
                return JsonSerializer.Deserialize<T>(text, options.JsonOptions ?? Default)!;
            }
            catch (Exception error) when (IsOfSerializer(error))
            {
                throw new PayloadException($"the payload is no JSON of {typeof(T)}: {error.Message}", error);
            }
        }

        private static bool IsOfSerializer(Exception error)
        {
            return error is JsonException || error is NotSupportedException || error is ArgumentException
                || error is InvalidOperationException;
        }
    }
}
