package blocks.udf;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The smallest values of a group, up to a limit: which these are does not depend on the order in which they come. */
final class Smallest implements State<Smallest> {
  static final int USUAL = 1_000;
  static final int MOST = 1_000_000;

  private final Kind kind;
  private final boolean distinct;
  private final TreeMap<Object, Integer> counts;
  private int limit = Settings.NONE;
  private int size;

  Smallest(Kind kind, boolean distinct) {
    this.kind = kind;
    this.distinct = distinct;
    this.counts = new TreeMap<>(kind);
  }

  void add(List<Object> arguments) {
    limit = Settings.same(limit, arguments.size() > 1 ? arguments.get(1) : USUAL, "limit", MOST);
    add(kind.of(arguments.get(0)), 1);
  }

  private void add(Object value, int count) {
    if (size >= limit && kind.compare(value, counts.lastKey()) >= 0) {
      return;
    }
    int before = counts.getOrDefault(value, 0);
    int after = distinct ? 1 : (int) Math.min((long) before + count, limit);
    counts.put(value, after);
    size += after - before;
    while (size > limit) {
      Map.Entry<Object, Integer> last = counts.lastEntry();
      int less = last.getValue() - Math.min(last.getValue(), size - limit);
      size -= last.getValue() - less;
      if (less == 0) {
        counts.pollLastEntry();
      } else {
        counts.put(last.getKey(), less);
      }
    }
  }

  List<Object> values() {
    List<Object> values = new ArrayList<>(size);
    counts.forEach(
        (value, count) -> {
          for (int left = count; left > 0; left--) {
            values.add(value);
          }
        });
    return values;
  }

  @Override
  public void merge(Smallest other) {
    limit = Settings.merged(limit, other.limit, "limit");
    other.counts.forEach(this::add);
  }

  @Override
  public void write(DataOutput out) throws IOException {
    out.writeInt(limit);
    out.writeInt(counts.size());
    for (Map.Entry<Object, Integer> entry : counts.entrySet()) {
      kind.write(entry.getKey(), out);
      out.writeInt(entry.getValue());
    }
  }

  @Override
  public void read(DataInput in) throws IOException {
    limit = in.readInt();
    size = 0;
    counts.clear();
    for (int left = in.readInt(); left > 0; left--) {
      Object value = kind.read(in);
      int count = in.readInt();
      counts.put(value, count);
      size += count;
    }
  }
}
