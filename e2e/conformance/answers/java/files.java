// Files, streams and processes, as the javadoc of java.nio.file, java.io and ProcessBuilder has them.
import java.io.*;
import java.nio.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import java.util.stream.*;
import java.util.zip.*;

public class Main {
  record Point(int x, int y) implements Serializable {}

  public static void main(String[] args) throws Exception {
    Path dir = Files.createTempDirectory("t");
    Path file = Files.writeString(dir.resolve("a.txt"), "one\ntwo\nthrée\n");
    System.out.println(Files.readAllLines(file) + " " + Files.size(file));
    //> [one, two, thrée] 15
    Files.move(file, dir.resolve("b.txt"));
    try (Stream<Path> s = Files.list(dir)) { System.out.println(s.map(p -> p.getFileName().toString()).toList()); }
    //> [b.txt]
    try {
      Files.createFile(dir.resolve("b.txt"));
    } catch (FileAlreadyExistsException e) {
      System.out.println("exists");
    }
    //> exists
    try (var raf = new RandomAccessFile(dir.resolve("r").toFile(), "rw")) {
      raf.writeInt(0xCAFEBABE);
      raf.seek(1);
      System.out.println(Integer.toHexString(raf.readUnsignedByte()) + " " + raf.length());
    }
    //> fe 4
    var bytes = new ByteArrayOutputStream();
    try (var out = new ObjectOutputStream(new GZIPOutputStream(bytes))) { out.writeObject(List.of(new Point(1, 2))); }
    try (var in = new ObjectInputStream(new GZIPInputStream(new ByteArrayInputStream(bytes.toByteArray())))) { System.out.println(in.readObject()); }
    //> [Point[x=1, y=2]]
    System.out.println(Path.of("/a/b/../c/./d").normalize() + " " + Path.of("/a/b").relativize(Path.of("/a/c/d")) + " " + Path.of("a").resolve("/b"));
    //> /a/c/d ../c/d /b
    ByteBuffer b = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putInt(1).flip();
    System.out.println(b.remaining() + " " + b.get(0) + " " + StandardCharsets.UTF_8.encode("é").remaining());
    //> 4 1 2
    var process = new ProcessBuilder("sh", "-c", "cat; echo err >&2; exit 3").redirectErrorStream(true).start();
    try (var w = process.outputWriter()) { w.write("to child\n"); }
    System.out.println(process.inputReader().lines().toList() + " " + process.waitFor());
    //> [to child, err] 3
    var scanner = new Scanner("1 2.5 word\nrest of line");
    scanner.useLocale(Locale.ROOT);
    System.out.println(scanner.nextInt() + " " + scanner.nextDouble() + " " + scanner.next() + scanner.nextLine() + " " + scanner.nextLine());
    //> 1 2.5 word rest of line
    System.out.printf("%s %s%n", System.lineSeparator().length(), System.getProperty("file.encoding"));
    //> 1 UTF-8
  }
}
