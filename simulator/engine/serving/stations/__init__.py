"""Servers that do not work token by token: queues, batches, shared processors, many models on a device."""
