package blocks.udf;

import com.google.i18n.phonenumbers.NumberParseException;
import com.google.i18n.phonenumbers.PhoneNumberUtil;
import com.google.i18n.phonenumbers.Phonenumber.PhoneNumber;
import java.util.Locale;
import java.util.Optional;

/** Phone numbers by the numbering plans of libphonenumber. */
final class PhoneNumbers {
  static final PhoneNumberUtil PLANS = PhoneNumberUtil.getInstance();
  private static final String NO_REGION = "ZZ";

  private PhoneNumbers() {}

  static Optional<PhoneNumber> international(String text) {
    return national(text, NO_REGION);
  }

  /** The number, if it is a valid one; the region counts where it does not begin with + and a country code. */
  static Optional<PhoneNumber> national(String text, String region) {
    try {
      PhoneNumber number = PLANS.parse(text, region.toUpperCase(Locale.ROOT));
      return PLANS.isValidNumber(number) ? Optional.of(number) : Optional.empty();
    } catch (NumberParseException cause) {
      return Optional.empty();
    }
  }
}
