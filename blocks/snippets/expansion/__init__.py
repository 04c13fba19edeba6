"""The expansion service: every block of the catalog, by name, for pipelines in Java, Scala, Go and Python.

A pipeline in another language asks what there is (`DiscoverSchemaTransform`) and has a block put into its own pipeline
(`Expand`). Between languages PCollections are rows: batches are made before a block and taken apart after it, under
the policy's destination `rows`. Guide: docs/other-languages.md.

    names.py     URNs of blocks
    configs.py   the config row: what discovery says of it, and the block's options made of one
    columns.py   the Arrow schema, with labels, of rows from another language
    served.py    a block between rows and rows
    service.py   the gRPC service, with the worker that runs what it expanded
"""
