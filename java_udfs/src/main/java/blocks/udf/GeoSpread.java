package blocks.udf;

import java.math.BigInteger;

@Function(
    name = "geo_spread",
    description =
        "How far places lie apart, in km: the root of the mean square distance to their mean point, straight through"
            + " the earth (a sphere of the mean radius 6371.0088 km), so the date line and the poles are as any other"
            + " place. Places off the earth (latitude beyond 90, longitude beyond 180 degrees, NaN) are left out, as"
            + " NULLs are. Null of no places, 0 of one.",
    arguments = {"latitude", "longitude"},
    nulls = Nulls.SKIP,
    examples =
        @Example(
            call = "geo_spread(x, y)",
            from = "(VALUES (48.2, 16.4), (48.2, 16.4)) AS t (x, y)",
            result = "0.0"))
public final class GeoSpread extends OfTwoNumbers<Moments> {
  private static final int SQUARES = 3;

  @Override
  public Moments createAccumulator() {
    return new Moments(4);
  }

  @Override
  void add(Moments state, double latitude, double longitude) {
    if (!Sphere.holds(latitude, longitude)) {
      return;
    }
    double north = StrictMath.toRadians(latitude);
    double east = StrictMath.toRadians(longitude);
    double[] place = {
      StrictMath.cos(north) * StrictMath.cos(east), StrictMath.cos(north) * StrictMath.sin(east), StrictMath.sin(north)
    };
    state.countRow();
    for (int axis = 0; axis < place.length; axis++) {
      state.sum(axis).add(place[axis]);
      // Not 1 for all three: a rounded vector is not quite of length 1, and small spreads would drown in that.
      state.sum(SQUARES).addProduct(place[axis], place[axis]);
    }
  }

  @Override
  protected Object result(Moments state) {
    if (state.count() == 0) {
      return null;
    }
    BigInteger count = BigInteger.valueOf(state.count());
    BigInteger variation = state.sum(SQUARES).units().shiftLeft(-ExactSum.UNIT).multiply(count);
    for (int axis = 0; axis < SQUARES; axis++) {
      BigInteger sum = state.sum(axis).units();
      variation = variation.subtract(sum.multiply(sum));
    }
    BigInteger unit = BigInteger.ONE.shiftLeft(-2 * ExactSum.UNIT);
    return Sphere.RADIUS_KM * ExactSum.rootOfQuotient(variation, unit.multiply(count).multiply(count));
  }
}
