package blocks.service;

import org.apache.beam.sdk.extensions.sql.impl.BeamCalciteTable;
import org.apache.beam.sdk.extensions.sql.impl.utils.CalciteUtils;
import org.apache.beam.sdk.extensions.sql.meta.BeamSqlTable;
import org.apache.beam.sdk.schemas.Schema;
import org.apache.beam.sdk.schemas.Schema.FieldType;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.plan.RelOptTable;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rel.RelNode;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rel.type.RelDataType;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.rel.type.RelDataTypeFactory;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.schema.Statistic;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.schema.TranslatableTable;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.schema.impl.AbstractTable;

/** A table of Beam whose type tells Calcite that elements of lists and values of maps may be null: Beam forgets it. */
final class NullableTable extends AbstractTable implements TranslatableTable {
  private final BeamSqlTable table;
  private final BeamCalciteTable calcite;

  NullableTable(BeamSqlTable table, BeamCalciteTable calcite) {
    this.table = table;
    this.calcite = calcite;
  }

  @Override
  public Statistic getStatistic() {
    return calcite.getStatistic();
  }

  @Override
  public RelDataType getRowType(RelDataTypeFactory factory) {
    return row(factory, table.getSchema());
  }

  @Override
  public RelNode toRel(RelOptTable.ToRelContext context, RelOptTable known) {
    return calcite.toRel(context, known);
  }

  private static RelDataType row(RelDataTypeFactory factory, Schema schema) {
    RelDataTypeFactory.Builder builder = factory.builder();
    for (Schema.Field field : schema.getFields()) {
      builder.add(field.getName(), type(factory, field.getType()));
    }
    return builder.build();
  }

  private static RelDataType type(RelDataTypeFactory factory, FieldType type) {
    return factory.createTypeWithNullability(bare(factory, type), Boolean.TRUE.equals(type.getNullable()));
  }

  private static RelDataType bare(RelDataTypeFactory factory, FieldType type) {
    switch (type.getTypeName()) {
      case ARRAY:
      case ITERABLE:
        return factory.createArrayType(type(factory, type.getCollectionElementType()), -1);
      case MAP:
        return factory.createMapType(type(factory, type.getMapKeyType()), type(factory, type.getMapValueType()));
      case ROW:
        return row(factory, type.getRowSchema());
      default:
        return CalciteUtils.toRelDataType(factory, type);
    }
  }
}
