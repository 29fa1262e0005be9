"""`lingting eval`: how accurate the models are."""
