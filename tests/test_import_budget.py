"""What imports cost, counted in modules: a count does not depend on how busy the machine is."""

import json
import subprocess
import sys

HEAVY = ("apache_beam", "tensorflow", "pyarrow", "numpy", "pandas", "pydantic", "duckdb", "pyiceberg", "jpype", "grpc")


def modules_after(code: str) -> set[str]:
    """Names of the modules that a fresh interpreter has loaded after some code."""
    script = f"import sys\n{code}\nimport json\nprint(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(run.stdout.splitlines()[-1]))


def top(modules: set[str]) -> set[str]:
    return {name.split(".")[0] for name in modules}


def test_importing_blocks_loads_nothing_heavy():
    assert not top(modules_after("import blocks")) & set(HEAVY)


def test_listing_the_names_loads_nothing_heavy():
    loaded = top(modules_after("import blocks; dir(blocks); blocks.__version__"))
    assert not loaded & set(HEAVY)


def test_an_error_class_does_not_load_beam():
    assert "apache_beam" not in top(modules_after("import blocks; blocks.PrivacyError"))


def test_the_help_of_the_command_loads_nothing_heavy():
    code = "from typer.testing import CliRunner\nfrom blocks.cli import app\n"
    code += "assert CliRunner().invoke(app, ['--help']).exit_code == 0"
    assert not top(modules_after(code)) & set(HEAVY)


def test_listing_the_catalog_does_not_load_beam():
    code = "from typer.testing import CliRunner\nfrom blocks.cli import app\n"
    code += "assert CliRunner().invoke(app, ['catalog']).exit_code == 0"
    loaded = top(modules_after(code))
    assert "tensorflow" not in loaded


def test_a_block_loads_at_most_a_tenth_more_than_beam_itself():
    beam = modules_after("import apache_beam")
    block = modules_after("import blocks; blocks.MaskColumns; blocks.ReadJson")
    # What a block needs beyond Beam: parsers, pydantic for policies, cryptography; no TensorFlow, no warehouse.
    more = {name.split(".")[0] for name in block - beam}
    assert not more & {"tensorflow", "pyiceberg", "sqlalchemy", "jpype", "rich", "typer"}
    assert len(block) <= 1.1 * len(beam), f"{len(block)} modules against {len(beam)}: {sorted(more)}"
