import java.io.*;
import java.net.*;
import java.net.http.*;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.util.*;
import java.util.concurrent.*;

/** Servers with their clients, and what there is around them. */
public class Main {
    interface Attempt { Object run() throws Exception; }

    static String why(Attempt a) {
        try { return "it worked: " + a.run(); } catch (Exception e) { return e.getClass().getSimpleName() + ": " + e.getMessage(); }
    }

    public static void main(String[] args) throws Exception {
        for (String host : List.of("127.0.0.1", "::1", "localhost")) {
            ServerSocket server = new ServerSocket(0, 5, InetAddress.getByName(host));
            Socket client = new Socket(server.getInetAddress(), server.getLocalPort());
            client.setTcpNoDelay(true);
            client.setKeepAlive(true);
            client.setSoLinger(true, 1);
            Socket conn = server.accept();
            client.getOutputStream().write("hello\n".getBytes());
            System.out.println("socket " + new BufferedReader(new InputStreamReader(conn.getInputStream())).readLine() + " " + conn.getInetAddress().isLoopbackAddress());
            client.close(); conn.close(); server.close();
        }
        for (String host : List.of("127.0.0.1", "::1")) {
            try (DatagramSocket a = new DatagramSocket(0, InetAddress.getByName(host)); DatagramSocket b = new DatagramSocket()) {
                b.send(new DatagramPacket("ping".getBytes(), 4, a.getLocalSocketAddress()));
                DatagramPacket p = new DatagramPacket(new byte[10], 10);
                a.receive(p);
                System.out.println("datagram " + new String(p.getData(), 0, p.getLength()));
            }
        }
        try (DatagramChannel c = DatagramChannel.open().bind(new InetSocketAddress("127.0.0.1", 0)); Selector s = Selector.open()) {
            c.configureBlocking(false).register(s, SelectionKey.OP_READ);
            c.send(ByteBuffer.wrap("pong".getBytes()), c.getLocalAddress());
            s.select();
            ByteBuffer b = ByteBuffer.allocate(10);
            c.receive(b);
            System.out.println("channel " + new String(b.array(), 0, b.position()));
        }
        try (ServerSocketChannel s = ServerSocketChannel.open().bind(new InetSocketAddress("localhost", 80)); SocketChannel c = SocketChannel.open(s.getLocalAddress())) {
            s.accept().write(ByteBuffer.wrap("nio".getBytes()));
            ByteBuffer b = ByteBuffer.allocate(10);
            c.read(b);
            System.out.println("channel " + new String(b.array(), 0, b.position()));
        }
        System.out.println("interfaces " + NetworkInterface.networkInterfaces().map(NetworkInterface::getName).toList() + " " + NetworkInterface.getByName("lo").isUp());
        System.out.println("name " + why(() -> InetAddress.getByName("host.example")));
        System.out.println("address " + why(() -> new Socket("192.0.2.1", 53)));
        System.out.println("closed port " + why(() -> new Socket("127.0.0.1", 1)));
        ServerSocket server = new ServerSocket(0);
        ExecutorService pool = Executors.newVirtualThreadPerTaskExecutor();
        pool.submit(() -> {
            try (Socket s = server.accept()) {
                BufferedReader in = new BufferedReader(new InputStreamReader(s.getInputStream()));
                while (!in.readLine().isEmpty()) { }
                s.getOutputStream().write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".getBytes());
            }
            return null;
        });
        try (HttpClient h = HttpClient.newHttpClient()) {
            System.out.println("http " + h.send(HttpRequest.newBuilder(URI.create("http://localhost:" + server.getLocalPort())).build(), HttpResponse.BodyHandlers.ofString()).body());
        }
        pool.shutdown();
        server.close();
    }
}
