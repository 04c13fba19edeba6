package blocks.service;

import java.util.List;
import org.apache.beam.sdk.coders.ByteArrayCoder;
import org.apache.beam.sdk.extensions.sql.impl.rel.BeamCalcRel;
import org.apache.beam.sdk.extensions.sql.impl.rel.BeamIOSourceRel;
import org.apache.beam.sdk.extensions.sql.impl.rel.BeamRelNode;
import org.apache.beam.sdk.extensions.sql.impl.rel.BeamSqlRelUtils;
import org.apache.beam.sdk.extensions.sql.impl.utils.CalciteUtils;
import org.apache.beam.sdk.schemas.Schema;
import org.apache.beam.sdk.transforms.PTransform;
import org.apache.beam.sdk.transforms.ParDo;
import org.apache.beam.sdk.values.PCollection;
import org.apache.beam.sdk.values.PCollection.IsBounded;
import org.apache.beam.sdk.values.PCollectionList;
import org.apache.beam.sdk.values.PCollectionTuple;
import org.apache.beam.sdk.values.POutput;
import org.apache.beam.sdk.values.Row;
import org.apache.beam.sdk.values.TupleTag;
import org.apache.beam.sdk.values.TupleTagList;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.plan.RelTraitSet;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rel.RelNode;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rel.core.Calc;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rex.RexProgram;

/**
 * A projection and filter of a plan, in place of Beam's own.
 *
 * <p>Over a table of Arrow batches it reads only the columns that it needs, and where it is the last step of a query it
 * writes batches: a query that goes row by row never makes a Beam row. Beam's own step fails where the row in error
 * has a timestamp, a date or a struct; this one hands on every such row.
 */
final class GuardedCalc extends BeamCalcRel {
  static final TupleTag<Row> ROWS = new TupleTag<>("rows");
  static final TupleTag<byte[]> BATCHES = new TupleTag<>("batches");
  static final TupleTag<byte[]> ERRORS = new TupleTag<>("errors");

  private final FailedRows failed;

  GuardedCalc(BeamCalcRel calc, FailedRows failed) {
    super(calc.getCluster(), calc.getTraitSet(), calc.getInput(), calc.getProgram());
    this.failed = failed;
  }

  /** A plan with each of Beam's steps of this kind replaced, in place. */
  static BeamRelNode in(BeamRelNode plan, FailedRows failed) {
    List<RelNode> inputs = plan.getInputs();
    for (int place = 0; place < inputs.size(); place++) {
      plan.replaceInput(place, in((BeamRelNode) BeamSqlRelUtils.getInput(inputs.get(place)), failed));
    }
    return plan.getClass() == BeamCalcRel.class ? new GuardedCalc((BeamCalcRel) plan, failed) : plan;
  }

  @Override
  public Calc copy(RelTraitSet traits, RelNode input, RexProgram program) {
    return new GuardedCalc(new BeamCalcRel(getCluster(), traits, input, program), failed);
  }

  /** The table of batches that it reads, null if it reads another step. */
  private BatchTable table() {
    RelNode from = BeamSqlRelUtils.getInput(getInput());
    return from instanceof BeamIOSourceRel source && source.getBeamSqlTable() instanceof BatchTable batches
        ? batches
        : null;
  }

  @Override
  public IsBounded isBounded() {
    return table() == null ? super.isBounded() : table().isBounded();
  }

  @Override
  public List<RelNode> getPCollectionInputs() {
    // Of a table of batches no rows are made.
    return table() == null ? super.getPCollectionInputs() : List.of();
  }

  @Override
  public PTransform<PCollectionList<Row>, PCollection<Row>> buildPTransform() {
    return new PTransform<>() {
      @Override
      public PCollection<Row> expand(PCollectionList<Row> inputs) {
        return steps(inputs);
      }
    };
  }

  @Override
  public PTransform<PCollectionList<Row>, PCollection<Row>> buildPTransform(
      PTransform<PCollection<Row>, ? extends POutput> errors) {
    return buildPTransform();
  }

  private PCollection<Row> steps(PCollectionList<Row> inputs) {
    BatchTable table = table();
    PCollectionTuple made;
    if (table == null) {
      PCollection<Row> rows = inputs.get(0);
      CalcFns.Guarded guarded = guarded(rows.getSchema(), FailedRow.of(rows.getSchema()));
      made = rows.apply(ParDo.of(new CalcFns.OverRows(guarded)).withOutputTags(ROWS, TupleTagList.of(ERRORS)));
    } else {
      CalcFns.OverBatches step = new CalcFns.OverBatches(guarded(table), table.reader());
      made = table.batches().apply(ParDo.of(step).withOutputTags(ROWS, TupleTagList.of(ERRORS)));
    }
    take(made);
    return made.get(ROWS).setRowSchema(output());
  }

  /** The steps from batches to batches, null if it does not read a table of batches. */
  PCollection<byte[]> batches(BatchBuffers buffers) {
    BatchTable table = table();
    if (table == null) {
      return null;
    }
    CalcFns.ToBatches step = new CalcFns.ToBatches(guarded(table), table.reader(), buffers);
    PCollectionTuple made =
        table.batches().apply("Calc", ParDo.of(step).withOutputTags(BATCHES, TupleTagList.of(ERRORS)));
    take(made);
    return made.get(BATCHES).setCoder(ByteArrayCoder.of());
  }

  private Schema output() {
    return CalciteUtils.toSchema(getRowType());
  }

  private CalcFns.Guarded guarded(BatchTable table) {
    return guarded(table.getSchema(), FailedRow.of(table));
  }

  private CalcFns.Guarded guarded(Schema input, FailedRow row) {
    return new CalcFns.Guarded(CalcProgram.of(this, input, output()), failed == null ? null : row);
  }

  private void take(PCollectionTuple made) {
    PCollection<byte[]> errors = made.get(ERRORS).setCoder(ByteArrayCoder.of());
    if (failed != null) {
      failed.add(errors);
    }
  }
}
