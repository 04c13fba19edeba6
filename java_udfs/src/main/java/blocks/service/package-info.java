/**
 * The SQL service: one process that plans Beam SQL, expands it into Beam's steps and runs these on Arrow batches.
 *
 * <p><b>Who asks whom.</b> Python starts {@link blocks.service.Main} and asks it by {@code SqlApi} (JSON: Hello, Plan,
 * Stop), by Beam's expansion protocol ({@code Expansion}, transform {@code blocks:sql:run:v1}, see {@code RunSql}), and
 * runners on the same machine ask it for workers ({@code WorkerPool}). Every call carries the token.
 *
 * <p><b>The way of a row.</b> {@code BatchReader} loads an Arrow message; {@code CalcProgram} evaluates a projection
 * and filter on it, column by column of what the query names ({@code GuardedCalc} stands in for Beam's own step);
 * {@code BatchBuffers} writes Arrow messages again. Only steps that meet other rows (groups, joins, sorts) are Beam's
 * own and see Beam rows.
 *
 * <p><b>The contract of a function</b> is that of {@code blocks.udf}. In addition a user's scalar function may take and
 * give {@code java.time.LocalDate}, {@code LocalTime} and {@code Instant} (of java.time or Joda), and primitives: a
 * null for a primitive gives null without a call. A class whose {@code eval} is no static method is made once in a
 * process. Calls go through {@code FunctionCalls} and {@code GuardedAggregate}, which name the function in a failure,
 * hide what its exception says, and end the process when one call takes longer than its deadline. Functions of one
 * name from two places are refused.
 *
 * <p><b>No value in any log.</b> {@code Logs} writes constant texts, classes and frames; {@code WorkerCalls} rewrites
 * what a worker says of a failure before it leaves.
 */
package blocks.service;
