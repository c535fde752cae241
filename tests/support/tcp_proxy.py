"""A TCP proxy in front of a Unix socket, which hangs on request: it takes bytes and connections, and forwards none."""

import contextlib
import socket
import threading


class HangingProxy:
    def __init__(self, target):
        self._target = str(target)
        self._flowing = threading.Event()
        self._flowing.set()
        self._is_closed = False
        self._sockets = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def hang(self):
        self._flowing.clear()

    def resume(self):
        """Forward everything that has come meanwhile."""
        self._flowing.set()

    def close(self):
        self._is_closed = True
        self._flowing.set()
        for each in (self._listening, *self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self):
        with contextlib.suppress(OSError):  # closed
            while not self._is_closed:
                client, _ = self._listening.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._target)
                self._sockets += [client, server]
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _pump(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._flowing.wait()
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
