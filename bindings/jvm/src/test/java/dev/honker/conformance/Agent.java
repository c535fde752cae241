package dev.honker.conformance;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.honker.HonkerException;
import dev.honker.HonkerInterruptedException;
import dev.honker.HonkerTimeoutException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The agent of this package; conformance/README.md says what it reads and writes. */
public final class Agent {
    private static final Gson GSON =
            new GsonBuilder().serializeNulls().disableHtmlEscaping().create();

    private final PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    private final Map<String, Object> objects = new ConcurrentHashMap<>();
    private final Map<Long, Thread> waiting = new ConcurrentHashMap<>();
    private final Calls calls = new Calls(objects);

    private Agent() {}

    public static void main(String[] args) throws IOException {
        Agent agent = new Agent();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            agent.handle(JsonParser.parseString(line).getAsJsonObject());
        }
        System.exit(0); // calls may still wait
    }

    private void handle(JsonObject request) {
        long id = request.get("id").getAsLong();
        if ("cancel".equals(request.get("call").getAsString())) {
            Thread thread =
                    waiting.get(request.getAsJsonObject("args").get("call").getAsLong());
            if (thread != null) {
                thread.interrupt();
            }
            write(id, new HashMap<>());
        } else if (request.has("background") && request.get("background").getAsBoolean()) {
            Thread thread = new Thread(() -> answer(id, request), "call-" + id);
            waiting.put(id, thread);
            thread.start();
        } else {
            answer(id, request);
        }
    }

    private void answer(long id, JsonObject request) {
        Map<String, Object> answer = new HashMap<>();
        try {
            store(request, calls.make(target(request), request), answer);
        } catch (HonkerInterruptedException cancelled) {
            answer.put("cancelled", true);
        } catch (HonkerTimeoutException error) {
            answer.put("error", Map.of("code", "TIMEOUT", "message", String.valueOf(error.getMessage())));
        } catch (HonkerException error) {
            answer.put("error", Map.of("code", error.code(), "message", String.valueOf(error.getMessage())));
        } catch (Exception | Error error) {
            answer.put("error", Map.of("code", error.getClass().getName(), "message", String.valueOf(error)));
            error.printStackTrace();
        }
        waiting.remove(id);
        write(id, answer);
    }

    private Object target(JsonObject request) {
        return request.has("on") ? objects.get(request.get("on").getAsString()) : null;
    }

    private void store(JsonObject request, Object made, Map<String, Object> answer) {
        Object value = made;
        if (made instanceof Calls.Cancelled cancelled) {
            value = cancelled.value();
            answer.put("cancelled", true);
        }
        if (request.has("as") && made != null) {
            String name = request.get("as").getAsString();
            objects.put(name, made);
            if (made instanceof List<?> list) {
                for (int index = 0; index < list.size(); index++) {
                    objects.put(name + "." + index, list.get(index));
                }
            }
        }
        answer.put("value", Values.plain(value));
    }

    private void write(long id, Map<String, Object> answer) {
        answer.put("id", id);
        answer.put("at", ChronoUnit.MICROS.between(Instant.EPOCH, Instant.now()));
        JsonElement line = GSON.toJsonTree(answer);
        synchronized (out) {
            out.print(GSON.toJson(line) + "\n");
            out.flush();
        }
    }
}
