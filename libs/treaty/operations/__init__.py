"""What people and jobs do to a context: look into it, audit, rebuild, replay."""
