"""A journal to be damaged."""

import pytest

from kerasnas.tuners.core.storage.journal import Journal

HEADER = {"identity": {"seed": 0, "objectives": [["accuracy", "max"]]}}


def event(number):
    info = {"crc": "0badcafe", "text": 'grün, "crc":"00000000"}'} if number % 3 else {}
    return {"event": "open", "elapsed": number / 8, "id": f"{number:04d}", "info": info}


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    """A function: the bytes of a journal of so many events."""

    def write(count):
        path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
        with Journal(path, HEADER) as opened:
            for number in range(count):
                opened.append(event(number))
        return path.read_bytes()

    return write
