"""Mail: whether it can be sent, what a message holds, and the server that takes it."""
