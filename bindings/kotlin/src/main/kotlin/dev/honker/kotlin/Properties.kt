package dev.honker.kotlin

import dev.honker.Job
import dev.honker.TaskResult
import java.time.Instant

/** The id, from 1. */
public val Job.id: Long get() = id()

/** The name of the queue. */
public val Job.queue: String get() = queue()

/** The payload as JSON. */
public val Job.payloadJson: String get() = payloadJson()

/** The worker that has claimed the job. */
public val Job.workerId: String get() = workerId()

/** The number of this attempt, from 1. */
public val Job.attempts: Long get() = attempts()

/** The last instant of the lease, as it was claimed. */
public val Job.claimExpiresAt: Instant get() = claimExpiresAt()

/** The id of the job. */
public val TaskResult.id: Long get() = id()
