package blocks.udf;

import org.apache.beam.sdk.extensions.sql.BeamSqlUdf;

@Function(
    name = "phone_region",
    description =
        "The country of a phone number (ISO 3166 alpha-2; 001 for numbers of no country); null if it is not a valid one"
            + " by libphonenumber's numbering plans.",
    arguments = {"text", "region"},
    examples = {
      @Example(call = "phone_region('+44 20 7031 3000')", result = "'GB'"),
      @Example(call = "phone_region('(650) 253-0000', 'US')", result = "'US'")
    })
public final class PhoneRegion implements BeamSqlUdf {
  public static String eval(String text) {
    return text == null
        ? null
        : PhoneNumbers.international(text).map(PhoneNumbers.PLANS::getRegionCodeForNumber).orElse(null);
  }

  public static String eval(String text, String region) {
    return text == null || region == null
        ? null
        : PhoneNumbers.national(text, region).map(PhoneNumbers.PLANS::getRegionCodeForNumber).orElse(null);
  }
}
