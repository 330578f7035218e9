"""Plans and billing: the plan of a workspace, its usage beside the limits, invoices and payment providers."""
