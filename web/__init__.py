"""The admin and product pages that people see, thin over the core."""
