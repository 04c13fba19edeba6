package blocks.udf;

/** The earth as a sphere, in degrees. */
final class Sphere {
  /** Mean radius R1 of the IUGG, in km. */
  static final double RADIUS_KM = 6371.0088;

  private Sphere() {}

  /** Whether a place is on it: latitude from -90 to 90, longitude from -180 to 180. */
  static boolean holds(double latitude, double longitude) {
    return Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180;
  }
}
