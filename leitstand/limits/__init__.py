"""What a workspace's plan has room for: low, so that whatever makes something can ask."""
