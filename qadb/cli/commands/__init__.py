"""The verbs, one thin file each: parse, call one operation, show its result."""
