import pytest
from labelglot.errors import OptionError
from labelglot.formats.base import Options, ReadContext
from labelglot.memory import available_memory, parse_size
from labelglot.report import Report
from labelglot.storage import MemorySource


@pytest.mark.parametrize(
    ("text", "size"), [("4096", 4096), ("1k", 1024), ("800M", 800 << 20), ("1.5 GiB", 3 << 29), ("2GB", 2 << 30), ("0", 0)]
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1", "1 X", "1G2"])
def test_no_sizes(text):
    with pytest.raises(OptionError):
        parse_size(text)


def test_what_fits():
    def context(memory):
        return ReadContext(MemorySource({}), Options(), Report(), memory=memory)

    assert context(None).fits(1 << 20)
    assert not context(None).fits(1 << 60) or available_memory() is None
    assert context(1 << 30).fits(1 << 20)
    assert not context(1 << 20).fits(1 << 20)
