package dev.honker;

/** Handles notifications. */
@FunctionalInterface
public interface NotificationHandler {
    /**
     * Handles a notification.
     *
     * @param notification the notification
     * @throws Exception ends the listening
     */
    void handle(Notification notification) throws Exception;
}
