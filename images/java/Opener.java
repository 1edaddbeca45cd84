package ccee;

import java.io.InputStream;
import java.lang.invoke.MethodHandles;
import java.lang.reflect.Method;
import java.util.Map;

/** Is loaded by Warm in a class loader of its own, to which packages of java.base are open. */
public final class Opener {
    private Opener() {}

    /** Returns the JDK's raise(3): sun.misc.Signal.raise only takes signals that Java code handles. */
    public static Method raise() throws ReflectiveOperationException {
        return open(Class.forName("jdk.internal.misc.Signal").getDeclaredMethod("raise0", int.class));
    }

    /** Defines Begin and returns its method at. */
    public static Method begin() throws Exception {
        Class<?> neighbour = Class.forName("jdk.internal.access.SharedSecrets");
        try (InputStream in = Opener.class.getResourceAsStream("/edited/jdk/internal/access/Begin.class")) {
            Class<?> begin = MethodHandles.privateLookupIn(neighbour, MethodHandles.lookup()).defineClass(in.readAllBytes());
            return open(begin.getMethod("at", long.class, long.class, Map.class));
        }
    }

    /** Returns the id that the next thread will have. */
    public static long nextThread() throws ReflectiveOperationException {
        return (long) unsafe("getLong", long.class).invoke(unsafe(), threadIds());
    }

    public static void setNextThread(long id) throws ReflectiveOperationException {
        unsafe("putLong", long.class, long.class).invoke(unsafe(), threadIds(), id);
    }

    private static long threadIds() throws ReflectiveOperationException {
        return (long) open(Thread.class.getDeclaredMethod("getNextThreadIdOffset")).invoke(null);
    }

    private static Object unsafe() throws ReflectiveOperationException {
        return unsafe("getUnsafe").invoke(null);
    }

    private static Method unsafe(String name, Class<?>... types) throws ReflectiveOperationException {
        return open(Class.forName("jdk.internal.misc.Unsafe").getMethod(name, types));
    }

    private static Method open(Method method) {
        method.setAccessible(true);
        return method;
    }
}
