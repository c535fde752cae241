package dev.honker.conformance;

import dev.honker.Database;
import dev.honker.Transaction;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Function;

/** A transaction that stays open between calls: its body runs on a thread, and takes the calls from a queue. */
final class OpenTransaction {
    private static final class RolledBack extends RuntimeException {
        private static final long serialVersionUID = 1;
    }

    private record Call(Function<Transaction, Object> body, CompletableFuture<Object> result) {}

    private final LinkedBlockingQueue<Call> calls = new LinkedBlockingQueue<>();
    private final CompletableFuture<Object> ended = new CompletableFuture<>();

    OpenTransaction(Database db) {
        CompletableFuture<Object> begun = new CompletableFuture<>();
        Thread thread = new Thread(() -> run(db, begun), "transaction");
        thread.setDaemon(true);
        thread.start();
        wait(begun);
    }

    private void run(Database db, CompletableFuture<Object> begun) {
        try {
            db.transactionVoid(tx -> {
                begun.complete(null);
                for (Call call = calls.take(); call.body != null; call = calls.take()) {
                    try {
                        call.result.complete(call.body.apply(tx));
                    } catch (RolledBack asked) {
                        throw asked;
                    } catch (RuntimeException error) {
                        call.result.completeExceptionally(error);
                    }
                }
            });
            ended.complete(null);
        } catch (RolledBack asked) {
            ended.complete(null);
        } catch (RuntimeException error) {
            begun.completeExceptionally(error);
            ended.completeExceptionally(error);
        }
    }

    Object call(Function<Transaction, Object> body) {
        CompletableFuture<Object> result = new CompletableFuture<>();
        calls.add(new Call(body, result));
        return wait(result);
    }

    void commit() {
        calls.add(new Call(null, null));
        wait(ended);
    }

    void rollback() {
        calls.add(new Call(
                tx -> {
                    throw new RolledBack();
                },
                new CompletableFuture<>()));
        wait(ended);
    }

    private static Object wait(CompletableFuture<Object> future) {
        try {
            return future.join();
        } catch (CompletionException error) {
            if (error.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            throw error;
        }
    }
}
