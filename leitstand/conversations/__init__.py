"""What people say with companions and with the assistant, kept as items of their own."""
