"""What a matter is about: a linear model over characters, trained on the box, explained by words.

Needs numpy alone. `train` makes a `CategoryModel` of labelled texts; a pack's own examples will do.
"""
