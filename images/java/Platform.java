import java.io.IOException;
import java.lang.module.ModuleDescriptor;
import java.lang.module.ModuleFinder;
import java.nio.charset.Charset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Provider;
import java.security.Security;
import java.text.Collator;
import java.text.NumberFormat;
import java.time.LocalDate;
import java.time.ZoneId;
import java.time.chrono.Chronology;
import java.time.format.DateTimeFormatter;
import java.util.Arrays;
import java.util.Currency;
import java.util.List;
import java.util.Locale;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.TreeSet;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;
import javax.imageio.ImageIO;

/**
 * What the standard distribution gives a program, a line each. Without arguments: all that there is here. With the name of such a list:
 * what of it is not there.
 */
public class Platform {
    static final Set<String> OFFERED = new TreeSet<>();

    public static void main(String[] args) throws Exception {
        modules();
        security();
        locales();
        add("charset", Charset.availableCharsets().keySet());
        add("zone", ZoneId.getAvailableZoneIds());
        add("calendar", Chronology.getAvailableChronologies().stream().map(Chronology::getId).toList());
        add("currency", Currency.getAvailableCurrencies().stream().map(Currency::getCurrencyCode).toList());
        add("tool", ServiceLoader.load(ToolProvider.class, ClassLoader.getSystemClassLoader()).stream().map(p -> p.get().name()).toList());
        add("image-reader", List.of(ImageIO.getReaderFormatNames()));
        add("image-writer", List.of(ImageIO.getWriterFormatNames()));
        files(Path.of(System.getProperty("java.home")));
        Set<String> wanted = OFFERED;
        if (args.length > 0) {
            wanted = new TreeSet<>(Files.readAllLines(Path.of(args[0])));
            wanted.removeAll(OFFERED);
        }
        wanted.forEach(System.out::println);
    }

    static void add(String kind, Iterable<String> names) {
        names.forEach(name -> OFFERED.add(kind + " " + name));
    }

    /** Modules, the packages that they export, and the services that they provide. */
    static void modules() {
        ModuleFinder.ofSystem().findAll().stream().map(m -> m.descriptor()).forEach(m -> {
            add("module", List.of(m.name()));
            m.exports().stream().filter(e -> !e.isQualified()).forEach(e -> add("package", List.of(e.source())));
            for (ModuleDescriptor.Provides p : m.provides()) {
                p.providers().forEach(impl -> add("service", List.of(p.service() + " " + impl)));
            }
        });
    }

    static void security() {
        for (Provider p : Security.getProviders()) {
            p.getServices().forEach(s -> add("algorithm", List.of(p.getName() + " " + s.getType() + " " + s.getAlgorithm())));
        }
    }

    /**
     * Locales by their names, and those of a language alone or of some countries by what they look like: one that is there by its name alone
     * would speak English.
     */
    static void locales() {
        LocalDate day = LocalDate.of(2024, 3, 5);
        Set<String> countries = Set.of("", "CN", "DE", "FR", "IN", "SE", "US");
        for (Locale l : Locale.getAvailableLocales()) {
            String name = l.toLanguageTag();
            add("locale", List.of(name));
            if (countries.contains(l.getCountry())) {
                add("text", List.of(String.join(" | ", name, NumberFormat.getCurrencyInstance(l).format(12324.134), String.format(l, "%,.2f", 1234.5),
                        DateTimeFormatter.ofPattern("EEEE d MMMM", l).format(day), l.getDisplayLanguage(l), "" + Collator.getInstance(l).compare("\u00e4", "z"))));
            }
        }
    }

    /** The files of the distribution, without directories of people's own. */
    static void files(Path home) throws IOException {
        try (Stream<Path> all = Files.walk(home)) {
            for (Path p : all.toList()) {
                String name = home.relativize(p).toString();
                if (!Files.isDirectory(p) && Arrays.stream(new String[] {"jmods/", "legal/", "include/", "man/", "lib/server/classes"}).noneMatch(name::startsWith)) {
                    add("file", List.of(name));
                }
            }
        }
    }
}
