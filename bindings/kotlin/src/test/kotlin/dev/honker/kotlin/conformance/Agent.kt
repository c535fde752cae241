package dev.honker.kotlin.conformance

import com.google.gson.GsonBuilder
import com.google.gson.JsonObject
import com.google.gson.JsonParser
import dev.honker.HonkerException
import dev.honker.HonkerTimeoutException
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import java.io.PrintStream
import java.time.Instant
import java.time.temporal.ChronoUnit
import java.util.concurrent.ConcurrentHashMap
import kotlin.system.exitProcess

/** The value of a call that was cancelled. */
class Cancelled(val value: Any?)

/** The agent of this package; conformance/README.md says what it reads and writes. */
class Agent {
    private val gson = GsonBuilder().serializeNulls().disableHtmlEscaping().create()
    private val out = PrintStream(System.out, false, Charsets.UTF_8)
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)
    private val objects = ConcurrentHashMap<String, Any>()
    private val waiting = ConcurrentHashMap<Long, Job>()
    private val calls = Calls(objects)

    fun handle(request: JsonObject) {
        val id = request["id"].asLong
        if (request["call"].asString == "cancel") {
            waiting[request["args"].asJsonObject["call"].asLong]?.cancel()
            write(id, mapOf("value" to null))
        } else if (request["background"]?.asBoolean == true) {
            waiting[id] = scope.launch { answer(id, request) }
        } else {
            runBlocking { answer(id, request) }
        }
    }

    private suspend fun answer(id: Long, request: JsonObject) {
        val answer =
            try {
                store(request, calls.make(request["on"]?.let { objects[it.asString] }, request))
            } catch (cancelled: CancellationException) {
                mapOf("cancelled" to true)
            } catch (error: HonkerTimeoutException) {
                failure("TIMEOUT", error)
            } catch (error: HonkerException) {
                failure(error.code, error)
            } catch (error: Exception) {
                error.printStackTrace()
                failure(error.javaClass.name, error)
            }
        withContext(NonCancellable) { write(id, answer) }
    }

    private fun failure(code: String, error: Exception) =
        mapOf("error" to mapOf("code" to code, "message" to error.message.toString()))

    private fun store(request: JsonObject, made: Any?): Map<String, Any?> {
        if (made is Cancelled) return mapOf("value" to plain(made.value), "cancelled" to true)
        val name = request["as"]?.asString
        if (name != null && made != null) {
            objects[name] = made
            (made as? List<*>)?.forEachIndexed { index, each -> objects["$name.$index"] = each!! }
        }
        return mapOf("value" to plain(made))
    }

    private fun write(id: Long, answer: Map<String, Any?>) {
        val at = ChronoUnit.MICROS.between(Instant.EPOCH, Instant.now())
        synchronized(out) {
            out.print(gson.toJson(answer + mapOf("id" to id, "at" to at)) + "\n")
            out.flush()
        }
    }
}

fun main() {
    val agent = Agent()
    for (line in System.`in`.bufferedReader().lineSequence()) {
        agent.handle(JsonParser.parseString(line).asJsonObject)
    }
    exitProcess(0) // calls may still wait
}
