package dev.honker.kotlin

import dev.honker.Event
import dev.honker.Listener
import dev.honker.Notification
import dev.honker.Stream
import dev.honker.SubscribeOptions
import dev.honker.Subscription
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import java.time.Duration
import kotlin.jvm.optionals.getOrNull

private val LONGEST_WAIT: Duration = Duration.ofSeconds(15)

/**
 * The events of a stream while the flow is collected. The offset of an event may be saved when the collector asks for the
 * next one; the end of the collection saves that of the last event that the collector is done with.
 */
public fun Stream.asFlow(options: SubscribeOptions = SubscribeOptions.defaults()): Flow<Event> = flow {
    subscription(options).use { subscription ->
        while (true) {
            emit(subscription.await())
        }
    }
}

/**
 * Waits for the next event without polling. A cancellation ends the wait; close the subscription then, because an event
 * that came in that moment is not handed out. A new subscription reads it.
 */
public suspend fun Subscription.await(): Event = waiting { next() }

/**
 * The notifications of a listener while the flow is collected. It does not close the listener.
 *
 * @param timeout the longest wait between two looks, in case a wake is lost
 */
public fun Listener.asFlow(timeout: Duration = LONGEST_WAIT): Flow<Notification> = flow {
    while (true) {
        waiting { next(timeout) }.getOrNull()?.let { emit(it) }
    }
}

/**
 * Waits for the next notification without polling. A cancellation ends the wait; a notification that came in that moment is
 * not handed out.
 */
public suspend fun Listener.await(): Notification = waiting { next() }
