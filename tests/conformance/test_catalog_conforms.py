"""Every block of the catalog keeps what every block promises."""

from blocks.testing import Conformance


class TestCatalog(Conformance):
    catalog = "catalog.yaml"
