package blocks.udf

import org.apache.beam.sdk.extensions.sql.BeamSqlUdf

/** An IP address as a whole number of so many bits. */
private[udf] sealed abstract class Ip(val bits: Int) {
  def number: BigInt
  def text: String

  /** The address of its network. */
  protected def masked(prefix: Int): BigInt = (number >> (bits - prefix)) << (bits - prefix)

  def network(prefix: Int): Ip
  def within(network: Ip, prefix: Int): Boolean = network.bits == bits && masked(prefix) == network.number
}

private[udf] final case class V4(number: BigInt) extends Ip(32) {
  def network(prefix: Int): Ip = V4(masked(prefix))
  def text: String = Seq(24, 16, 8, 0).map(shift => (number >> shift) & 0xff).mkString(".")
}

private[udf] final case class V6(number: BigInt) extends Ip(128) {
  def network(prefix: Int): Ip = V6(masked(prefix))

  /** The IPv4 address that it stands for, if any. */
  def mapped: Option[V4] = Option.when((number >> 32) == 0xffff)(V4(number & 0xffffffffL))

  /** As RFC 5952 writes it: lower case, the longest run of zeros as `::`, IPv4 in dots. */
  def text: String = mapped match {
    case Some(inner) => s"::ffff:${inner.text}"
    case None =>
      val groups = (7 to 0 by -1).map(place => ((number >> (16 * place)) & 0xffff).toInt)
      val (start, length) = longestZeros(groups)
      val written = groups.map(_.toHexString)
      if (length < 2) written.mkString(":")
      else written.take(start).mkString(":") + "::" + written.drop(start + length).mkString(":")
  }

  private def longestZeros(groups: Seq[Int]): (Int, Int) =
    groups.indices.map(start => start -> groups.drop(start).takeWhile(_ == 0).length).maxBy(_._2)
}

private[udf] object Ip {
  private val MostText = 45

  /** The address in a text, never by asking a name server; none with leading zeros, a zone or a network's length. */
  def parse(text: String): Option[Ip] =
    Option(text).map(_.strip).filter(_.length <= MostText).flatMap { address =>
      if (address.contains(':')) v6(address) else v4(address).map(V4(_))
    }

  private def v4(text: String): Option[BigInt] = {
    val parts = text.split("\\.", -1)
    val right = parts.length == 4 && parts.forall { part =>
      part.nonEmpty && part.length <= 3 && part.forall(one => one >= '0' && one <= '9') && part.toInt <= 255 &&
      (part.length == 1 || part.head != '0')
    }
    Option.when(right)(parts.foldLeft(BigInt(0))((sum, part) => (sum << 8) + part.toInt))
  }

  private def v6(text: String): Option[V6] = dotted(text).flatMap { plain =>
    plain.split("::", -1) match {
      case Array(all) => groups(all).filter(_.length == 8).map(number)
      case Array(before, after) =>
        for {
          left <- groups(before)
          right <- groups(after)
          if left.length + right.length < 8
        } yield number(left ++ Seq.fill(8 - left.length - right.length)(0) ++ right)
      case _ => None
    }
  }

  /** The text with an IPv4 address at its end written as two groups. */
  private def dotted(text: String): Option[String] =
    if (!text.contains('.')) Some(text)
    else {
      val colon = text.lastIndexOf(':')
      v4(text.substring(colon + 1)).map { inner =>
        f"${text.substring(0, colon + 1)}${(inner >> 16).toInt}%x:${(inner & 0xffff).toInt}%x"
      }
    }

  private def groups(text: String): Option[Seq[Int]] =
    if (text.isEmpty) Some(Nil)
    else {
      val parts = text.split(":", -1).toSeq
      val right = parts.forall { part =>
        part.nonEmpty && part.length <= 4 && part.forall(one => one < 0x80 && Character.digit(one, 16) >= 0)
      }
      Option.when(right)(parts.map(Integer.parseInt(_, 16)))
    }

  private def number(groups: Seq[Int]): V6 = V6(groups.foldLeft(BigInt(0))((sum, group) => (sum << 16) + group))

  // IANA's special-purpose registries: blocks that are not globally reachable, and within them those that are.
  private val closed = networks(
    "0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
    "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4", "::/128", "::1/128",
    "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "fc00::/7", "fe80::/10")
  private val open = networks(
    "192.0.0.9/32", "192.0.0.10/32", "2001:1::1/128", "2001:1::2/128", "2001:3::/32", "2001:4:112::/48", "2001:20::/28",
    "2001:30::/28")

  private def networks(texts: String*): Seq[(Ip, Int)] =
    for (text <- texts; slash = text.indexOf('/'); ip <- parse(text.substring(0, slash)))
      yield ip -> text.substring(slash + 1).toInt

  def isPrivate(ip: Ip): Boolean = ip match {
    case six: V6 if six.mapped.nonEmpty => six.mapped.exists(isPrivate)
    case _ =>
      def in(list: Seq[(Ip, Int)]): Boolean = list.exists { case (network, prefix) => ip.within(network, prefix) }
      in(closed) && !in(open)
  }
}

@Function(
  name = "ip_network",
  description = "The network of an IP address, such as 192.0.2.0/24, of so many bits; with a third argument the"
    + " second is for IPv4 and the third for IPv6 (written as in RFC 5952). Null of what is no address, and of an"
    + " IPv4 address where more than 32 bits are asked for.",
  arguments = Array("ip", "prefix", "prefix6"),
  examples = Array(
    new Example(call = "ip_network('192.0.2.77', 24)", result = "'192.0.2.0/24'"),
    new Example(call = "ip_network('2001:DB8:0:0:8::1', 24, 48)", result = "'2001:db8::/48'"),
    new Example(call = "ip_network('192.0.2', 24)", result = "NULL")))
class IpNetwork extends BeamSqlUdf {
  def eval(ip: String, prefix: java.lang.Long): String = eval(ip, prefix, prefix)

  def eval(ip: String, prefix: java.lang.Long, prefix6: java.lang.Long): String =
    if (ip == null || prefix == null || prefix6 == null) null
    else if (Seq(prefix, prefix6).exists(bits => bits < 0 || bits > 128))
      throw new IllegalArgumentException("a network has from 0 to 32 bits in IPv4 and from 0 to 128 in IPv6")
    else
      Ip.parse(ip)
        .map(address => address -> (address match {
          case _: V4 => prefix.toInt
          case _: V6 => prefix6.toInt
        }))
        .collect { case (address, bits) if bits <= address.bits => s"${address.network(bits).text}/$bits" }
        .orNull
}

@Function(
  name = "ip_is_private",
  description = "Whether an IP address is not globally reachable by IANA's special-purpose registries: private,"
    + " loopback, link-local, documentation and reserved blocks; one of IPv4 within IPv6 counts as IPv4. Null of what"
    + " is no address.",
  arguments = Array("ip"),
  examples = Array(
    new Example(call = "ip_is_private('192.168.1.1')", result = "TRUE"),
    new Example(call = "ip_is_private('2606:4700::1111')", result = "FALSE")))
class IpIsPrivate extends BeamSqlUdf {
  def eval(ip: String): java.lang.Boolean = Ip.parse(ip).map(found => Boolean.box(Ip.isPrivate(found))).orNull
}
