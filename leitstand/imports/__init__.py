"""Documents taken from buckets of other stores: set up, tested, run, and each object accounted for."""
