"""Workers: processes that claim jobs, call handlers and settle the outcome."""
