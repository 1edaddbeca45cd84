# A server and its client in one program, over IPv4, IPv6 and by name.
import http.server, threading, urllib.request, socket

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"you asked for " + self.path.encode())

    def log_message(self, *args):
        pass

class V6(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6

for make, host, name in ((http.server.ThreadingHTTPServer, "127.0.0.1", "127.0.0.1"), (V6, "::1", "[::1]"), (http.server.ThreadingHTTPServer, "localhost", "localhost"), (http.server.ThreadingHTTPServer, "", "127.0.0.1")):
    with make((host, 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        print(urllib.request.urlopen(f"http://{name}:{server.server_port}/x").read().decode())
        server.shutdown()
