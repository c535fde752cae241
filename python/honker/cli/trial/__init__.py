"""``honker try``: the other engine at work, without an installation."""
