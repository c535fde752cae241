package dev.honker.kotlin

import dev.honker.EnqueueOptions
import dev.honker.ListenOptions
import dev.honker.LockOptions
import dev.honker.NotificationPruneOptions
import dev.honker.OpenOptions
import dev.honker.OutboxOptions
import dev.honker.QueueOptions
import dev.honker.ScheduleOptions
import dev.honker.SchedulerOptions
import dev.honker.SubscribeOptions
import dev.honker.TaskOptions
import dev.honker.TaskWorkerOptions
import dev.honker.WaitOptions
import dev.honker.WatcherOptions
import dev.honker.WorkerOptions

/** The options of a database: the defaults, and what the block sets. */
public fun openOptions(block: OpenOptions.Builder.() -> Unit): OpenOptions = OpenOptions.builder().apply(block).build()

/** The options of the watcher of commits: the defaults, and what the block sets. */
public fun watcherOptions(block: WatcherOptions.Builder.() -> Unit): WatcherOptions =
    WatcherOptions.builder().apply(block).build()

/** The options of a queue: the defaults, and what the block sets. */
public fun queueOptions(block: QueueOptions.Builder.() -> Unit): QueueOptions =
    QueueOptions.builder().apply(block).build()

/** The options of a job: the defaults, and what the block sets. */
public fun enqueueOptions(block: EnqueueOptions.Builder.() -> Unit): EnqueueOptions =
    EnqueueOptions.builder().apply(block).build()

/** The options of a wait: the defaults, and what the block sets. */
public fun waitOptions(block: WaitOptions.Builder.() -> Unit): WaitOptions = WaitOptions.builder().apply(block).build()

/** The options of a worker: the defaults, and what the block sets. */
public fun workerOptions(block: WorkerOptions.Builder.() -> Unit): WorkerOptions =
    WorkerOptions.builder().apply(block).build()

/** The options of a listener with a handler: the defaults, and what the block sets. */
public fun listenOptions(block: ListenOptions.Builder.() -> Unit): ListenOptions =
    ListenOptions.builder().apply(block).build()

/** The options of a subscription: the defaults, and what the block sets. */
public fun subscribeOptions(block: SubscribeOptions.Builder.() -> Unit): SubscribeOptions =
    SubscribeOptions.builder().apply(block).build()

/** The options of a running scheduler: the defaults, and what the block sets. */
public fun schedulerOptions(block: SchedulerOptions.Builder.() -> Unit): SchedulerOptions =
    SchedulerOptions.builder().apply(block).build()

/** The options of a schedule: the defaults, and what the block sets. */
public fun scheduleOptions(block: ScheduleOptions.Builder.() -> Unit): ScheduleOptions =
    ScheduleOptions.builder().apply(block).build()

/** The options of a lock: the defaults, and what the block sets. */
public fun lockOptions(block: LockOptions.Builder.() -> Unit): LockOptions = LockOptions.builder().apply(block).build()

/** The options of an outbox: the defaults, and what the block sets. */
public fun outboxOptions(block: OutboxOptions.Builder.() -> Unit): OutboxOptions =
    OutboxOptions.builder().apply(block).build()

/** The options of a task: the defaults, and what the block sets. */
public fun taskOptions(block: TaskOptions.Builder.() -> Unit): TaskOptions = TaskOptions.builder().apply(block).build()

/** The options of the workers of tasks: the defaults, and what the block sets. */
public fun taskWorkerOptions(block: TaskWorkerOptions.Builder.() -> Unit): TaskWorkerOptions =
    TaskWorkerOptions.builder().apply(block).build()

/** The options of pruning notifications: the defaults, and what the block sets. */
public fun notificationPruneOptions(block: NotificationPruneOptions.Builder.() -> Unit): NotificationPruneOptions =
    NotificationPruneOptions.builder().apply(block).build()
