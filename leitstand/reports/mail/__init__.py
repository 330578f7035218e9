"""Reports by mail: what a message holds, and sending it once."""
