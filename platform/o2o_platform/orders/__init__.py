"""Orders: taking them, and the steps of their life (A13)."""
