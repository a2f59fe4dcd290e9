"""Model files: what lies on the disk, and later what the hubs offer."""
