"""The commands ``honker_worker`` and ``honker_scheduler``."""
