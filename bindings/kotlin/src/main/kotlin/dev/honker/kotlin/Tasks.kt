package dev.honker.kotlin

import dev.honker.Database
import dev.honker.JsonCodec
import dev.honker.Queue
import dev.honker.TaskHandle
import dev.honker.TaskOptions
import dev.honker.TaskRegistry
import dev.honker.TaskResult
import dev.honker.WaitOptions
import java.time.Duration

/** An empty registry of tasks. */
public fun Database.taskRegistry(): TaskRegistry = TaskRegistry(this)

/**
 * Registers a task that gets its arguments as JSON, an array and an object, and returns its result as JSON or null.
 *
 * @return the task, to call it
 */
public fun TaskRegistry.registerJson(
    name: String,
    queue: String,
    options: TaskOptions = TaskOptions.defaults(),
    handler: (args: String, kwargs: String) -> String?,
): TaskHandle = register(name, queue, { args, kwargs -> handler(args, kwargs) }, options)

/**
 * Registers a task whose positional arguments, a JSON array, and whose result are values.
 *
 * @return the task, to call it
 */
public fun <A, R> TaskRegistry.registerTypedJson(
    name: String,
    queue: String,
    args: JsonCodec<A>,
    result: JsonCodec<R>,
    options: TaskOptions = TaskOptions.defaults(),
    handler: (A) -> R,
): TaskHandle = register(name, queue, { json, _ -> result.encode(handler(args.decode(json))) }, options)

/** Enqueues a call with its arguments as JSON. */
public fun TaskHandle.enqueueJson(args: String = "[]", kwargs: String = "{}"): TaskResult = enqueue(args, kwargs)

/**
 * Waits for the result without polling, and returns it as JSON. A cancellation ends the wait.
 *
 * @throws dev.honker.HonkerTimeoutException if there is none in time
 */
public suspend fun TaskResult.await(timeout: Duration? = null): String = waiting { waitFor(timeout) }

/** Waits for the result as [await] does, and returns it as a value. */
public suspend fun <T> TaskResult.await(codec: JsonCodec<T>, timeout: Duration? = null): T =
    codec.decode(await(timeout))

/** Waits for the result of a job without polling. A cancellation ends the wait. */
public suspend fun Queue.awaitResult(id: Long, timeout: Duration? = null): String =
    waiting { waitResult(id, WaitOptions(timeout)) }
