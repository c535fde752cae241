package dev.honker;

import java.util.function.Function;

/**
 * Writes values as JSON and reads them, by the JSON library of the application.
 *
 * @param <T> the type of the values
 */
public interface JsonCodec<T> {
    /**
     * Writes a value.
     *
     * @param value the value
     * @return its JSON
     */
    String encode(T value);

    /**
     * Reads a value.
     *
     * @param json the JSON
     * @return the value
     */
    T decode(String json);

    /**
     * A codec of two functions.
     *
     * @param <T> the type of the values
     * @param encode writes a value
     * @param decode reads a value
     * @return the codec
     */
    static <T> JsonCodec<T> of(Function<? super T, String> encode, Function<String, ? extends T> decode) {
        return new JsonCodec<>() {
            @Override
            public String encode(T value) {
                return encode.apply(value);
            }

            @Override
            public T decode(String json) {
                return decode.apply(json);
            }
        };
    }
}
