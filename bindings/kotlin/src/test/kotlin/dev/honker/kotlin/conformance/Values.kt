package dev.honker.kotlin.conformance

import com.google.gson.JsonElement
import com.google.gson.JsonObject
import com.google.gson.JsonParser
import dev.honker.Event
import dev.honker.Job
import dev.honker.JobRow
import dev.honker.Notification
import dev.honker.Row
import dev.honker.ScheduleRow
import dev.honker.kotlin.attempts
import dev.honker.kotlin.id
import dev.honker.kotlin.payloadJson
import dev.honker.kotlin.queue
import dev.honker.kotlin.workerId
import java.time.Duration
import java.util.HexFormat
import java.util.Optional

private const val NANO_DIGITS = 9

/** A value as the protocol has it. */
fun plain(value: Any?): Any? = when (value) {
    null, is Number, is String, is Boolean, is Map<*, *>, is JsonElement -> value

    is Optional<*> -> plain(value.orElse(null))

    is List<*> -> value.map(::plain)

    is Job -> job(value)

    is JobRow ->
        mapOf(
            "id" to value.id,
            "queue" to value.queue,
            "state" to value.state,
            "priority" to value.priority,
            "attempts" to value.attempts,
            "max_attempts" to value.maxAttempts,
        )

    is Event ->
        mapOf(
            "offset" to value.offset,
            "topic" to value.topic,
            "key" to value.key,
            "payload" to parsed(value.payloadJson),
            "created_at" to value.createdAt.epochSecond,
        )

    is Notification ->
        mapOf("id" to value.id, "channel" to value.channel, "payload" to parsed(value.payloadJson))

    is ScheduleRow ->
        mapOf(
            "name" to value.name,
            "queue" to value.queue,
            "cron_expr" to value.schedule.expression,
            "enabled" to value.isEnabled,
        )

    else -> true
}

private fun job(job: Job) = mapOf(
    "id" to job.id,
    "queue" to job.queue,
    "payload" to parsed(job.payloadJson),
    "worker_id" to job.workerId,
    "attempts" to job.attempts,
)

private fun parsed(json: String) = JsonParser.parseString(json)

/** The first column of the first row, with its type. */
fun cell(rows: List<Row>): Map<String, Any?>? {
    val row = rows.firstOrNull() ?: return null
    val value = row.asMap().values.first()
    val type =
        when (value) {
            null -> "null"
            is Long -> "integer"
            is Double -> "real"
            is String -> "text"
            else -> "blob"
        }
    return mapOf("type" to type, "value" to if (value is ByteArray) HexFormat.of().formatHex(value) else value)
}

/** The arguments of a call. */
class Args(private val values: JsonObject) {
    fun has(name: String) = values.has(name) && !values[name].isJsonNull

    fun text(name: String): String = values[name].asString

    fun integer(name: String): Long = values[name].asLong

    fun int(name: String): Int = values[name].asInt

    fun json(name: String): String = values[name].toString()

    fun integers(name: String): List<Long> = values[name].asJsonArray.map { it.asLong }

    fun span(name: String): Duration =
        Duration.ofNanos(values[name].asBigDecimal.movePointRight(NANO_DIGITS).longValueExact())

    /** What the block makes of an argument, if it is there. */
    fun <T> ifGiven(name: String, block: (String) -> T): T? = if (has(name)) block(name) else null
}
