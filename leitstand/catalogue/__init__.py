"""What people name, find, share and trash: items of every kind."""
