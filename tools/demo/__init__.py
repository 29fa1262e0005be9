"""`lingting demo`: a call, heard by a real box."""
