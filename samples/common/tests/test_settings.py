# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A wrong setting is named with what was expected."""

from __future__ import annotations

import pytest

from samples.common import settings


def test_an_unset_or_empty_variable_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("X", raising=False)
    assert settings.number("X", 3, 1, 5) == 3
    monkeypatch.setenv("X", "")
    assert settings.number("X", 3, 1, 5) == 3
    assert settings.http_url("X", "http://a:1") == "http://a:1"


def test_a_set_variable_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", "4.5")
    assert settings.number("X", 3, 1, 5) == 4.5
    monkeypatch.setenv("X", "https://b.example/base/")
    assert settings.http_url("X", "http://a:1") == "https://b.example/base"


@pytest.mark.parametrize("text", ["0", "6", "x", "nan", "1e400"])
def test_a_wrong_number_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("X", text)
    with pytest.raises(settings.SettingsError, match=f"X is '{text}'; set a number from 1 to 5"):
        settings.number("X", 3, 1, 5)


@pytest.mark.parametrize("text", ["model-service:8080", "ftp://a", "http://", "/path"])
def test_a_wrong_address_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("X", text)
    with pytest.raises(settings.SettingsError, match="set an address such as http://a:1"):
        settings.http_url("X", "http://a:1")
