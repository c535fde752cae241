"""An application: its database, queues and tasks, declared when modules are imported and opened at first use."""
