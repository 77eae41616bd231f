"""The services, by domain and bounded context."""
