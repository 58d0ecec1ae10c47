"""The viewer: a page that shows images with their segments in a browser.

`static/` holds hand-written JavaScript, CSS and HTML without a build step. The scripts are classic
ones, not modules, so that a page can also contain them and open from disk. A page has one engine,
which computes segmentations: `http_engine.js` asks a server, `local_engine.js` computes in the
browser; the start of `http_engine.js` describes their interface.
"""

from importlib import resources

CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
    ".png": "image/png",
}
_STATIC = resources.files("sceneparse.viewer").joinpath("static")


def asset_names() -> frozenset[str]:
    """Return the names of the files in `static/`."""
    return frozenset(file.name for file in _STATIC.iterdir() if file.is_file())


def asset(name: str) -> bytes:
    """Return the content of a file in `static/`, by one of `asset_names`."""
    return _STATIC.joinpath(name).read_bytes()
