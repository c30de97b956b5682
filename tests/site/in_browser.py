"""What the tests of the site share: where it was built, and what a page has asked for."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "docs" / "_build" / "site"
sys.path.append(str(ROOT / "docs"))  # for the modules that build the site


def requests(driver) -> list[str]:
    """The addresses of all requests since the last call."""
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]


def wait_until_shown(driver) -> None:
    """Return when an interactive page shows something."""
    driver.execute_async_script("""const done = arguments[0];
    const look = () => (document.querySelector("#explore").dataset.ready ? done() : setTimeout(look, 20));
    look();""")
