package blocks.service.functions;

import blocks.udf.Example;
import blocks.udf.Function;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.beam.sdk.extensions.sql.BeamSqlUdf;

/** Takes a list and gives a map. */
@Function(
    name = "test_lengths",
    description = "The length of each text.",
    arguments = {"texts"},
    examples = @Example(call = "CARDINALITY(test_lengths(ARRAY['a']))", result = "1"))
public final class Collections implements BeamSqlUdf {
  public static Map<String, Integer> eval(List<String> texts) {
    if (texts == null) {
      return null;
    }
    Map<String, Integer> lengths = new TreeMap<>();
    texts.forEach(text -> lengths.put(text, text.length()));
    return lengths;
  }
}
