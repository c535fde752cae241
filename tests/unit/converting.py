"""Values that are converted to JSON and back."""

import json


def through_json(types_, value):
    """The JSON of an argument, and the argument that is read back from it."""
    args, _ = types_.encode((value,), {})
    stored = json.loads(json.dumps(list(args)))
    read, _ = types_.decode(stored, {})
    return stored[0], read[0]
