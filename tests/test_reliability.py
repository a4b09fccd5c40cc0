"""The table of docs/reliability.md says what a run of pytest says."""

from xml.etree import ElementTree

from reliability import BEGIN, END, PAGE, cases, put_in, rows, table

RUN = """<testsuites><testsuite>
<testcase classname="tests.test_fuzz" name="test_more[a]"><properties><property name="fuzz: data" value="1"/><property name="fuzz: LabelglotError" value="2"/></properties></testcase>
<testcase classname="tests.test_fuzz" name="test_more[b]"><properties><property name="fuzz: anything else" value="1"/></properties><failure message="x"/></testcase>
<testcase classname="tests.test_faults" name="test_a"><properties><property name="faults: a full disk" value="2"/></properties></testcase>
<testcase classname="tests.test_faults" name="test_b"><properties><property name="kills: nothing" value="40"/><property name="kills: the old output" value="60"/></properties></testcase>
<testcase classname="tests.consumers.test_light" name="test_a"><properties><property name="judge" value="lvis 0.5"/></properties></testcase>
<testcase classname="tests.consumers.test_light" name="test_b"><skipped type="pytest.skip" message="vcd is not installed: run it"/></testcase>
<testcase classname="tests.consumers.test_oracles" name="test_c[x]"><properties><property name="judge" value="datumaro 1"/></properties></testcase>
<testcase classname="tests.consumers.test_oracles" name="test_c[y]"><properties><property name="judge" value="datumaro 1"/></properties><skipped type="pytest.xfail" message="we"/></testcase>
</testsuite></testsuites>"""


def test_a_run_becomes_a_table():
    found = dict(rows(list(cases(ElementTree.ElementTree(ElementTree.fromstring(RUN))))))
    assert found["damaged inputs"] == "2 formats, 4 inputs: data 1, data and problems 0, LabelglotError 2, anything else 1"
    assert found["faults injected"] == "a full disk: 2; 2 passed"
    assert found["kills survived"].startswith("100 with SIGKILL") and found["kills survived"].endswith("the old output: 60, nothing: 40")
    assert found["consumers that loaded our output, light"] == "1 libraries, 1 tests passed, 0 failed: lvis 0.5: 1"
    assert found["other converters"] == "datumaro 1: 2 comparisons, 1 agree, 1 differ as explained, 0 otherwise"
    assert (found["skipped"], found["failed"]) == ("vcd is not installed: 1", "test_fuzz: test_more[b]")


def test_it_stands_between_the_markers():
    page = PAGE.read_text(encoding="utf-8")
    assert page.count(BEGIN) == page.count(END) == 1
    made = put_in(page, table([("a", "b | c")]))
    assert put_in(made, page.partition(BEGIN)[2].partition(END)[0].strip("\n")) == page
    shown = {line.split(" | ")[0].removeprefix("| ") for line in page.partition(BEGIN)[2].partition(END)[0].splitlines()}
    assert {name for name, _ in rows([])} <= shown, "run: python tests/reliability.py"
