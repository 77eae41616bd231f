"""Treaty: event-driven, domain-driven microservices for Python."""
