import java.io.*;
import java.lang.foreign.*;
import java.lang.invoke.*;
import java.net.*;
import java.nio.channels.*;
import java.nio.file.*;
import java.nio.file.attribute.*;
import java.util.*;
import java.util.stream.*;

/** What a program in Java tries: the standard library, and the C library by foreign functions. Arguments: a secret, a socket. */
public class Attempts {
    static int count;

    interface Attempt { Object run() throws Throwable; }

    static void report(String name, String word, Object evidence) {
        count++;
        String text = String.valueOf(evidence).replaceAll("\\s+", " ");
        System.out.println("java/" + name + ": " + word + ": " + text.substring(0, Math.min(80, text.length())));
    }

    /** An exception whose class or text says one of the usual refusals. */
    static void refuse(String name, Attempt attempt) {
        try {
            report(name, "ESCAPED", "it worked: " + attempt.run());
        } catch (Throwable e) {
            String text = e.toString();
            boolean usual = e instanceof AccessDeniedException || e instanceof NoSuchFileException || e instanceof UnknownHostException
                || Stream.of("Permission denied", "Operation not permitted", "Read-only file system", "No such file", "not supported by protocol",
                    "not implemented", "Network is unreachable", "No such device").anyMatch(text::contains);
            report(name, usual ? "refused" : "ESCAPED", text);
        }
    }

    static void hold(String name, Collection<?> wrong) {
        report(name, wrong.isEmpty() ? "held" : "ESCAPED", wrong.isEmpty() ? "nothing there" : wrong);
    }

    static final Linker linker = Linker.nativeLinker();
    static final StructLayout STATE = Linker.Option.captureStateLayout();

    /** Calls the C function and throws what errno says. */
    static Object c(String function, Object... args) throws Throwable {
        MemoryLayout[] layouts = new MemoryLayout[args.length];
        Object[] all = new Object[args.length + 1];
        try (Arena arena = Arena.ofConfined()) {
            all[0] = arena.allocate(STATE);
            for (int i = 0; i < args.length; i++) {
                boolean text = args[i] instanceof String;
                layouts[i] = text ? ValueLayout.ADDRESS : ValueLayout.JAVA_LONG;
                all[i + 1] = text ? arena.allocateFrom((String) args[i]) : args[i];
            }
            MethodHandle h = linker.downcallHandle(linker.defaultLookup().findOrThrow(function),
                FunctionDescriptor.of(ValueLayout.JAVA_INT, layouts), Linker.Option.captureCallState("errno"));
            int r = (int) h.invokeWithArguments(all);
            if (r == -1) {
                int errno = (int) STATE.varHandle(MemoryLayout.PathElement.groupElement("errno")).get((MemorySegment) all[0], 0L);
                String text = switch (errno) {
                    case 1 -> "Operation not permitted";
                    case 2 -> "No such file";
                    case 13 -> "Permission denied";
                    case 38 -> "Function not implemented";
                    case 97 -> "Address family not supported by protocol";
                    default -> "errno " + errno;
                };
                throw new IOException(text);
            }
            return r;
        }
    }

    static boolean mentions(Path p, String secret) {
        try {
            return new String(Files.readAllBytes(p)).contains(secret);
        } catch (IOException e) {
            return false;
        }
    }

    static List<Path> processes() throws IOException {
        try (Stream<Path> s = Files.list(Path.of("/proc"))) {
            return s.filter(p -> p.getFileName().toString().matches("\\d+")).toList();
        }
    }

