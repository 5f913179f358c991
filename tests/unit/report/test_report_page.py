# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
import re
from copy import deepcopy
from html.parser import HTMLParser
from typing import Any

import pytest
import simulated
from ansible_collections.roost.cluster.plugins.plugin_utils.report.render import html_of, json_of
from simulated import Rollout

Document = dict[str, Any]
# Elements that have no end.
VOID = {"meta", "br"}
HOSTILE = (
    '</td><script>alert(1)</script><img src=x onerror=alert(2)>"\' onload="alert(3)" {{ 7*7 }}'
)


class Page(HTMLParser):
    """What a browser makes of it: elements that are closed in order, attributes, text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)
        if tag in ("th", "td"):
            self.text += "\n"

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


@pytest.fixture(scope="module")
def rolled_back() -> Document:
    return Rollout(simulated.slow_from_25).document()


@pytest.fixture(scope="module")
def promoted() -> Document:
    return Rollout(simulated.healthy).document()


def test_the_simulated_rollouts_are_what_they_should_be(
    rolled_back: Document, promoted: Document
) -> None:
    assert (rolled_back["outcome"], len(rolled_back["steps"])) == ("rolled back", 3)
    assert rolled_back["reason"].startswith("model-service p95 latency: canary ")
    assert (promoted["outcome"], len(promoted["steps"])) == ("promoted", 4)


def test_the_page_says_what_a_report_must_say(rolled_back: Document) -> None:
    words = Page(html_of(rolled_back)).words
    last = rolled_back["steps"][2]
    counted = last["counts"]["model-service"]
    share = 100 * counted["canary_failed"] / counted["canary"]
    for said in (
        "digits: v1 → v2 rolled back",
        rolled_back["reason"],
        "ada@lab-1",
        "k3v9x2ab of release digits in namespace digits",
        "2026-03-14 09:30:00 UTC",
        f"roost/app:v1@{simulated.DIGEST}",
        f"roost/model-service:v2@{simulated.DIGEST}",
        f"{counted['canary_failed']} of {counted['canary']} ({share:.3g}%)",
        f"roll back: {last['reason']}",
        "at 50 requests per second; 100% of such rollouts pass all steps",
        "margin of failures +2 points",
        "margin of p95 latency ×1.5",
        "probability of a wrong rollback, and of a wrong promotion, at most 0.01",
        "3.1% of the canary's requests to model-service in the last step",
        "How requests were counted: Envoy's counters",
    ):
        assert said in words, said


def test_a_promoted_canary_passed_each_step(promoted: Document) -> None:
    words = Page(html_of(promoted)).words
    assert words.count("advance: all 4 metrics are shown to be below their margins") == 4
    assert "v2 promoted" in words


def test_each_metric_has_its_interval_and_both_versions(rolled_back: Document) -> None:
    html = html_of(rolled_back)
    assert html.count("<svg ") == 8
    for service in simulated.SERVICES:
        for metric in ("failures", "p95 latency"):
            assert f"<title>{service}, {metric}: canary against stable</title>" in html
            assert f"<title>{service}, {metric} of both versions</title>" in html
    assert html.count('class="band"') == 4
    for style in ("estimate", "stable", "canary", "margin", "neutral"):
        assert len(re.findall(f'<path class="{style}" d="M', html)) == 4
    looks = len(rolled_back["looks"])
    longest = max(re.findall(r'class="stable" d="M([^"]*)"', html), key=len)
    assert longest.count("L") == looks - 1


def test_nothing_comes_from_outside_and_nothing_can_run(rolled_back: Document) -> None:
    page = Page(html_of(rolled_back))
    assert not {"script", "link", "img", "iframe", "object", "a", "base"} & set(page.tags)
    names = {name for name, _ in page.attributes}
    assert not {"src", "href", "style", "xlink:href"} & names
    assert not any(name.startswith("on") for name in names)
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes
    assert not re.search(r"url\(|@import|https?:", html_of(rolled_back))


def poisoned(value: Any) -> Any:
    """Every text in it replaced, and every key that a person chooses."""
    if isinstance(value, str):
        return HOSTILE
    if isinstance(value, list):
        return [poisoned(item) for item in value]
    if isinstance(value, dict):
        return {key: poisoned(item) for key, item in value.items()}
    return value


def hostile(document: Document) -> Document:
    """Times and names of metrics are Roost's own; all else is replaced."""
    bad = poisoned(document)
    for key in ("began", "ended"):
        bad[key] = document[key]
    bad["settings"][HOSTILE] = 1
    bad["override_share"] = {HOSTILE: 0.5}
    for pair in ("stable", "canary"):
        bad[pair]["images"] = {HOSTILE: HOSTILE}
    for step, given in zip(bad["steps"], document["steps"], strict=True):
        step |= {"began": given["began"], "ended": given["ended"]}
        step["counts"] = {HOSTILE: step["counts"]["app"]}
    for look, given in zip(bad["looks"], document["looks"], strict=True):
        look["at"] = given["at"]
        for row, given_row in zip(look["metrics"], given["metrics"], strict=True):
            row[1] = given_row[1]
    for found, given in zip(bad["verdict"]["metrics"], document["verdict"]["metrics"], strict=True):
        found["metric"] = given["metric"]
    return bad


