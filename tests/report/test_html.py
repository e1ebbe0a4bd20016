from xml.etree import ElementTree

from kerasnas.report.html.elements import Markup, badge, join, table, tag


def test_text_is_escaped_and_markup_is_not():
    assert tag("p", "a < b & c", tag("b", "<")) == "<p>a &lt; b &amp; c<b>&lt;</b></p>"


def test_attributes_are_escaped_and_named_as_html_names_them():
    assert tag("a", "x", class_="k", aria_label='"<', title=None) == (
        '<a class="k" aria-label="&quot;&lt;">x</a>'
    )


def test_characters_that_xml_forbids_are_replaced():
    text = tag("p", "a\x00b\x1b[31m\ud800")
    assert text == "<p>a\ufffdb\ufffd[31m\ufffd</p>"
    ElementTree.fromstring(text)


def test_nothing_is_left_out():
    assert join(["a", None, Markup("<br/>")]) == "a<br/>"


def test_table_rows_of_one_cell_head_the_rows_below_them():
    text = table("t", ["a", "b"], [["group"], ["x", "1"]], marked=[1])
    rows = ElementTree.fromstring(text).findall("table/tbody/tr")
    assert rows[0].find("th").attrib["colspan"] == "2"
    assert rows[1].attrib["class"] == "marked"
    assert [cell.text for cell in rows[1]] == ["x", "1"]


def test_long_text_may_wrap_and_short_text_may_not():
    text = table("t", ["a", "b"], [["x", "word " * 20]], text_columns=(0, 1))
    first, second = ElementTree.fromstring(text).find("table/tbody/tr")
    assert (first.attrib["class"], second.attrib["class"]) == ("text", "text long")


def test_a_verdict_is_told_in_words():
    assert "passed" in badge(True, "passed")
    assert len({badge(verdict, "x") for verdict in (True, False, None)}) == 3
