"""What checks each task: `task_N_K(answer)` raises AssertionError, with a message that helps, when it is wrong."""
