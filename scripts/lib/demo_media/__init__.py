"""The demo of the domain media: pictures are licensed, used, and used without a right."""
