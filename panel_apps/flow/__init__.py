"""Flow: the steps and branches of one companion's flow, what runs did at each, and the runs themselves."""
