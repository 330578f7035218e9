"""Questions to models at the endpoints of a workspace: asked, answered, counted and paid for."""
