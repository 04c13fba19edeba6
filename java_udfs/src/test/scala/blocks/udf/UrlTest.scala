package blocks.udf

import java.net.{URI, URISyntaxException}
import java.util.Locale

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test

/** Against Java's own reader, where it takes the URL, and as the reverse of itself. */
final class UrlTest {
  private val random = new scala.util.Random(5)

  private def pick(texts: String*): String = texts(random.nextInt(texts.length))

  @Test def thePartsAreThoseOfJavasReader(): Unit = {
    var read = 0
    for (_ <- 0 until 3000) {
      val text = pick("http", "HTTPS", "ftp", "s3a+x") + "://" + pick("", "user@", "u:p@") +
        pick("example.com", "Example.COM", "192.0.2.1", "[::1]") + pick("", ":80", ":8080") +
        pick("", "/", "/a/b", "/a%20b", "/a:b@c") + pick("", "?", "?a=b", "?a=b&c=d?e=/f") +
        pick("", "#", "#x", "#x?y/z")
      try {
        val uri = new URI(text)
        read += 1
        val expected = Url(
          uri.getScheme.toLowerCase(Locale.ROOT),
          Option(uri.getHost).map(_.toLowerCase(Locale.ROOT)),
          Some(uri.getPort).filter(_ >= 0),
          uri.getRawPath,
          Option(uri.getRawQuery),
          Option(uri.getRawFragment))
        assertEquals(Some(expected), Url.parse(text), text)
      } catch { case _: URISyntaxException => () }
    }
    assertEquals(3000, read)
  }

  @Test def decodingUndoesEncoding(): Unit =
    for (_ <- 0 until 2000) {
      val text = new String(random.nextString(random.nextInt(20)).filterNot(_.isSurrogate).toArray) + "\ud83d\ude00%+ "
      assertEquals(Some(text), Url.decode(Url.encode(text)))
    }
}
