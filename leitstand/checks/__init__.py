"""Data checks: Great Expectations suites kept as files in data-checks/, run in a process of their own."""
