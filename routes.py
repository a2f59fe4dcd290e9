"""Where the pack's REST routes lie: known to the node layer that serves them and to clients that call them."""

PLAN_PATH = "/intelligent_generation/plan"
MODELS_PATH = "/intelligent_generation/models"
FAMILY_PATH = "/intelligent_generation/family"
GUARD_HEADER = "X-Intelligent-Generation"  # no cross-site form can send it
