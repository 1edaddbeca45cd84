package ccee;

import com.sun.management.OperatingSystemMXBean;
import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.io.InputStream;
import java.lang.instrument.ClassFileTransformer;
import java.lang.instrument.Instrumentation;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Method;
import java.security.ProtectionDomain;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Sets the JVM's clocks and counters, as far as the JDK's classes tell of them, to where they were before it practised: see Edit. */
final class Clocks {
    private static final List<String> EDITED = List.of(
            "sun.management.RuntimeImpl", "sun.management.ClassLoadingImpl", "sun.management.CompilationImpl", "sun.management.ThreadImpl",
            "com.sun.management.internal.HotSpotThreadImpl", "com.sun.management.internal.OperatingSystemImpl",
            "com.sun.management.internal.GarbageCollectorExtImpl", "java.lang.ProcessHandleImpl$Info");

    private final Method at;
    private final Map<String, Long> before;

    Clocks(Method at, Instrumentation jvm) throws Exception {
        this.at = at;
        Loader loader = new Loader();
        jvm.addTransformer(loader);
        for (String name : EDITED) {
            Class.forName(name, false, null);
        }
        jvm.removeTransformer(loader);
        if (loader.failure != null || loader.count != EDITED.size()) {
            throw new IllegalStateException("of the classes with clocks only " + loader.count + " were loaded here", loader.failure);
        }
        before = read();
        rehearse();
    }

    /** Begins the job's time. */
    void begin() throws ReflectiveOperationException {
        for (var pool : ManagementFactory.getMemoryPoolMXBeans()) {
            pool.resetPeakUsage();
        }
        ManagementFactory.getThreadMXBean().resetPeakThreadCount();
        Map<String, Long> had = read();
        for (var counter : before.entrySet()) {
            had.put(counter.getKey(), had.get(counter.getKey()) - counter.getValue());
        }
        had.put("threads", had.get("threads") + 1); // the one that this runs in was there before
        had.put("uptime", ManagementFactory.getRuntimeMXBean().getUptime());
        at.invoke(null, ProcessHandle.current().pid(), System.currentTimeMillis(), had);
    }

    /** Does what begin does, so that it is quick when there is a job. */
    private void rehearse() throws ReflectiveOperationException {
        begin();
        at.invoke(null, -1L, 0L, new HashMap<String, Long>());
    }

    private static Map<String, Long> read() {
        Map<String, Long> out = new HashMap<>();
        var classes = ManagementFactory.getClassLoadingMXBean();
        out.put("classes", classes.getTotalLoadedClassCount());
        out.put("classes unloaded", classes.getUnloadedClassCount());
        out.put("classes loaded", (long) classes.getLoadedClassCount());
        out.put("compilation", ManagementFactory.getCompilationMXBean().getTotalCompilationTime());
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        out.put("threads", threads.getTotalStartedThreadCount());
        out.put("allocated", threads.getTotalThreadAllocatedBytes());
        out.put("cpu", ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime());
        for (var collector : ManagementFactory.getGarbageCollectorMXBeans()) {
            out.put(collector.getName() + " count", collector.getCollectionCount());
            out.put(collector.getName() + " time", collector.getCollectionTime());
        }
        return out;
    }

    /** Has the JVM load the classes that Edit wrote. */
    private static final class Loader implements ClassFileTransformer {
        int count;
        IOException failure;

        @Override
        public byte[] transform(ClassLoader loader, String name, Class<?> redefined, ProtectionDomain domain, byte[] original) {
            if (!EDITED.contains(name.replace('/', '.'))) {
                return null;
            }
            try (InputStream in = Warm.class.getResourceAsStream("/edited/" + name + ".class")) {
                byte[] edited = in.readAllBytes();
                count++;
                return edited;
            } catch (IOException e) {
                failure = e;
                return null;
            }
        }
    }
}
