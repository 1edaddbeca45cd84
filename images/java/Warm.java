import java.io.IOException;
import java.lang.instrument.Instrumentation;
import java.lang.reflect.Method;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Map;
import java.util.Set;

/**
 * The agent of a JVM that is started before there is a job: java -javaagent:warm.jar=SOURCE -cp . CLASS. It practises compiling, stops
 * itself, compiles SOURCE as javac does once it is continued, stops itself again, and returns: then the launcher loads CLASS and runs
 * it, as it does without an agent.
 */
public final class Warm {
    private static final int PRACTICE = 5; // compilations, of which each makes the next one faster; see bench/README.md
    private static final Path SCRATCH = Path.of("/tmp/warm");

    private Warm() {}

    public static void premain(String source, Instrumentation jvm) throws Exception {
        Method raise = raise(jvm);
        for (int i = 0; i < PRACTICE; i++) {
            compile("-d", SCRATCH.toString(), "/usr/lib/ccee/Practice.java");
        }
        remove(SCRATCH);
        System.gc();
        stop(raise);
        int status = compile("-d", ".", source);
        if (status != 0) {
            System.exit(status);
        }
        stop(raise);
    }

    private static int compile(String... args) {
        return com.sun.tools.javac.Main.compile(args);
    }

    private static void remove(Path tree) throws IOException {
        try (var paths = Files.walk(tree)) {
            for (Path p : paths.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(p);
            }
        }
    }

    /** Raises SIGSTOP, which stops all threads until somebody sends SIGCONT; see signal(7). */
    private static void stop(Method raise) throws ReflectiveOperationException {
        raise.invoke(null, 19);
    }

    /**
     * Finds the JDK's raise(3). sun.misc.Signal.raise only takes signals that Java code handles. The package it is in is opened to one
     * class loader that only has Opener: what a job may do by reflection is as without the agent.
     */
    private static Method raise(Instrumentation jvm) throws Exception {
        URL jar = URI.create("file:/usr/lib/ccee/warm.jar").toURL();
        try (URLClassLoader own = new URLClassLoader(new URL[] {jar}, ClassLoader.getPlatformClassLoader())) {
            jvm.redefineModule(Object.class.getModule(), Set.of(), Map.of(),
                    Map.of("jdk.internal.misc", Set.of(own.getUnnamedModule())), Set.of(), Map.of());
            return (Method) own.loadClass("Opener").getMethod("raise").invoke(null);
        }
    }
}
