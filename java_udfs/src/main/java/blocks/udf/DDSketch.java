package blocks.udf;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Map;
import java.util.TreeMap;

/**
 * Quantiles with a relative error of 1 %, after Masson, Rim and Lee, "DDSketch: a fast and fully-mergeable quantile
 * sketch with relative-error guarantees" (VLDB 2019).
 *
 * <p>Bins are counted in whole numbers, so order does not matter. Of each sign at most 4,096 bins are held, which span
 * a ratio of 10^35; beyond it the values nearest to zero share the lowest bin, whichever came first.
 */
final class DDSketch implements State<DDSketch> {
  static final double ACCURACY = 0.01;
  private static final double GAMMA = (1 + ACCURACY) / (1 - ACCURACY);
  private static final double LOG_GAMMA = StrictMath.log(GAMMA);
  private static final int MOST_BINS = 4096;
  private static final int INFINITE = Integer.MAX_VALUE;

  private final TreeMap<Integer, Long> positive = new TreeMap<>();
  private final TreeMap<Integer, Long> negative = new TreeMap<>();
  private long zeros;
  private long nans;
  private double least = Double.POSITIVE_INFINITY;
  private double greatest = Double.NEGATIVE_INFINITY;

  /** The quantile asked for, NaN before the first row. */
  private double asked = Double.NaN;

  void ask(double quantile) {
    if (!(quantile >= 0 && quantile <= 1)) {
      throw new IllegalArgumentException("`quantile` must be a number from 0 to 1, such as 0.95");
    }
    askSame(quantile + 0.0);
  }

  private void askSame(double quantile) {
    if (!Double.isNaN(asked) && !Double.isNaN(quantile) && asked != quantile) {
      throw Settings.differs("quantile");
    }
    asked = Double.isNaN(asked) ? quantile : asked;
  }

  void add(double value) {
    if (Double.isNaN(value)) {
      nans++;
      return;
    }
    least = Math.min(least, value + 0.0);
    greatest = Math.max(greatest, value + 0.0);
    if (value == 0) {
      zeros++;
    } else {
      count(value > 0 ? positive : negative, bin(Math.abs(value)), 1);
    }
  }

  private static int bin(double magnitude) {
    return Double.isInfinite(magnitude) ? INFINITE : (int) StrictMath.ceil(StrictMath.log(magnitude) / LOG_GAMMA);
  }

  /** A value within 1 % of all values of the bin. */
  private static double middle(int bin) {
    if (bin == INFINITE) {
      return Double.POSITIVE_INFINITY;
    }
    // Not 2 * gamma^bin / (gamma + 1): the power of the highest bin is beyond the greatest double.
    return StrictMath.exp((bin - 1) * LOG_GAMMA) * (2 * GAMMA / (GAMMA + 1));
  }

  private static void count(TreeMap<Integer, Long> bins, int bin, long count) {
    bins.merge(bin, count, Math::addExact);
    // The bins that stay are the highest of all there ever were, so the outcome does not depend on the order.
    while (bins.size() > MOST_BINS) {
      long lowest = bins.pollFirstEntry().getValue();
      bins.merge(bins.firstKey(), lowest, Math::addExact);
    }
  }

  /** The quantile asked for: NaN if a NaN was there, null of no values. */
  Double quantile() {
    if (nans > 0) {
      return Double.NaN;
    }
    long below = total(negative);
    long size = below + zeros + total(positive);
    if (size == 0) {
      return null;
    }
    long rank = (long) Math.floor(asked * (size - 1));
    if (rank == 0 || rank == size - 1) {
      return rank == 0 ? least : greatest;
    }
    double found;
    if (rank < below) {
      found = -middle(binAt(negative, below - 1 - rank));
    } else {
      found = rank < below + zeros ? 0 : middle(binAt(positive, rank - below - zeros));
    }
    return Math.min(Math.max(found, least), greatest);
  }

  private static long total(TreeMap<Integer, Long> bins) {
    return bins.values().stream().mapToLong(Long::longValue).sum();
  }

  private static int binAt(TreeMap<Integer, Long> bins, long rank) {
    long seen = 0;
    for (Map.Entry<Integer, Long> entry : bins.entrySet()) {
      seen += entry.getValue();
      if (seen > rank) {
        return entry.getKey();
      }
    }
    throw new IllegalStateException("a rank beyond the values of a sketch");
  }

  @Override
  public void merge(DDSketch other) {
    askSame(other.asked);
    zeros += other.zeros;
    nans += other.nans;
    least = Math.min(least, other.least);
    greatest = Math.max(greatest, other.greatest);
    other.positive.forEach((bin, count) -> count(positive, bin, count));
    other.negative.forEach((bin, count) -> count(negative, bin, count));
  }

  @Override
  public void write(DataOutput out) throws IOException {
    out.writeDouble(asked);
    out.writeDouble(least);
    out.writeDouble(greatest);
    out.writeLong(zeros);
    out.writeLong(nans);
    write(positive, out);
    write(negative, out);
  }

  private static void write(TreeMap<Integer, Long> bins, DataOutput out) throws IOException {
    out.writeInt(bins.size());
    for (Map.Entry<Integer, Long> entry : bins.entrySet()) {
      out.writeInt(entry.getKey());
      out.writeLong(entry.getValue());
    }
  }

  @Override
  public void read(DataInput in) throws IOException {
    asked = in.readDouble();
    least = in.readDouble();
    greatest = in.readDouble();
    zeros = in.readLong();
    nans = in.readLong();
    read(positive, in);
    read(negative, in);
  }

  private static void read(TreeMap<Integer, Long> bins, DataInput in) throws IOException {
    bins.clear();
    for (int left = in.readInt(); left > 0; left--) {
      bins.put(in.readInt(), in.readLong());
    }
  }
}
