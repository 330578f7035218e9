"""What agents do: threads and their steps, tools, apps and their schedules."""
