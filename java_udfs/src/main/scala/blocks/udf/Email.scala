package blocks.udf

import java.net.IDN
import java.text.Normalizer
import java.util.Locale

import org.apache.beam.sdk.extensions.sql.BeamSqlUdf

import scala.util.Try

/** An e-mail address: the local part as it is written, the domain in lower-case ASCII. */
private[udf] final case class Email(local: String, domain: String)

private[udf] object Email {
  private val MostLocal = 64
  private val MostDomain = 253
  private val MostLabel = 63
  private val Special = "()<>[]:;@\\,\""

  /** The address in a text: one of RFC 5321, or of RFC 6531 with letters beyond ASCII; no address literals. */
  def parse(text: String): Option[Email] =
    for {
      address <- Option(text).map(_.strip)
      at = address.lastIndexOf('@')
      if at > 0
      local = address.substring(0, at)
      if isLocal(local)
      domain <- asciiDomain(address.substring(at + 1))
    } yield Email(local, domain)

  private def isLocal(local: String): Boolean =
    local.length <= MostLocal && (isQuoted(local) || isDotted(local))

  private def isDotted(local: String): Boolean =
    !local.startsWith(".") && !local.endsWith(".") && !local.contains("..") &&
      local.forall(one => one > ' ' && one != 0x7f && !one.isWhitespace && Special.indexOf(one.toInt) < 0)

  private def isQuoted(local: String): Boolean =
    local.length > 2 && local.startsWith("\"") && local.endsWith("\"") && {
      // What is left after the escaped characters are taken out.
      val within = local.substring(1, local.length - 1).replaceAll("\\\\[ -~]", "")
      within.forall(one => one >= ' ' && one != 0x7f && one != '"' && one != '\\')
    }

  /** The domain as the DNS knows it (IDNA 2003). */
  private def asciiDomain(text: String): Option[String] =
    Some(text)
      .filter(domain => domain.nonEmpty && domain.length <= MostDomain)
      .flatMap(domain => Try(IDN.toASCII(domain)).toOption)
      .map(_.toLowerCase(Locale.ROOT))
      .filter(domain => domain.length <= MostDomain && domain.split("\\.", -1).forall(isLabel))

  private def isLabel(label: String): Boolean =
    label.nonEmpty && label.length <= MostLabel && !label.startsWith("-") && !label.endsWith("-") &&
      label.forall(one => (one >= 'a' && one <= 'z') || (one >= '0' && one <= '9') || one == '-' || one == '_')
}

@Function(
  name = "email_domain",
  description = "The domain of an e-mail address, in lower-case ASCII (other letters as xn--); null of what is no"
    + " address.",
  arguments = Array("email"),
  examples = Array(
    new Example(call = "email_domain('Ada@Example.COM')", result = "'example.com'"),
    new Example(call = "email_domain('ada@bücher.example')", result = "'xn--bcher-kva.example'"),
    new Example(call = "email_domain('nobody')", result = "NULL")))
class EmailDomain extends BeamSqlUdf {
  def eval(email: String): String = Email.parse(email).map(_.domain).orNull
}

@Function(
  name = "email_normalize",
  description = "An e-mail address in one form: trimmed, local part in Unicode NFC and case folded, domain in"
    + " lower-case ASCII; with TRUE as the second argument also without what follows a + in the local part. Null of"
    + " what is no address. Dots stay: most providers tell a.b from ab.",
  arguments = Array("email", "drop_tag"),
  examples = Array(
    new Example(call = "email_normalize(' Ada.L+news@Example.COM ')", result = "'ada.l+news@example.com'"),
    new Example(call = "email_normalize('Ada.L+news@example.com', TRUE)", result = "'ada.l@example.com'")))
class EmailNormalize extends BeamSqlUdf {
  def eval(email: String): String = eval(email, false)

  def eval(email: String, drop_tag: java.lang.Boolean): String =
    Option(drop_tag)
      .flatMap(dropped => Email.parse(email).map(written(_, dropped)))
      .orNull

  private def written(email: Email, dropTag: Boolean): String = {
    val folded = Normalizer.normalize(
      CaseFolding.fold(Normalizer.normalize(email.local, Normalizer.Form.NFC)),
      Normalizer.Form.NFC)
    val plus = folded.indexOf('+')
    val local = if (dropTag && plus > 0 && !folded.startsWith("\"")) folded.substring(0, plus) else folded
    s"$local@${email.domain}"
  }
}
