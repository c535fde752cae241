"""Durable job queues: enqueue, claim, settle, dead letters, statistics."""