    public static void main(String[] args) throws Throwable {
        String secret = args[0], socket = args[1], self = String.valueOf(ProcessHandle.current().pid());
        Path java = Path.of("/usr/lib/jvm/java/bin/java").toRealPath();

        refuse("write the runtime", () -> FileChannel.open(java, StandardOpenOption.WRITE));
        refuse("map the runtime", () -> FileChannel.open(java, StandardOpenOption.READ, StandardOpenOption.WRITE).map(FileChannel.MapMode.READ_WRITE, 0, 4096));
        refuse("replace the runtime", () -> Files.move(java, java.resolveSibling("java2")));
        refuse("make the runtime setuid", () -> Files.setAttribute(java, "unix:mode", 04755));
        refuse("append to /etc/passwd", () -> Files.writeString(Path.of("/etc/passwd"), "x", StandardOpenOption.APPEND));
        refuse("a file in the root", () -> Files.createFile(Path.of("/probe")));
        refuse("own a file as root", () -> { Path f = Files.createFile(Path.of("f")); return Files.setAttribute(f, "unix:uid", 0); });
        refuse("climb out", () -> Files.readString(Path.of("/proc/self/root/../../../../etc/shadow")));
        refuse("climb out by a link", () -> { Path l = Files.createSymbolicLink(Path.of("l"), Path.of("/proc/1/root")); return Files.list(l); });
        refuse("init's memory", () -> new RandomAccessFile("/proc/1/mem", "rw"));
        refuse("init's environment", () -> Files.readString(Path.of("/proc/1/environ")));
        refuse("init's socket", () -> new RandomAccessFile("/proc/1/fd/3", "rw"));
        refuse("core_pattern", () -> new FileOutputStream("/proc/sys/kernel/core_pattern", true));
        refuse("oom_score_adj", () -> Files.writeString(Path.of("/proc/self/oom_score_adj"), "-1000"));
        refuse("the memory", () -> new RandomAccessFile("/dev/mem", "r"));
        refuse("a disk", () -> new RandomAccessFile("/dev/vda", "r"));
        hold("images of other languages", Stream.of("/var/lib/ccee", "/usr/bin/python3", "/usr/bin/node", "/run/ccee", "/home", "/root").filter(p -> Files.exists(Path.of(p))).toList());

        hold("environment", System.getenv().entrySet().stream().filter(e -> e.getValue().contains(secret) || e.getKey().matches("(CCEE|REDIS|AWS|TENANT).*")).toList());
        hold("processes", processes().stream().map(p -> p.getFileName().toString()).filter(p -> !p.equals("1") && !p.equals(self)).toList());
        hold("processes of the library", ProcessHandle.allProcesses().map(ProcessHandle::pid).filter(p -> p != 1 && p != ProcessHandle.current().pid()).toList());
        hold("secrets of other processes", processes().stream().filter(p -> !p.endsWith(self)).filter(p -> mentions(p.resolve("environ"), secret) || mentions(p.resolve("cmdline"), secret)).toList());
        hold("interfaces", NetworkInterface.networkInterfaces().map(NetworkInterface::getName).filter(n -> !n.equals("lo")).toList());

        refuse("a TCP connection", () -> new Socket("169.254.169.254", 80));
        refuse("a UDP datagram", () -> {
            new DatagramSocket().send(new DatagramPacket(new byte[1], 1, InetAddress.getByName("192.0.2.1"), 53));
            return "sent";
        });
        refuse("a multicast group", () -> {
            new MulticastSocket(0).joinGroup(new InetSocketAddress("224.0.0.251", 0), NetworkInterface.getByName("lo"));
            return "joined";
        });
        refuse("a channel", () -> SocketChannel.open(new InetSocketAddress("192.0.2.1", 53)));
        refuse("a name", () -> InetAddress.getByName("host.example"));
        refuse("the daemon's socket", () -> SocketChannel.open(UnixDomainSocketAddress.of(socket)));
        refuse("docker's socket", () -> SocketChannel.open(UnixDomainSocketAddress.of("/var/run/docker.sock")));

        for (String[] s : new String[][] {{"write the shell", "exec 3>>/bin/sh"}, {"kill init", "kill -0 1"}, {"raise the limits", "ulimit -n 1000000"}}) {
            Process p = new ProcessBuilder("/bin/sh", "-c", s[1]).redirectErrorStream(true).start();
            int code = p.waitFor();
            report("shell, " + s[0], code == 0 ? "ESCAPED" : "refused", "exit " + code);
        }

        refuse("foreign, mount", () -> c("mount", "none", "/tmp", "tmpfs", 0L, 0L));
        refuse("foreign, umount", () -> c("umount2", "/proc", 2L));
        refuse("foreign, unshare", () -> c("unshare", 0x10000000L));
        refuse("foreign, chroot", () -> c("chroot", "/tmp"));
        refuse("foreign, setuid", () -> c("setuid", 0L));
        refuse("foreign, kill init", () -> c("kill", 1L, 0L));
        refuse("foreign, ptrace", () -> c("ptrace", 0x4206L, 1L, 0L, 0L));
        refuse("foreign, sethostname", () -> c("sethostname", "x", 1L));
        refuse("foreign, socket", () -> c("socket", 40L, 1L, 0L));
        refuse("foreign, inotify", () -> c("inotify_init1", 0L));
        refuse("foreign, io_uring", () -> c("syscall", 425L, 1L, "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"));
        refuse("foreign, nice", () -> c("setpriority", 0L, 0L, -5L));

        System.out.println("end: " + count);
    }
}
