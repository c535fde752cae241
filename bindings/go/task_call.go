package honker

import "encoding/json"

// TaskCall is a payload that calls a task of the Python package, which a Python worker of the queue runs. Enqueue it as
// any other payload. The name of a task is "module.function" unless the task has a name of its own.
type TaskCall struct {
	// Task is the name of the task.
	Task string
	// Args are its positional arguments.
	Args []any
	// Kwargs are its arguments by name.
	Kwargs map[string]any
}

// MarshalJSON encodes the call as the Python package does.
func (c TaskCall) MarshalJSON() ([]byte, error) {
	if c.Args == nil {
		c.Args = []any{}
	}
	if c.Kwargs == nil {
		c.Kwargs = map[string]any{}
	}
	return json.Marshal(map[string]any{
		"__honker_task__": map[string]any{"task": c.Task, "args": c.Args, "kwargs": c.Kwargs},
	})
}
