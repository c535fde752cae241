package dev.honker;

/** Handles the events of a stream. */
@FunctionalInterface
public interface EventHandler {
    /**
     * Handles an event. A return lets its offset be saved.
     *
     * @param event the event
     * @throws Exception ends the subscription before the offset of the event is saved
     */
    void handle(Event event) throws Exception;
}
