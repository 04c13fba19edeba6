package blocks.udf;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;

/** Tables in files of this archive, so that no new version of Java changes a result. */
final class Tables {
  private Tables() {}

  /** The lines of a file, cut at each separator, without those that begin with #. */
  static List<String[]> rows(String file, String separator) {
    try (BufferedReader lines =
        new BufferedReader(
            new InputStreamReader(
                Objects.requireNonNull(Tables.class.getResourceAsStream(file)), StandardCharsets.UTF_8))) {
      return lines.lines().filter(line -> !line.startsWith("#")).map(line -> line.split(separator)).toList();
    } catch (IOException cause) {
      throw new UncheckedIOException(cause);
    }
  }
}
