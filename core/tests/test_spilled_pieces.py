import pytest
from labelglot.engine import output
from labelglot.formats.base import Format, Piece
from labelglot.holds import Holds
from labelglot.projection.facts import reduce_attributes
from labelglot.schema import Dataset, Sample
from labelglot.testing.travel import store


class Lines(Format):
    id, name, separator = "lines", "Lines", b","
    holds = Holds()

    def encode(self, sample, context, ordinal):
        yield Piece("odd" if ordinal % 2 else "even", sample.path.encode() * (ordinal % 3))
        yield Piece("all", sample.path.encode())

    def assemble(self, context, pieces):
        from labelglot.formats.base import File

        return [File(slot, pieces.stream(slot)) for slot in pieces.slots()]


@pytest.mark.parametrize("held", [0, 30, 1 << 20])
@pytest.mark.parametrize("size", [1, 4, 500])
def test_output_does_not_depend_on_when_pieces_go_to_a_file(monkeypatch, held, size):
    dataset = Dataset([Sample(path=f"{i:03d}", annotations=()) for i in range(40)])
    expected = store(dataset, Lines())[0]
    monkeypatch.setattr(output, "HELD", held)
    monkeypatch.setattr(output, "SPOOL_FROM", min(held, 1 << 18))
    assert store(dataset, Lines(), chunk=size)[0] == expected
    assert expected["all"] == b",".join(s.path.encode() for s in dataset)


def test_yes_and_no_become_numbers_where_there_are_only_numbers():
    heard = []
    kept = reduce_attributes({"a": True, "b": 3}, frozenset({"int"}), {}, {}, 0, lambda *loss: heard.append(loss))
    assert (kept, type(kept["a"])) == ({"a": 1, "b": 3}, int)
    assert [loss[3] for loss in heard] == ["kept as 0 or 1"]
