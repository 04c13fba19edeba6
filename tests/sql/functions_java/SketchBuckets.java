package blocks.udf;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;

/** Reads doubles, and quantiles; writes the bucket and the middle of each double, then the quantiles of all of them. */
public final class SketchBuckets {
  private SketchBuckets() {}

  public static void main(String[] arguments) throws IOException {
    DataInputStream in = new DataInputStream(System.in);
    double[] values = read(in);
    double[] quantiles = read(in);
    DataOutputStream out = new DataOutputStream(System.out);
    for (double value : values) {
      int bin = DDSketch.bin(Math.abs(value));
      out.writeInt(bin);
      out.writeDouble(DDSketch.middle(bin));
    }
    for (double quantile : quantiles) {
      DDSketch sketch = new DDSketch();
      sketch.ask(quantile);
      for (double value : values) {
        sketch.add(value);
      }
      out.writeDouble(sketch.quantile());
    }
    out.flush();
  }

  private static double[] read(DataInputStream in) throws IOException {
    double[] found = new double[in.readInt()];
    for (int place = 0; place < found.length; place++) {
      found[place] = in.readDouble();
    }
    return found;
  }
}
