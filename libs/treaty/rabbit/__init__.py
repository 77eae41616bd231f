"""RabbitMQ behind the port of the broker. Every call of aio-pika is in this package."""
