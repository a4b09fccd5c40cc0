"""Cutting long XML documents into their records."""

import io

import pytest
from labelglot.errors import LabelglotError, SourceError
from labelglot.wire import xml

DOCUMENT = (
    '<?xml version="1.0" encoding="{encoding}"?>\n<annotations>'
    + "<!-- <image id='9'/> -->\n" * 60
    + """<version>1.1</version>
  <image id="0" name="ä>b">
    <box/><![CDATA[</image> & <]]>
  </image><images/>
  <image id="1"/>
  <image id="2">
  <image id="3"></image >
  <image id="4"><box"""
)


def cut(data):
    return list(xml.cut(io.BytesIO(data), ["image"], "x.xml"))


@pytest.mark.parametrize("block", [1, 3, 50, 1 << 20])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_whole_elements_whatever_the_encoding_and_the_size_of_blocks(monkeypatch, block, encoding):
    monkeypatch.setattr(xml, "BLOCK", block)
    data = DOCUMENT.format(encoding=encoding).encode(encoding)
    images = [(c.line, c.data.decode()) for c in cut(data) if c.tag == "image"]
    assert images == [
        (63, '<image id="0" name="ä>b">\n    <box/>&lt;/image&gt; &amp; &lt;\n  </image>'),
        (66, '<image id="1"/>'),
        (67, '<image id="2">\n  '),
        (68, '<image id="3"></image >'),
        (69, '<image id="4"><box'),
    ]


def test_the_stretches_are_the_document():
    data = DOCUMENT.format(encoding="utf-8").encode()
    assert b"".join(c.data for c in cut(data)).startswith(b"\n<annotations>\n")
    assert b"".join(c.data for c in cut(data)).endswith(b'<image id="4"><box')


def test_a_damaged_element_says_its_line_in_the_document():
    broken = [c for c in cut(DOCUMENT.format(encoding="utf-8").encode()) if c.tag][2]
    with pytest.raises(SourceError) as caught:
        xml.parse(broken.data, "x.xml", first=broken.line)
    assert caught.value.place == "x.xml:68"


@pytest.mark.parametrize("encoding", ["no-such", "hex"])
def test_an_unknown_encoding_is_said(encoding):
    with pytest.raises(LabelglotError, match=encoding):
        cut(f'<?xml version="1.0" encoding="{encoding}"?><a/>'.encode())


def test_a_document_without_such_elements_is_one_stretch():
    assert [c.tag for c in cut(b"<a><b/></a>")] == [None]
    assert cut(b"") == []


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b'<image id="0" name=\'a"b.jpg\'>\n<box name="x"/></image>', {"id": "0", "name": 'a"b.jpg'}),
        (b'<image name="a&amp;b/"/>', {"name": "a&b/"}),
        ('<image\n name="ä>"\n></image>'.encode(), {"name": "ä>"}),
        (b"<image>", {}),
        (b'<image id="0" name="', {}),
        (b'<image name="&nope;"/>', {}),
    ],
)
def test_attributes_of_an_element_that_is_not_parsed(data, found):
    assert xml.start_tag(data) == found
