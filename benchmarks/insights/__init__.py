"""The questions of a dashboard over ten million events, asked in four ways: `./run bench insights`."""
