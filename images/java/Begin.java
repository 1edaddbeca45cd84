package jdk.internal.access;

import java.util.List;
import java.util.Map;

/**
 * When the job of a JVM that was started ahead began, and what the JVM's counters had by then. Edit has the JDK's management classes
 * ask here; Warm defines it in java.base, in a package that these see and programs don't.
 */
public final class Begin {
    private static volatile long pid = -1;
    private static volatile long wall; // ms since 1970
    private static volatile Map<String, Long> had = Map.of();

    private Begin() {}

    public static void at(long pid, long wall, Map<String, Long> had) {
        Begin.wall = wall;
        Begin.had = had;
        Begin.pid = pid;
    }

    /** Is what a counter would be if the JVM had begun with the job. */
    public static long since(long value, String counter) {
        return value - had.getOrDefault(counter, 0L);
    }

    public static boolean isUs(long pid) {
        return pid == Begin.pid;
    }

    public static long wall() {
        return wall;
    }

    public static List<String> arguments(List<String> given) {
        return given.stream().filter(Begin::ofTheJob).toList();
    }

    public static String[] arguments(String[] given) {
        return given == null ? null : arguments(List.of(given)).toArray(String[]::new);
    }

    private static boolean ofTheJob(String argument) {
        return !argument.startsWith("-javaagent:/usr/lib/ccee/");
    }
}
