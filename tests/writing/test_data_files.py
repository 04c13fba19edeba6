import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from blocks.writing.data_files import DataFiles, Limits


class Folder:
    """Counts what is open at once."""

    def __init__(self, path):
        self.path, self.opened, self.number = path, [], 0

    def create(self, path):
        sink = open(path, "wb")  # noqa: SIM115
        self.opened.append(sink)
        return sink

    def open(self, path):
        return open(path, "rb")

    def delete(self, path):
        (self.path / path).unlink()

    def new(self):
        self.number += 1
        return str(self.path / f"{self.number}.parquet")

    @property
    def open_now(self):
        return sum(not sink.closed for sink in self.opened)


SCHEMA = pa.schema([("n", pa.int64())])


def batch(start, rows=100):
    return pa.RecordBatch.from_pydict({"n": pa.array(range(start, start + rows))})


def test_waiting_rows_and_open_files_stay_within_their_bounds_and_no_row_is_lost(tmp_path):
    folder = Folder(tmp_path)
    limits = Limits(group_bytes=2_000, waiting_bytes=4_000, open_files=3)
    files = DataFiles(SCHEMA, folder, limits)
    closed = []
    for number in range(50):
        closed += files.write(number % 10, batch(number * 100), folder.new)
        assert files._waiting <= limits.waiting_bytes
        assert folder.open_now <= limits.open_files
    closed += files.finish()
    assert folder.open_now == 0
    found = {}
    for key, file in closed:
        rows = pq.read_table(file.path).column("n").to_pylist()
        assert file.rows == len(rows)
        assert file.size == (tmp_path / file.path).stat().st_size
        found.setdefault(key, []).extend(rows)
    assert found == {
        key: [n for number in range(key, 50, 10) for n in range(number * 100, number * 100 + 100)] for key in range(10)
    }


def test_a_file_is_closed_at_its_size(tmp_path):
    folder = Folder(tmp_path)
    files = DataFiles(SCHEMA, folder, Limits(file_bytes=1, group_bytes=1))
    assert [file.rows for _, file in files.write("k", batch(0), folder.new)] == [100]
    assert list(files.finish()) == []


def test_giving_up_removes_what_was_written(tmp_path):
    folder = Folder(tmp_path)
    files = DataFiles(SCHEMA, folder, Limits(group_bytes=1))
    list(files.write("k", batch(0), folder.new))
    assert len(list(tmp_path.iterdir())) == 1
    files.abort()
    assert list(tmp_path.iterdir()) == []
    assert folder.open_now == 0


def test_days_of_all_batches_of_a_file_are_told(tmp_path):
    folder = Folder(tmp_path)
    files = DataFiles(SCHEMA, folder, Limits())
    list(files.write("k", batch(0), folder.new, frozenset({1, None})))
    list(files.write("k", batch(0), folder.new, frozenset({2})))
    ((_, file),) = files.finish()
    assert file.days == {1, 2, None}


def test_an_error_of_the_disk_is_raised(tmp_path):
    folder = Folder(tmp_path)
    files = DataFiles(SCHEMA, folder, Limits(group_bytes=1))
    with pytest.raises(OSError, match="No such file"):
        list(files.write("k", batch(0), lambda: str(tmp_path / "no" / "folder")))
    files.abort()
