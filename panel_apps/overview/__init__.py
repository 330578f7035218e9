"""Overview: traffic, active users, completion, steps, companions and retention of a range."""
