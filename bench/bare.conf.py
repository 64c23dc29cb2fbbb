"""The references' server: as many workers as Chairside, and threads enough for the clients of the bench."""

workers = 2
worker_class = "gthread"
threads = 16
keepalive = 75
control_socket_disable = True
