"""The page as one HTML file, with everything inside that it needs."""

import base64
import gzip
import hashlib
import html
import json
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, NamedTuple

from sceneparse.viewer import CONTENT_TYPES, asset, asset_names

_ENGINE = "http_engine.js"
_LOCAL_ENGINE = "local_engine.js"
_WORKER = "local_worker.js"
_STYLE = re.compile(r'<link\b[^>]*\bhref="assets/([^"]+\.css)"[^>]*>\n?')
_SCRIPT = re.compile(r'<script\b[^>]*\bsrc="assets/([^"]+\.js)"[^>]*></script>\n?')
_IMAGE = re.compile(r"\bassets/([\w.-]+\.(?:svg|jpg|png))\b")
_HEAD = "<head>"
_END = "</body>"
# Nothing is loaded from elsewhere; `connect-src` only lets scripts read what the file holds.
_POLICY = (
    "default-src 'none'; script-src 'wasm-unsafe-eval' blob: {scripts}; worker-src blob:; "
    "style-src 'unsafe-inline'; img-src blob: data:; media-src blob: data:; "
    "connect-src blob: data:; base-uri 'none'; form-action 'none'"
)
# Without it, the engine says that the file is not complete.
_COMPLETE = '<template id="data-end"></template>\n'
_NO_SCRIPT = "<noscript><p>This page computes in your browser, with JavaScript.</p></noscript>\n"


class LocalModel(NamedTuple):
    """What a page computes with.

    Attributes:
        script: Classic script of the runtime; `local_worker.js` follows in the same worker.
        loader: Module of the runtime.
        binary: WebAssembly of the runtime.
        model: The model.
        facts: What `local_engine.js` reads: `classes`, `settings`, `resize` and `notices`.
    """

    script: bytes
    loader: bytes
    binary: bytes
    model: bytes
    facts: Mapping[str, Any]


def single_file(title: str, model: LocalModel) -> str:
    """Return the page as one HTML file, which opens from disk and computes in the browser.

    Styles, scripts and images become its content. Its content security policy allows only these
    scripts, and no requests. Binary parts come last, in blocks that browsers do not run, so that
    the page shows before they have been read.

    Args:
        title: Title of the page.
        model: What it computes with.
    """
    page = asset("page.html").decode()
    names = [_LOCAL_ENGINE if name == _ENGINE else name for name in _SCRIPT.findall(page)]
    scripts = [_script_text(name) for name in names]
    page = _STYLE.sub(lambda match: f"<style>\n{_text(match[1])}</style>\n", page)
    page = _with_images(_SCRIPT.sub("", page))
    page = re.sub("<title>.*?</title>", lambda _: f"<title>{html.escape(title)}</title>", page)
    policy = _POLICY.format(scripts=" ".join(map(_source, scripts)))
    meta = f'\n<meta http-equiv="Content-Security-Policy" content="{policy}">'
    data = {
        "worker": model.script + b"\n" + asset(_WORKER),
        "loader": model.loader,
        "binary": model.binary,
        "model": model.model,
    }
    end = [
        _NO_SCRIPT,
        _json_block("model-facts", model.facts),
        *(f"<script>{script}</script>\n" for script in scripts),
        *(_data_block(name, content) for name, content in data.items()),
        _COMPLETE,
    ]
    page = page.replace(_HEAD, _HEAD + meta, 1)
    before, _, after = page.rpartition(_END)
    return "".join([before, *end, _END, after])


def _text(name: str) -> str:
    # Browsers read line ends as \n, and the policy holds a hash of what they read.
    return asset(name).decode().replace("\r\n", "\n")


def _script_text(name: str) -> str:
    """Return a script that cannot end the element around it."""
    text = re.sub(r"</(?=script)", r"<\\/", _text(name), flags=re.IGNORECASE)
    return "\n" + _with_images(text.replace("<!--", r"<\!--"))


def _source(script: str) -> str:
    """Return what allows a script in a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _with_images(text: str) -> str:
    """Replace addresses of images by their content."""
    names = asset_names()

    def content(match: re.Match[str]) -> str:
        name = match[1]
        if name not in names:
            return match[0]
        kind = CONTENT_TYPES[PurePath(name).suffix]
        return f"data:{kind};base64,{base64.b64encode(asset(name)).decode()}"

    return _IMAGE.sub(content, text)


def _json_block(name: str, value: object) -> str:
    text = json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>\n'


def _data_block(name: str, content: bytes) -> str:
    text = base64.b64encode(gzip.compress(content, mtime=0)).decode()
    return f'<script type="application/octet-stream" id="data-{name}">{text}</script>\n'
