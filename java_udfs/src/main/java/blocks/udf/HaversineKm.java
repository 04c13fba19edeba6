package blocks.udf;

import org.apache.beam.sdk.extensions.sql.BeamSqlUdf;

@Function(
    name = "haversine_km",
    description =
        "The great-circle distance of two places in km, on a sphere of the earth's mean radius (6371.0088 km); degrees,"
            + " north and east positive. Null where a latitude is beyond 90 or a longitude beyond 180 degrees.",
    arguments = {"latitude1", "longitude1", "latitude2", "longitude2"},
    examples = {
      @Example(call = "haversine_km(48.2, 16.4, 48.2, 16.4)", result = "0.0"),
      @Example(call = "haversine_km(91.0, 0.0, 0.0, 0.0)", result = "NULL")
    })
public final class HaversineKm implements BeamSqlUdf {
  public static Double eval(Double latitude1, Double longitude1, Double latitude2, Double longitude2) {
    if (latitude1 == null || longitude1 == null || latitude2 == null || longitude2 == null) {
      return null;
    }
    if (!Sphere.holds(latitude1, longitude1) || !Sphere.holds(latitude2, longitude2)) {
      return null;
    }
    // StrictMath gives the same bits on every machine.
    double north = StrictMath.sin(StrictMath.toRadians(latitude2 - latitude1) / 2);
    double east = StrictMath.sin(StrictMath.toRadians(longitude2 - longitude1) / 2);
    double both = StrictMath.cos(StrictMath.toRadians(latitude1)) * StrictMath.cos(StrictMath.toRadians(latitude2));
    double half = Math.min(1, north * north + both * east * east);
    return 2 * Sphere.RADIUS_KM * StrictMath.asin(Math.sqrt(half));
  }
}
