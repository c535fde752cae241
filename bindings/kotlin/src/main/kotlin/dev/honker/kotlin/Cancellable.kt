package dev.honker.kotlin

import dev.honker.HonkerInterruptedException
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.runInterruptible

/**
 * Waits on a thread of [Dispatchers.IO]. The cancellation of the coroutine interrupts the wait, which ends at once.
 *
 * [giveBack] gets a value that came in that moment and reaches no caller.
 */
internal suspend fun <T> waiting(giveBack: (T) -> Unit = {}, wait: () -> T): T {
    var found: Result<T>? = null
    try {
        return runInterruptible(Dispatchers.IO) {
            try {
                wait().also { found = Result.success(it) }
            } catch (interrupted: HonkerInterruptedException) {
                // The form of an interrupt that runInterruptible turns into a cancellation.
                throw InterruptedException(interrupted.message)
            }
        }
    } catch (cancelled: CancellationException) {
        found?.onSuccess(giveBack)
        throw cancelled
    }
}
