"""What every HTTP service shares: the application factory, errors, sessions, health and headers."""
