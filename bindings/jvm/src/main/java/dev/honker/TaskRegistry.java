package dev.honker;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BooleanSupplier;

/**
 * Tasks by name. A call of a task is a job whose payload has the name and the arguments; workers of every language
 * understand it.
 */
public final class TaskRegistry {
    private static final String ENVELOPE = "__honker_task__";

    private final Database db;
    private final Map<String, Task> tasks = new ConcurrentHashMap<>();

    private record Task(String queue, TaskHandler handler, TaskOptions options) {}

    /**
     * An empty registry.
     *
     * @param db the database of the calls
     */
    public TaskRegistry(Database db) {
        this.db = Arguments.required("db", db);
    }

    /**
     * Registers a task with the default options.
     *
     * @param name the name
     * @param queue the queue of its calls
     * @param handler runs a call
     * @return the task, to call it
     * @throws HonkerInvalidOptionException if another task has the name
     */
    public TaskHandle register(String name, String queue, TaskHandler handler) {
        return register(name, queue, handler, TaskOptions.defaults());
    }

    /**
     * Registers a task.
     *
     * @param name the name
     * @param queue the queue of its calls
     * @param handler runs a call
     * @param options the options
     * @return the task, to call it
     * @throws HonkerInvalidOptionException if another task has the name
     */
    public TaskHandle register(String name, String queue, TaskHandler handler, TaskOptions options) {
        Task task = new Task(
                Arguments.required("queue", queue),
                Arguments.required("handler", handler),
                Arguments.required("options", options));
        if (tasks.putIfAbsent(Arguments.required("name", name), task) != null) {
            throw new HonkerInvalidOptionException("name is " + name + ", and another task has it");
        }
        return new TaskHandle(db, name, queue, options);
    }

    /** The payload of a call. */
    static String envelope(String name, String argsJson, String kwargsJson) {
        Map<String, Object> call = new LinkedHashMap<>();
        call.put("task", name);
        call.put("args", argument("argsJson", argsJson, List.class, "array"));
        call.put("kwargs", argument("kwargsJson", kwargsJson, Map.class, "object"));
        return Json.write(Map.of(ENVELOPE, call));
    }

    private static Object argument(String name, String json, Class<?> type, String kind) {
        Object value = Json.checked(name, json);
        if (!type.isInstance(value)) {
            throw new HonkerInvalidOptionException(name + " is no JSON " + kind);
        }
        return value;
    }

    WorkerHandle run(Database on, TaskWorkerOptions options) {
        List<String> queues =
                tasks.values().stream().map(Task::queue).distinct().toList();
        if (queues.isEmpty()) {
            throw new HonkerInvalidOptionException("the registry has no task; register one first");
        }
        String workerId = options.workerId() == null
                ? "honker-worker-" + ProcessHandle.current().pid()
                : options.workerId();
        int threads = options.concurrency();
        return new WorkerHandle(on, workerId, queues.size() * threads, options.executor(), (index, isStopped) -> {
            String queue = queues.get(index / threads);
            run(on.queue(queue), workerId + "-" + queue + "-" + index % threads, options.idlePollInterval(), isStopped);
        });
    }

    private void run(Queue queue, String workerId, Duration idlePoll, BooleanSupplier isStopped) {
        new Worker(queue, job -> call(queue, job), idlePoll, attempt -> Duration.ofSeconds(60))
                .run(workerId, isStopped);
    }

    private void call(Queue queue, Job job) throws Exception {
        Map<?, ?> call = opened(job);
        Task task = call == null ? null : tasks.get(String.valueOf(call.get("task")));
        if (task == null) {
            String problem = call == null ? "the payload is no call of a task" : "unknown task: " + call.get("task");
            job.fail(problem);
            return;
        }
        String result;
        try {
            result = task.handler().run(Json.write(call.get("args")), Json.write(call.get("kwargs")));
        } catch (RetryableException | InterruptedException chosen) {
            throw chosen;
        } catch (Exception error) {
            throw new RetryableException(error.toString(), task.options().retryDelay(), error);
        }
        finish(queue, job, task, result);
    }

    private static Map<?, ?> opened(Job job) {
        try {
            return Json.parse(job.payloadJson()) instanceof Map<?, ?> payload
                            && payload.get(ENVELOPE) instanceof Map<?, ?> call
                            && call.get("args") instanceof List<?>
                            && call.get("kwargs") instanceof Map<?, ?>
                    ? call
                    : null;
        } catch (IllegalArgumentException error) {
            return null;
        }
    }

    private static void finish(Queue queue, Job job, Task task, String result) {
        if (!task.options().storeResult()) {
            return;
        }
        queue.db().transactionVoid(tx -> {
            if (job.ack(tx)) {
                String json = result == null ? "null" : result;
                queue.saveResult(
                        tx, job.id(), json, new ResultOptions(task.options().resultTtl()));
            }
        });
    }
}
