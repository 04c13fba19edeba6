package blocks.udf

import java.net.{Inet6Address, InetAddress}

import org.junit.jupiter.api.Assertions.{assertEquals, assertTrue}
import org.junit.jupiter.api.Test

/** Against Java's own reader of addresses, which asks no name server where a text has a colon. */
final class IpTest {
  private val random = new scala.util.Random(3)

  private def sparse(): Array[Byte] = Array.fill(16)(if (random.nextInt(3) > 0) 0 else random.nextInt().toByte)

  @Test def everyAddressIsReadBackFromItsText(): Unit =
    for (_ <- 0 until 2000) {
      val six = V6(BigInt(1, sparse()))
      assertEquals(Some(six), Ip.parse(six.text))
      val four = V4(BigInt(random.nextInt() & 0xffffffffL))
      assertEquals(Some(four), Ip.parse(four.text))
    }

  @Test def javaReadsTheSameAddressFromTheText(): Unit =
    for (_ <- 0 until 2000) {
      val bytes = sparse()
      val text = V6(BigInt(1, bytes)).text
      val java = InetAddress.getByName(text) match {
        case six: Inet6Address => six.getAddress
        case four => Array.fill[Byte](10)(0) ++ Array.fill[Byte](2)(-1) ++ four.getAddress
      }
      assertEquals(bytes.toSeq, java.toSeq, text)
    }

  @Test def aNetworkHoldsItsAddressAndIsItsOwnNetwork(): Unit =
    for (_ <- 0 until 500; bits = random.nextInt(129)) {
      val ip = V6(BigInt(1, sparse()))
      val network = ip.network(bits)
      assertTrue(ip.within(network, bits))
      assertEquals(network, network.network(bits))
    }
}
