import java.lang.reflect.Method;

/** Is loaded by Warm in a class loader of its own, to which the JDK's Signal class is open. */
public final class Opener {
    private Opener() {}

    public static Method raise() throws ReflectiveOperationException {
        Method raise = Class.forName("jdk.internal.misc.Signal").getDeclaredMethod("raise0", int.class);
        raise.setAccessible(true);
        return raise;
    }
}
