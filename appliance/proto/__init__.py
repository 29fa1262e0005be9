"""Our own gRPC interface: the .proto and what protoc makes of it (`make proto`)."""
