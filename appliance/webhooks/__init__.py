"""Other systems are told what has happened: signed, retried for hours, in the end a dead letter."""
