/// @file
/// honker: durable job queues, streams, notifications, schedules, locks, rate limits and results in the SQLite file of
/// the application.
///
/// @code
/// honker::Database db{"app.db"};
/// auto emails = db.queue("emails");
/// emails.enqueue({{"to", "ann@example.com"}});
/// if (auto job = emails.claim_one("worker-1")) {
///     send(job->payload()["to"]);
///     job->ack();
/// }
/// @endcode
#ifndef HONKER_HPP
#define HONKER_HPP

#include "honker/database.hpp"
#include "honker/error.hpp"
#include "honker/job.hpp"
#include "honker/lock.hpp"
#include "honker/notification.hpp"
#include "honker/outbox.hpp"
#include "honker/payload.hpp"
#include "honker/queue.hpp"
#include "honker/scheduler.hpp"
#include "honker/stop.hpp"
#include "honker/stream.hpp"
#include "honker/transaction.hpp"

#endif
