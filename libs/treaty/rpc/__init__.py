"""The gRPC edge: one server per process, one interceptor, and channels to other services."""
