package blocks.udf

import java.nio.ByteBuffer
import java.nio.charset.{CharacterCodingException, CodingErrorAction, StandardCharsets}
import java.util.Locale

/** A URL in its parts, as RFC 3986 cuts it, with the parts as they are written. */
private[udf] final case class Url(
    protocol: String,
    host: Option[String],
    port: Option[Int],
    path: String,
    query: Option[String],
    fragment: Option[String])

private[udf] object Url {
  private val MostPort = 65535

  /**
   * The parts of an absolute URL; none of a text with white space or control characters, or with a port that is none.
   */
  def parse(text: String): Option[Url] =
    Option(text)
      .map(_.strip)
      .filterNot(_.exists(character => character <= ' ' || character == 0x7f || character.isWhitespace))
      .flatMap(cut)

  private def cut(text: String): Option[Url] = {
    val colon = text.indexOf(':')
    if (colon <= 0 || !isProtocol(text.substring(0, colon))) None
    else {
      val (rest, fragment) = split(text.substring(colon + 1), '#')
      val (hierarchy, query) = split(rest, '?')
      val protocol = text.substring(0, colon).toLowerCase(Locale.ROOT)
      if (!hierarchy.startsWith("//")) Some(Url(protocol, None, None, hierarchy, query, fragment))
      else {
        val slash = hierarchy.indexOf('/', 2)
        val end = if (slash < 0) hierarchy.length else slash
        for ((host, port) <- authority(hierarchy.substring(2, end)))
          yield Url(protocol, Option(host).filter(_.nonEmpty), port, hierarchy.substring(end), query, fragment)
      }
    }
  }

  private def isProtocol(text: String): Boolean =
    isLetter(text.head) && text.forall(one => isLetter(one) || isDigit(one) || "+-.".indexOf(one.toInt) >= 0)

  /** Host and port, without who logs in. */
  private def authority(text: String): Option[(String, Option[Int])] = {
    val place = text.substring(text.lastIndexOf('@') + 1)
    val hostEnd =
      if (place.startsWith("[")) place.indexOf(']') + 1
      else Some(place.indexOf(':')).filter(_ >= 0).getOrElse(place.length)
    val host = place.substring(0, hostEnd)
    val wrong = (place.startsWith("[") && hostEnd == 0) || (!place.startsWith("[") && host.exists("[]".indexOf(_) >= 0))
    if (wrong) None
    else
      place.substring(hostEnd) match {
        case "" | ":" => Some(host.toLowerCase(Locale.ROOT) -> None)
        case after if after.head == ':' => port(after.tail).map(found => host.toLowerCase(Locale.ROOT) -> Some(found))
        case _ => None
      }
  }

  private def port(text: String): Option[Int] =
    Some(text).filter(one => one.length <= 5 && one.forall(isDigit)).map(_.toInt).filter(_ <= MostPort)

  /**
   * The value of the first parameter of a name, as a form writes it: `+` is a space, the rest percent-encoded UTF-8.
   */
  def parameter(query: String, name: String): Option[String] =
    query
      .split('&')
      .iterator
      .map(split(_, '='))
      .collectFirst { case (key, value) if formDecoded(key).contains(name) => value.getOrElse("") }
      .flatMap(formDecoded)

  private def formDecoded(text: String): Option[String] = decode(text.replace('+', ' '))

  /** Percent-encoded UTF-8 as text; none where it is not well formed. */
  def decode(text: String): Option[String] =
    if (text.indexOf('%') < 0) Some(text)
    else {
      val source = text.getBytes(StandardCharsets.UTF_8)
      val bytes = ByteBuffer.allocate(source.length)
      var at = 0
      var whole = true
      while (whole && at < source.length) {
        if (source(at) != '%') {
          bytes.put(source(at))
          at += 1
        } else {
          val byte = if (at + 2 < source.length) hex(source(at + 1)) * 16 + hex(source(at + 2)) else -1
          whole = byte >= 0
          bytes.put(byte.toByte)
          at += 3
        }
      }
      if (whole) strict(bytes.flip()) else None
    }

  private def strict(bytes: ByteBuffer): Option[String] =
    try
      Some(
        StandardCharsets.UTF_8.newDecoder
          .onMalformedInput(CodingErrorAction.REPORT)
          .onUnmappableCharacter(CodingErrorAction.REPORT)
          .decode(bytes)
          .toString)
    catch { case _: CharacterCodingException => None }

  /** The value of a hexadecimal digit, far below zero of anything else. */
  private def hex(byte: Byte): Int = {
    val digit = Character.digit(byte.toInt, 16)
    if (digit < 0) -1000 else digit
  }

  /** A text in UTF-8, percent-encoded except RFC 3986's unreserved characters. */
  def encode(text: String): String = {
    val encoded = new StringBuilder(text.length + 16)
    for (byte <- text.getBytes(StandardCharsets.UTF_8)) {
      val character = (byte & 0xff).toChar
      if (isLetter(character) || isDigit(character) || "-._~".indexOf(character.toInt) >= 0) encoded += character
      else encoded += '%' += hexDigit(byte >> 4) += hexDigit(byte.toInt)
    }
    encoded.toString
  }

  private def hexDigit(bits: Int): Char = "0123456789ABCDEF".charAt(bits & 0xf)

  private def split(text: String, at: Char): (String, Option[String]) =
    text.indexOf(at.toInt) match {
      case -1 => text -> None
      case place => text.substring(0, place) -> Some(text.substring(place + 1))
    }

  private def isLetter(character: Char): Boolean =
    (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z')

  private def isDigit(character: Char): Boolean = character >= '0' && character <= '9'
}
