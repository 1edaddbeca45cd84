import java.io.InputStream;
import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.CodeElement;
import java.lang.classfile.CodeTransform;
import java.lang.classfile.Opcode;
import java.lang.classfile.TypeKind;
import java.lang.classfile.instruction.ReturnInstruction;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;

/**
 * Writes, while the image is built, the classes of the JDK that tell of its clocks and counters, changed so that they count from where the
 * job begins: java Edit DIRECTORY. Warm has the JVM load these instead; a JVM that was not started ahead does not.
 */
public final class Edit {
    private static final ClassDesc BEGIN = ClassDesc.of("jdk.internal.access.Begin");
    private static final ClassDesc LIST = ClassDesc.of("java.util.List");
    private static final ClassDesc STRINGS = ConstantDescs.CD_String.arrayType();
    private static final ClassDesc INFO = ClassDesc.of("java.lang.ProcessHandleImpl$Info");
    private static final ClassDesc COLLECTOR = ClassDesc.of("sun.management.GarbageCollectorImpl");
    private static final ClassDesc COLLECTOR_EXT = ClassDesc.of("com.sun.management.internal.GarbageCollectorExtImpl");
    private static final MethodTypeDesc COUNT = MethodTypeDesc.of(ConstantDescs.CD_long);

    /** What comes before each return of a method, by class and method. */
    private static final Map<String, Map<String, Consumer<CodeBuilder>>> RETURNS = Map.of(
            "sun/management/RuntimeImpl", Map.of(
                    "getUptime", since("uptime"), "getStartTime", Edit::wall, "getInputArguments", b -> arguments(b, LIST)),
            "sun/management/ClassLoadingImpl", Map.of(
                    "getTotalLoadedClassCount", since("classes"), "getUnloadedClassCount", since("classes unloaded"),
                    "getLoadedClassCount", Edit::loaded),
            "sun/management/CompilationImpl", Map.of("getTotalCompilationTime", since("compilation")),
            "sun/management/ThreadImpl", Map.of("getTotalStartedThreadCount", since("threads")),
            "com/sun/management/internal/HotSpotThreadImpl", Map.of("getTotalThreadAllocatedBytes", since("allocated")),
            "com/sun/management/internal/OperatingSystemImpl", Map.of("getProcessCpuTime", since("cpu")),
            "com/sun/management/internal/GarbageCollectorExtImpl", Map.of(),
            "java/lang/ProcessHandleImpl$Info", Map.of("info", Edit::info));

    private Edit() {}

    public static void main(String[] args) throws Exception {
        for (var edit : new TreeMap<>(RETURNS).entrySet()) {
            Path out = Path.of(args[0], edit.getKey() + ".class");
            Files.createDirectories(out.getParent());
            Files.write(out, edited(edit.getKey(), edit.getValue()));
        }
    }

    private static byte[] edited(String name, Map<String, Consumer<CodeBuilder>> methods) throws Exception {
        ClassModel model;
        try (InputStream in = Class.forName(name.replace('/', '.'), false, null).getResourceAsStream("/" + name + ".class")) {
            model = ClassFile.of().parse(in.readAllBytes());
        }
        Set<String> done = new HashSet<>();
        ClassTransform edit = (builder, element) -> builder.with(element);
        for (var method : methods.entrySet()) {
            edit = edit.andThen(ClassTransform.transformingMethodBodies(
                    m -> m.methodName().equalsString(method.getKey()) && done.add(method.getKey()), returns(method.getValue())));
        }
        if (name.endsWith("GarbageCollectorExtImpl")) {
            edit = edit.andThen(ClassTransform.transformingMethodBodies(
                    m -> m.methodName().equalsString("getLastGcInfo"), noneBefore()));
            edit = edit.andThen(ClassTransform.endHandler(b -> {
                counted(b, "getCollectionCount", " count");
                counted(b, "getCollectionTime", " time");
            }));
        }
        byte[] out = ClassFile.of().transformClass(model, edit);
        if (!done.equals(methods.keySet())) {
            throw new IllegalStateException(name + " has of " + methods.keySet() + " only " + done + ": this JDK is another one");
        }
        return out;
    }

    private static CodeTransform returns(Consumer<CodeBuilder> before) {
        return (builder, element) -> {
            if (element instanceof ReturnInstruction r && r.opcode() != Opcode.RETURN) {
                before.accept(builder);
            }
            builder.with(element);
        };
    }

    private static Consumer<CodeBuilder> since(String counter) {
        return b -> b.loadConstant(counter).invokestatic(BEGIN, "since",
                MethodTypeDesc.of(ConstantDescs.CD_long, ConstantDescs.CD_long, ConstantDescs.CD_String));
    }

    private static void loaded(CodeBuilder b) {
        b.i2l();
        since("classes loaded").accept(b);
        b.l2i();
    }

    private static void wall(CodeBuilder b) {
        b.pop2().invokestatic(BEGIN, "wall", COUNT);
    }

    private static void arguments(CodeBuilder b, ClassDesc type) {
        b.invokestatic(BEGIN, "arguments", MethodTypeDesc.of(type, type));
    }

    /** Of ProcessHandleImpl.Info.info(long pid, long startTime), where the result is on the stack. */
    private static void info(CodeBuilder b) {
        int info = b.allocateLocal(TypeKind.REFERENCE);
        b.checkcast(INFO).astore(info);
        b.lload(0).invokestatic(BEGIN, "isUs", MethodTypeDesc.of(ConstantDescs.CD_boolean, ConstantDescs.CD_long)).ifThen(us -> {
            us.aload(info).invokestatic(BEGIN, "wall", COUNT).putfield(INFO, "startTime", ConstantDescs.CD_long);
            us.aload(info).aload(info).getfield(INFO, "totalTime", ConstantDescs.CD_long);
            since("cpu").accept(us);
            us.putfield(INFO, "totalTime", ConstantDescs.CD_long);
            us.aload(info).aload(info).getfield(INFO, "arguments", STRINGS);
            arguments(us, STRINGS);
            us.putfield(INFO, "arguments", STRINGS);
        });
        b.aload(info);
    }

    /** Lets a collector that the job did not need have no last collection. */
    private static CodeTransform noneBefore() {
        return new CodeTransform() {
            @Override
            public void atStart(CodeBuilder b) {
                b.aload(0).invokevirtual(COLLECTOR_EXT, "getCollectionCount", COUNT).lconst_0().lcmp()
                        .ifThen(Opcode.IFEQ, none -> none.aconst_null().areturn());
            }

            @Override
            public void accept(CodeBuilder b, CodeElement element) {
                b.with(element);
            }
        };
    }

    /** Adds a method to the collectors' class that counts from the job's begin what its native parent counts. */
    private static void counted(ClassBuilder to, String method, String counter) {
        to.withMethodBody(method, COUNT, ClassFile.ACC_PUBLIC, b -> b
                .aload(0).invokespecial(COLLECTOR, method, COUNT)
                .aload(0).invokevirtual(COLLECTOR_EXT, "getName", MethodTypeDesc.of(ConstantDescs.CD_String))
                .loadConstant(counter).invokevirtual(ConstantDescs.CD_String, "concat", MethodTypeDesc.of(ConstantDescs.CD_String, ConstantDescs.CD_String))
                .invokestatic(BEGIN, "since", MethodTypeDesc.of(ConstantDescs.CD_long, ConstantDescs.CD_long, ConstantDescs.CD_String))
                .lreturn());
    }
}
