"""Pure decisions: what the prompt says, which models, which settings, and why."""
