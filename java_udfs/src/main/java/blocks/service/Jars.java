package blocks.service;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;

/** The classes of users' archives: a class loader for each set of archives, so that two sets never meet. */
final class Jars {
  private static final Map<List<String>, ClassLoader> LOADERS = new ConcurrentHashMap<>();

  private Jars() {}

  /** The loader of some archives; that of the service where there are none, or none is on this machine. */
  static ClassLoader loader(List<String> jars) {
    ClassLoader own = Jars.class.getClassLoader();
    return jars.isEmpty() ? own : LOADERS.computeIfAbsent(List.copyOf(jars), paths -> open(paths, own));
  }

  private static ClassLoader open(List<String> paths, ClassLoader own) {
    List<URL> found = new ArrayList<>();
    for (String path : paths) {
      if (Files.exists(Path.of(path))) {
        try {
          found.add(Path.of(path).toUri().toURL());
        } catch (MalformedURLException cause) {
          throw new UncheckedIOException(cause);
        }
      }
    }
    return found.isEmpty() ? own : new URLClassLoader(found.toArray(new URL[0]), own);
  }

  /** The names of the classes in an archive that are not inside others. */
  static List<String> classes(String path) throws IOException {
    try (JarFile jar = new JarFile(path)) {
      return jar.stream()
          .map(JarEntry::getName)
          .filter(name -> name.endsWith(".class") && !name.contains("$") && !name.startsWith("META-INF/"))
          .filter(name -> !name.endsWith("module-info.class") && !name.endsWith("package-info.class"))
          .map(name -> name.substring(0, name.length() - ".class".length()).replace('/', '.'))
          .sorted()
          .toList();
    }
  }
}
