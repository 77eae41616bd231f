"""RabbitMQ adapter for the broker's port. All calls of aio-pika are in this package."""
