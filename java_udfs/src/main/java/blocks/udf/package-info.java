/**
 * SQL functions of the library, and how to write one.
 *
 * <p><b>A scalar function</b> is a public class that implements Beam's {@code BeamSqlUdf} and has one or more public
 * methods {@code eval}, static (Java) or of the instance (Scala, with a public constructor of no arguments); each
 * method is an overload of the function, and an optional last argument is an overload without it. Arguments and results
 * are boxed ({@code Integer}, not {@code int}: NULL is null) and of these types: Boolean, Byte, Short, Integer, Long,
 * Float, Double, BigDecimal, String, byte[], LocalDate, LocalTime, Instant (of java.time or Joda), and List and Map of
 * these. No checked exceptions, no state, safe for threads. Prefer Long to Integer and Double to Float: the service
 * converts any number to what the method takes, and a wide one holds it.
 *
 * <p><b>An aggregate</b> is a public class with a public constructor of no arguments that extends {@link
 * blocks.udf.Aggregate}: it says the types of its arguments and of its result as Beam's FieldTypes, so it can have
 * several arguments and overloads. A plain {@code Combine.CombineFn} whose type arguments are concrete classes is an
 * aggregate of one argument.
 *
 * <p>Both carry {@link blocks.udf.Function}. {@link blocks.udf.Indexer} finds them, holds the annotation against the
 * byte code, and writes the index that catalog, docs and SQL checks read.
 *
 * <p><b>What every function keeps.</b> It is deterministic, works by Unicode code point, and is bounded in memory. What
 * cannot be read as what it should be (an address, a URL, a JSON text) gives null; what the writer of the query got
 * wrong (a negative count, an unknown key) is an IllegalArgumentException. No message of an exception ever holds a
 * value, because a value may be personal and messages go to logs. Aggregates do not depend on the order of rows or of
 * merges: see {@link blocks.udf.State}.
 *
 * <p><b>How they are called.</b> The service makes every public {@code eval} of a scalar class an overload. Of an
 * aggregate it registers each of {@link blocks.udf.Aggregate#overloads()}, once for every number of arguments from the
 * required ones up. Numbers may come as another type than declared (an Integer for a BIGINT): aggregates convert. Beam
 * does not pass FILTER on to an aggregate, refuses DISTINCT, and in an OVER clause gives it the first argument only.
 *
 * <p><b>Versions.</b> Within a version a function keeps its results. What they stand on besides this code: tables of
 * ISO codes and of case folding (files here), the numbering plans of libphonenumber (a new version of it can know new
 * numbers), and Unicode's normal forms and categories (a new version of Java can know new code points).
 */
package blocks.udf;
