from __future__ import annotations

import pytest

from simulator.foundation.errors import InputError
from simulator.foundation.shipped import shipped


@pytest.mark.parametrize("name", ["hardware_profiles", "scenarios", "schemas"])
def test_shipped_data_is_found_wherever_the_package_lies(name: str) -> None:
    assert any(shipped(name).iterdir())


def test_a_missing_folder_says_that_the_installation_is_damaged() -> None:
    with pytest.raises(InputError, match="install rackcast again"):
        shipped("no-such-folder")
