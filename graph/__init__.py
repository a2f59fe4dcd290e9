"""From a plan to a graph of ComfyUI's own nodes."""
