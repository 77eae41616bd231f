"""The program of a worker process. It alone imports Pillow; the service never imports this package."""
