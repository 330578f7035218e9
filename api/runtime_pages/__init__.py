"""What visitors of a companion see, and how they are told apart without knowing who they are."""
