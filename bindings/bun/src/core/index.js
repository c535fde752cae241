const { ClaimWaker, Claims } = require('./claims.js');
const { Database } = require('./database.js');
const { Job } = require('./job.js');
const { Listener, Notification, UpdateEvents } = require('./listener.js');
const { Lock } = require('./lock.js');
const { Outbox } = require('./outbox.js');
const { Queue } = require('./queue.js');
const { Scheduler } = require('./scheduler.js');
const { Event, Stream, Subscription } = require('./stream.js');
const { Transaction } = require('./transaction.js');
const { errorOf, invalid, translate, ...errors } = require('./errors.js');

module.exports = {
  ...errors,
  ClaimWaker,
  Claims,
  Database,
  Event,
  Job,
  Listener,
  Lock,
  Notification,
  Outbox,
  Queue,
  Scheduler,
  Stream,
  Subscription,
  Transaction,
  UpdateEvents,
};
