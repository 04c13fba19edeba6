package blocks.udf;

import com.google.i18n.phonenumbers.PhoneNumberUtil.PhoneNumberFormat;
import com.google.i18n.phonenumbers.Phonenumber.PhoneNumber;
import org.apache.beam.sdk.extensions.sql.BeamSqlUdf;

@Function(
    name = "phone_normalize",
    description =
        "A phone number in E.164 form, without an extension; null if it is not a valid one by libphonenumber's"
            + " numbering plans. The region (ISO 3166 alpha-2) is where a number without + and country code is"
            + " dialled.",
    arguments = {"text", "region"},
    examples = {
      @Example(call = "phone_normalize('(650) 253-0000', 'US')", result = "'+16502530000'"),
      @Example(call = "phone_normalize('+44 20 7031 3000')", result = "'+442070313000'"),
      @Example(call = "phone_normalize('12', 'US')", result = "NULL")
    })
public final class PhoneNormalize implements BeamSqlUdf {
  public static String eval(String text) {
    return text == null ? null : PhoneNumbers.international(text).map(PhoneNormalize::written).orElse(null);
  }

  public static String eval(String text, String region) {
    return text == null || region == null
        ? null
        : PhoneNumbers.national(text, region).map(PhoneNormalize::written).orElse(null);
  }

  private static String written(PhoneNumber number) {
    return PhoneNumbers.PLANS.format(number, PhoneNumberFormat.E164);
  }
}
