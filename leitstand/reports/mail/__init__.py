"""Reports by mail: what a message holds, the server that takes it, and sending it once."""
