package dev.honker;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/** The result of a task's call, which may be still to come. */
public final class TaskResult {
    private final Queue queue;
    private final long id;

    TaskResult(Queue queue, long id) {
        this.queue = queue;
        this.id = id;
    }

    /**
     * The id of the job.
     *
     * @return the id
     */
    public long id() {
        return id;
    }

    /**
     * The result as JSON.
     *
     * @return the result, or empty if there is none yet
     */
    public Optional<String> get() {
        return queue.getResult(id);
    }

    /**
     * Waits for the result without polling.
     *
     * @param timeout the longest wait, or null for none
     * @return the result as JSON
     * @throws HonkerTimeoutException if there is none in time
     * @throws HonkerException with {@code HONKER_JOB_FAILED} or {@code HONKER_RESULT_GONE} if there will be none
     */
    public String waitFor(Duration timeout) {
        return queue.waitResult(id, new WaitOptions(timeout));
    }

    /**
     * Waits for the result without polling, in another thread.
     *
     * @param timeout the longest wait, or null for none
     * @return the result as JSON; its cancellation ends the wait
     */
    public CompletableFuture<String> waitForAsync(Duration timeout) {
        return queue.waitResultAsync(id, new WaitOptions(timeout));
    }

    /**
     * A view of this result as a value.
     *
     * @param <T> the type of the value
     * @param codec the codec
     * @return the result
     */
    public <T> Typed<T> typed(JsonCodec<T> codec) {
        return new Typed<>(this, Arguments.required("codec", codec));
    }

    /**
     * A result as a value.
     *
     * @param <T> the type of the value
     * @param result the result as JSON
     * @param codec the codec
     */
    public record Typed<T>(TaskResult result, JsonCodec<T> codec) {
        /**
         * The result.
         *
         * @return the value, or empty if there is none yet
         */
        public Optional<T> get() {
            return result.get().map(codec::decode);
        }

        /**
         * Waits for the result, as {@link TaskResult#waitFor} does.
         *
         * @param timeout the longest wait, or null for none
         * @return the value
         */
        public T waitFor(Duration timeout) {
            return codec.decode(result.waitFor(timeout));
        }
    }
}
