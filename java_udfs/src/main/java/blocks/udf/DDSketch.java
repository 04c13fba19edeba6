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
 * <p>The buckets are those of {@code approx_percentile} of AggregateEvents, to the last bit
 * ({@code blocks/aggregating/exact/ddsketch.py} says why they are within 1 %): additions and multiplications of doubles
 * in one order, and no logarithm, of which libraries differ.
 *
 * <p>Bins are counted in whole numbers, so order does not matter. Of each sign at most 4,096 bins are held, which span
 * a ratio of 10^35; beyond it the values nearest to zero share the lowest bin, whichever came first.
 */
final class DDSketch implements State<DDSketch> {
  static final double ACCURACY = 0.01;
  private static final double BUCKETS = 35.0;
  private static final double A = 6.0 / 35.0;
  private static final double B = -3.0 / 5.0;
  private static final double C = 10.0 / 7.0;
  private static final int STEPS = 60;
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

  /** The bucket of a number above 0. */
  static int bin(double magnitude) {
    if (Double.isInfinite(magnitude)) {
      return INFINITE;
    }
    // Below the normal numbers the exponent is that of a multiple.
    int more = magnitude < Double.MIN_NORMAL ? 54 : 0;
    double normal = Math.scalb(magnitude, more);
    int exponent = Math.getExponent(normal);
    return (int) Math.floor(BUCKETS * (log(Math.scalb(normal, -exponent) - 1.0) + (exponent - more)));
  }

  /** In place of the logarithm to base 2 of 1 + part, from 0 to 1. */
  private static double log(double part) {
    return ((A * part + B) * part + C) * part;
  }

  /** A value within 1 % of all values of the bucket: the harmonic mean of its bounds. */
  static double middle(int bin) {
    if (bin == INFINITE) {
      return Double.POSITIVE_INFINITY;
    }
    // Without their exponent, so that nothing is too large or too small for a double before the end.
    int exponent = Math.floorDiv(bin, (int) BUCKETS);
    double low = bound(bin, exponent);
    double high = bound(bin + 1, exponent);
    // The logarithm of the greatest double is rounded up to that of a bucket beyond all doubles.
    return Math.min(Math.scalb(2.0 * low * (high / (low + high)), exponent), Double.MAX_VALUE);
  }

  /** The lower bound of a bucket, divided by a power of two. */
  private static double bound(int bin, int exponent) {
    double log = bin / BUCKETS;
    double whole = Math.floor(log);
    double wanted = log - whole;
    double low = 0.0;
    double high = 1.0;
    for (int step = 0; step < STEPS; step++) {
      double half = (low + high) * 0.5;
      if (log(half) > wanted) {
        high = half;
      } else {
        low = half;
      }
    }
    return Math.scalb(1.0 + low, (int) whole - exponent);
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
