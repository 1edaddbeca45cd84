import java.nio.file.*;

class Main {
    public static void main(String[] args) throws Exception {
        System.out.print(new String(System.in.readAllBytes()) + args[0]);
        Files.writeString(Path.of("out.txt"), "written");
    }
}
