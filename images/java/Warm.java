package ccee;

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
 * it, as it does without an agent. With that the job's time begins, for all of the JVM's clocks and counters; see Clocks.
 */
public final class Warm {
    private static final int PRACTICE = 5; // compilations, of which each makes the next one faster; see bench/README.md
    private static final Path SCRATCH = Path.of("/tmp/warm");

    private final String source;
    private final Instrumentation jvm;
    private Class<?> opener;
    private Method raise;
    private int status;
    private Exception failure;

    private Warm(String source, Instrumentation jvm) {
        this.source = source;
        this.jvm = jvm;
    }

    /** Does all in a thread of its own: the CPU time of the main thread, what it allocated and its hash codes are the program's. */
    public static void premain(String source, Instrumentation jvm) throws Exception {
        Warm warm = new Warm(source, jvm);
        Thread thread = new Thread(null, warm::run, "warm");
        thread.start();
        thread.join();
        if (warm.failure != null) {
            throw warm.failure;
        }
        if (warm.status != 0) {
            System.exit(warm.status);
        }
    }

    private void run() {
        try {
            opener = opener();
            raise = (Method) call("raise");
            Clocks clocks = new Clocks((Method) call("begin"), jvm);
            call("setNextThread", (long) call("nextThread")); // what happens after the last stop was done before: the first time is slow
            practise();
            stop();
            status = compile("-d", ".", source);
            if (status == 0) {
                stop();
                clocks.begin();
                giveBackId();
            }
        } catch (Exception e) {
            failure = e;
        }
    }

    private static void practise() throws IOException {
        for (int i = 0; i < PRACTICE; i++) {
            compile("-d", SCRATCH.toString(), "/usr/lib/ccee/Practice.java");
        }
        try (var paths = Files.walk(SCRATCH)) {
            for (Path p : paths.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(p);
            }
        }
        System.gc();
    }

    private static int compile(String... args) {
        return com.sun.tools.javac.Main.compile(args);
    }

    /** Raises SIGSTOP, which stops all threads until somebody sends SIGCONT; see signal(7). */
    private void stop() throws ReflectiveOperationException {
        raise.invoke(null, 19);
    }

    /** Lets the next thread have this one's id, which ends now, if no other has come since. */
    private void giveBackId() throws ReflectiveOperationException {
        long own = Thread.currentThread().threadId();
        if ((long) call("nextThread") == own + 1) {
            call("setNextThread", own);
        }
    }

    private Object call(String method, long... id) throws ReflectiveOperationException {
        return id.length == 0 ? opener.getMethod(method).invoke(null) : opener.getMethod(method, long.class).invoke(null, id[0]);
    }

    /**
     * The packages that are needed are opened to one class loader that only has Opener: what a job may do by reflection is as without
     * the agent.
     */
    private Class<?> opener() throws Exception {
        URL jar = URI.create("file:/usr/lib/ccee/warm.jar").toURL();
        URLClassLoader own = new URLClassLoader(new URL[] {jar}, ClassLoader.getPlatformClassLoader());
        Set<Module> to = Set.of(own.getUnnamedModule());
        jvm.redefineModule(Object.class.getModule(), Set.of(), Map.of(),
                Map.of("java.lang", to, "jdk.internal.misc", to, "jdk.internal.access", to), Set.of(), Map.of());
        return own.loadClass("ccee.Opener");
    }
}
