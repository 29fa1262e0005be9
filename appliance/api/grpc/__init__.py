"""The gRPC door: Riva's speech recognition service, health and reflection, on one port."""
