package dev.honker;

/** The body of a transaction without a value. */
@FunctionalInterface
public interface TransactionVoidCallback {
    /**
     * Runs in the transaction.
     *
     * @param tx the transaction
     * @throws Exception rolls the transaction back
     */
    void run(Transaction tx) throws Exception;
}
