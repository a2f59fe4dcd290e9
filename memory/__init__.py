"""VRAM and RAM: what fills them, what is kept, what leaves, in which form weights are held; on ComfyUI's own model
management, which does the work. Measures and acts; what to choose is decided in ``intelligence/``."""
