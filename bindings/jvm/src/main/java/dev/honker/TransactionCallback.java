package dev.honker;

/**
 * The body of a transaction that returns a value.
 *
 * @param <T> the type of the value
 */
@FunctionalInterface
public interface TransactionCallback<T> {
    /**
     * Runs in the transaction.
     *
     * @param tx the transaction
     * @return the value
     * @throws Exception rolls the transaction back
     */
    T run(Transaction tx) throws Exception;
}
