package blocks.udf;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.ProviderNotFoundException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * Finds the functions of an archive or a folder of classes by their annotation, holds each against its byte code, and
 * writes the index.
 */
public final class Indexer {
  private static final String ANNOTATION = "Lblocks/udf/Function;";
  private static final String SCALA = "Lscala/reflect/ScalaSignature;";
  private static final String CLASS = ".class";
  private static final int CLASS_VERSION_OF_JAVA_1 = 44;

  private final List<String> problems = new ArrayList<>();
  private final Map<String, FunctionIndex.Entry> found = new TreeMap<>();

  private Indexer() {}

  /**
   * Indexes the library's own functions, {@code java -cp CLASSES:... blocks.udf.Indexer index.json}, or those of an
   * archive that is on the class path too, {@code blocks.udf.Indexer index.json mine.jar}.
   */
  public static void main(String[] arguments) throws IOException, URISyntaxException {
    Path own =
        arguments.length > 1
            ? Path.of(arguments[1])
            : Path.of(Indexer.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    try {
      Files.writeString(Path.of(arguments[0]), index(own, Indexer.class.getClassLoader()));
    } catch (IndexException wrong) {
      System.err.println(wrong.getMessage());
      System.exit(1);
    }
  }

  /**
   * The index of an archive or a folder of classes, as JSON.
   *
   * @param place the archive or the folder
   * @param loader has its classes and all that they need
   * @throws IndexException with everything that is wrong with the functions in it
   * @throws UncheckedIOException when it cannot be read, or is no archive
   */
  public static String index(Path place, ClassLoader loader) {
    Indexer indexer = new Indexer();
    try {
      if (Files.isDirectory(place)) {
        indexer.addAll(place, loader);
      } else {
        try (FileSystem archive = FileSystems.newFileSystem(place)) {
          indexer.addAll(archive.getPath("/"), loader);
        }
      }
    } catch (ProviderNotFoundException cause) {
      throw new UncheckedIOException(new IOException("not a Java archive"));
    } catch (IOException cause) {
      throw new UncheckedIOException(cause);
    }
    if (!indexer.problems.isEmpty()) {
      throw new IndexException(indexer.problems);
    }
    return FunctionIndex.json(List.copyOf(indexer.found.values()));
  }

  private void addAll(Path root, ClassLoader loader) throws IOException {
    List<Path> files;
    try (Stream<Path> all = Files.walk(root)) {
      files = all.filter(file -> file.toString().endsWith(CLASS)).sorted(Comparator.comparing(Path::toString)).toList();
    }
    for (Path file : files) {
      String name = root.relativize(file).toString().replace('\\', '/');
      if (!name.startsWith("META-INF/")) {
        byte[] bytes = Files.readAllBytes(file);
        // One char a byte: the names in a class file are ASCII. Classes that are no functions are not even loaded.
        String code = new String(bytes, StandardCharsets.ISO_8859_1);
        if (code.contains(ANNOTATION)) {
          String type = name.substring(0, name.length() - CLASS.length()).replace('/', '.');
          add(type, bytes, code.contains(SCALA) ? "scala" : "java", loader);
        }
      }
    }
  }

  private void add(String name, byte[] bytes, String language, ClassLoader loader) {
    try {
      Class<?> type = Class.forName(name, false, loader);
      Function says = type.getAnnotation(Function.class);
      if (says != null) {
        Inspection inspection = new Inspection(type, says);
        List<FunctionIndex.Overload> overloads = inspection.overloads();
        problems.addAll(inspection.problems());
        FunctionIndex.Entry entry =
            new FunctionIndex.Entry(says, inspection.kind(), language, type, overloads);
        // A blank sorts before every letter of a name: the index goes by name, then by version.
        String key = String.format("%s %09d", says.name(), says.version());
        FunctionIndex.Entry other = found.putIfAbsent(key, entry);
        if (other != null) {
          problems.add(
              name + ": " + other.type().getName() + " is named `" + says.name() + "` too: rename one, or give it"
                  + " another version");
        }
      }
    } catch (UnsupportedClassVersionError cause) {
      int version = ((bytes[6] & 0xFF) << 8 | bytes[7] & 0xFF) - CLASS_VERSION_OF_JAVA_1;
      problems.add(
          name + ": compiled for Java " + version + ", and this is Java " + Runtime.version().feature()
              + ": compile it with --release 17");
    } catch (ReflectiveOperationException | LinkageError cause) {
      problems.add(
          name + ": cannot be loaded (" + cause.getClass().getSimpleName() + "): put what it needs into the archive");
    }
  }
}
