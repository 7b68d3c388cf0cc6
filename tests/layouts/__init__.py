"""Sample data as real systems write it: which entries, under which names, in which form."""
