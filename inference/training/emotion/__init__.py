"""Demo weights for moods: synthetic prosody, labelled sentences, a small head."""