def test_no_value_becomes_markup(rolled_back: Document) -> None:
    """Reasons, images, names and all other texts may contain anything."""
    good, bad = Page(html_of(rolled_back)), Page(html_of(hostile(rolled_back)))
    assert set(bad.tags) == set(good.tags)
    assert {name for name, _ in bad.attributes} == {name for name, _ in good.attributes}
    # It is there, as the text that it is.
    assert bad.text.count(HOSTILE) > 30
    assert "49" not in {word.strip() for word in bad.text.split(HOSTILE)}


def test_json_is_the_document(rolled_back: Document) -> None:
    assert json.loads(json_of(rolled_back)) == json.loads(json.dumps(rolled_back))
    assert json.loads(json_of(hostile(rolled_back)))["reason"] == HOSTILE
    with pytest.raises(ValueError, match="Out of range float"):
        json_of(rolled_back | {"verdict": float("nan")})


def test_a_rollout_without_traffic() -> None:
    document = Rollout(simulated.healthy, rate=0.0).document(most_looks=5)
    words = Page(html_of(document)).words
    assert "v2 waiting" in words
    assert "app: no request / no request" in words
    assert "nothing shown yet" in words
    assert "There was none: it is made at the first look that has requests." in words


def test_a_rollout_that_has_just_begun_or_never_got_on(promoted: Document) -> None:
    document = deepcopy(promoted)
    document |= {"outcome": "running", "reason": "", "ended": None, "plan": None}
    document |= {"looks": [], "verdict": None, "override_share": {}, "sources": ""}
    document["steps"] = [
        {
            "weight": 5,
            "began": simulated.stamp(20),
            "ended": None,
            "outcome": None,
            "reason": "",
            "counts": {},
        }
    ]
    words = Page(html_of(document)).words
    for said in ("No decision yet.", "running: –", "There were no looks.", "There was none."):
        assert said in words
    assert "Notes" not in words
    words = Page(html_of(document | {"steps": []})).words
    assert "The canary never had any weight." in words


def test_a_single_look_is_drawn_as_dots(promoted: Document) -> None:
    document = promoted | {"looks": promoted["looks"][:1]}
    html = html_of(document)
    assert html.count('<circle class="dot stable"') == 4
    assert 'class="band"' not in html
    Page(html)


def test_what_is_left_out_or_only_approximate_is_said(promoted: Document) -> None:
    words = Page(html_of(promoted | {"looks_left_out": 1200, "sticky": True})).words
    assert "1,200 looks in the middle are not drawn" in words
    assert "the guarantee is approximate" in words


@pytest.mark.parametrize("render", [html_of, json_of])
def test_a_document_of_another_format_is_refused(render: Any, promoted: Document) -> None:
    with pytest.raises(ValueError, match="got format 2; expected 1; make the report with the ver"):
        render(promoted | {"format": 2})
