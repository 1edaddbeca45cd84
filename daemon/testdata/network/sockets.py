# What the module socket offers for TCP and UDP, and what there is around it.
import asyncio, ipaddress, multiprocessing.managers, socket, threading, xmlrpc.client, xmlrpc.server

with socket.create_server(("127.0.0.1", 80)) as server, socket.create_connection(("127.0.0.1", 80)) as client:
    conn, peer = server.accept()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT):
        client.setsockopt(socket.IPPROTO_TCP, option, 5)
    threading.Thread(target=lambda: (client.sendall(b"x" * 1_000_000), client.shutdown(socket.SHUT_WR))).start()
    total = 0
    while data := conn.recv(65536):
        total += len(data)
    print("tcp", total, peer[0])

for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    with socket.socket(family, socket.SOCK_DGRAM) as a, socket.socket(family, socket.SOCK_DGRAM) as b:
        a.bind((host, 0))
        b.sendto(b"ping", a.getsockname())
        data, peer = a.recvfrom(100)
        a.sendto(data.upper(), peer)
        print("udp", b.recv(100).decode(), ipaddress.ip_address(peer[0]).is_loopback)

with socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
    with socket.create_connection(("127.0.0.1", server.getsockname()[1])):
        print("dual stack", server.accept()[1][0])


async def chat():
    async def echo(reader, writer):
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()
    async with await asyncio.start_server(echo, "localhost", 0) as server:
        for s in sorted(server.sockets, key=lambda s: s.family):
            reader, writer = await asyncio.open_connection(*s.getsockname()[:2])
            writer.write(b"hello\n")
            print("asyncio", s.family.name, (await reader.readline()).decode().strip())
            writer.close()


asyncio.run(chat())


def serve(pipe):
    manager = multiprocessing.managers.BaseManager(("127.0.0.1", 0), b"key")
    manager.register("get", lambda: {"a": 1})
    server = manager.get_server()
    pipe.send(server.address)
    server.serve_forever()


here, there = multiprocessing.Pipe()
process = multiprocessing.get_context("fork").Process(target=serve, args=(there,), daemon=True)
process.start()
client = multiprocessing.managers.BaseManager(here.recv(), b"key")
client.register("get")
client.connect()
print("manager", client.get().copy())
process.kill()

with xmlrpc.server.SimpleXMLRPCServer(("127.0.0.1", 0), logRequests=False) as server:
    server.register_function(pow)
    threading.Thread(target=server.handle_request).start()
    print("xmlrpc", xmlrpc.client.ServerProxy("http://127.0.0.1:%d" % server.server_address[1]).pow(2, 5))

print("interfaces", socket.if_nameindex(), socket.if_nametoindex("lo"))
print("localhost", sorted({a[4][0] for a in socket.getaddrinfo("localhost", 80)}))
for what, call in (("a name", lambda: socket.getaddrinfo("host.example", 80)), ("an address", lambda: socket.create_connection(("192.0.2.1", 53), 5)),
                   ("an address 6", lambda: socket.create_connection(("2001:db8::1", 53), 5)), ("a closed port", lambda: socket.create_connection(("127.0.0.1", 1))),
                   ("raw", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)), ("vsock", lambda: socket.socket(socket.AF_VSOCK)),
                   ("ping", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1)),
                   ("group", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).setsockopt(0, 35, bytes([224, 1, 1, 1, 0, 0, 0, 0])))):
    try:
        print(what, call())
    except OSError as e:
        print(what, type(e).__name__, e.errno)
