"""What qadb does, one file a verb: decides when and whether, silent, returns a frozen result."""
