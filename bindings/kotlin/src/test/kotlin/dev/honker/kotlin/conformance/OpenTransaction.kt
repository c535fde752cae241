package dev.honker.kotlin.conformance

import dev.honker.Database
import dev.honker.Transaction
import java.util.concurrent.LinkedBlockingQueue
import kotlin.concurrent.thread

/** A transaction that stays open between calls: its body runs on a thread, and takes the calls from a queue. */
class OpenTransaction(db: Database) {
    private class RolledBack : RuntimeException()

    private val calls = LinkedBlockingQueue<((Transaction) -> Any?)?>(1)
    private val answers = LinkedBlockingQueue<Result<Any?>>(1)
    private val commits: (Transaction) -> Any? = { null }

    init {
        thread(isDaemon = true) { answers.put(runCatching { db.transactionVoid(::run) }) }
        answers.take().getOrThrow()
    }

    private fun run(tx: Transaction) {
        answers.put(Result.success(null))
        while (true) {
            val call = calls.take()
            if (call === commits) return
            val answer = runCatching { call!!(tx) }
            if (answer.exceptionOrNull() is RolledBack) answer.getOrThrow()
            answers.put(answer)
        }
    }

    fun call(body: (Transaction) -> Any?): Any? {
        calls.put(body)
        return answers.take().getOrThrow()
    }

    fun commit() {
        call(commits)
    }

    fun rollback() {
        calls.put { throw RolledBack() }
        answers.take().onFailure { if (it !is RolledBack) throw it }
    }
}
