"""Items of every kind as JSON: one set of endpoints a kind, and one over all of them."""
