"""Share a model on the Hugging Face Hub: its files, a card, and a demo."""

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from sceneparse.artifacts.hub import HUB_PREFIX, HubAddress, is_hub_address
from sceneparse.artifacts.hub_client import hub_api, hub_errors
from sceneparse.errors import InputError
from sceneparse.factory.model_files import is_onnx, weights_file
from sceneparse.factory.runtime_choice import pinned_model
from sceneparse.recording.events import Callback, Message, ignore
from sceneparse.reports.model_card import CardLicense
from sceneparse.system.files import create_folder, require_empty_folder
from sceneparse.system.paths import expand_user
from sceneparse.tasks.export import BUNDLED_LICENSE
from sceneparse.tasks.hub_folder import DEMO_FILE, PREVIEW_FILE, HubContents, write_hub_folder

if TYPE_CHECKING:
    from huggingface_hub import HfApi

# Identifiers of licences on the Hub that fit weights; other terms are given in words.
LICENSES = (
    *("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "mpl-2.0", "unlicense", "openrail"),
    *("gpl-3.0", "lgpl-3.0", "agpl-3.0", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nd-4.0"),
    *("cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0"),
)
_REPO = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Pushed:
    """A model that was uploaded, or that is ready to be.

    Attributes:
        files: The files with their sizes in bytes.
        folder: The folder with the files; none if they were uploaded.
        url: The page of the model; none if it was not uploaded.
        address: Its address with the commit, for `sceneparse.load`; none if it was not uploaded.
    """

    files: dict[str, int]
    folder: Path | None = None
    url: str | None = None
    address: str | None = None

    def __str__(self) -> str:
        """Write where the model is."""
        if self.folder is not None:
            return f"{self.folder}: holds what would be uploaded; nothing was"
        return f"{self.url}\nload it with {self.address}"


def push(
    model: str | Path,
    repo: str,
    *,
    license: str | None = None,
    scores: str | Path | None = None,
    datasets: Sequence[str] = (),
    preview: str | Path | None = None,
    demo: str | Path = "auto",
    precision: Literal["fp32", "fp16"] = "fp32",
    public: bool = False,
    out: str | Path | None = None,
    token: str | None = None,
    callback: Callback = ignore,
) -> Pushed:
    """Upload a model to the Hugging Face Hub, in one commit.

    The repository gets the model as safetensors and as ONNX, and a card with scores, data, recipe
    and terms. A new repository is private unless `public` is set. No path of this machine and no
    image is uploaded, except an example that is given, or is made from a generated scene.

    Args:
        model: A run folder, a weights file, `bundled`, or `hf://owner/name`.
        repo: The repository, `owner/name`, which is created if it does not exist.
        license: Terms of the weights: an identifier of the Hub such as `cc-by-nc-4.0`, or words.
            They depend on the training images and on the weights that the training started from.
        scores: Scores for the card, written by `evaluate`; none for `scores.json` in the run
            folder if it is of these weights, else for the validation of the run.
        datasets: Names of data sets on the Hub that the model was trained on.
        preview: An image to segment as an example, which is published; none for a generated scene
            if the model has the classes of ADE20K, else no example.
        demo: A page that runs the model in a browser, to upload beside it: a file, `auto` to make
            one as `export` does, or `none`.
        precision: How weights are stored.
        public: Whether a new repository is visible to everyone.
        out: A new folder for the files; with it, nothing is uploaded.
        token: An access token that may write; none for HF_TOKEN or that of `hf auth login`.
        callback: Called with each event.

    Raises:
        InputError: If the terms are not known, the model cannot be exported, a file is missing or
            names a path of this machine, or the Hub refuses.

    Example:
        >>> sceneparse.push("runs/mine", "me/rooms", license="cc-by-4.0")  # doctest: +SKIP
    """
    repo = _checked_repo(repo)
    if is_onnx(model):
        raise InputError(f"{model}: is an ONNX file; give the run or weights file it came from")
    contents = HubContents(
        repo=repo,
        license=_license(model, license),
        datasets=tuple(datasets),
        scores=_existing(scores, "scores"),
        preview=_existing(preview, "preview"),
        demo=_demo(demo),
    )
    if not is_hub_address(model):
        with weights_file(model) as path:
            if not path.is_file():
                raise InputError(
                    f"{path}: no such weights file or run folder; give an existing one"
                )
    api = hub_api(token)
    if out is None:
        _check_access(api, repo, public=public, callback=callback)
    model = pinned_model(model, runtime="torch", on_step=lambda text: callback(Message(text)))
    with _folder(out) as folder:
        sizes = write_hub_folder(folder, model, contents, precision, callback)
        if out is not None:
            return Pushed(sizes, folder)
        listed = ", ".join(f"{name} ({size / 1e6:.2f} MB)" for name, size in sizes.items())
        callback(Message(f"uploading to {repo}: {listed}"))
        return _upload(api, repo, folder, sizes, public=public)


def _checked_repo(repo: str) -> str:
    name = repo.removeprefix(HUB_PREFIX)
    if _REPO.fullmatch(name) is None:
        raise InputError(f"{repo}: not a repository, expected owner/name; correct it")
    return name


def _license(model: str | Path, given: str | None) -> CardLicense:
    """Return the terms of a model.

    Raises:
        InputError: If they are not known.
    """
    if given is None and model == "bundled":
        return CardLicense("other", f"{BUNDLED_LICENSE[0].upper()}{BUNDLED_LICENSE[1:]}.")
    if not given:
        raise InputError(
            f"{model}: its terms are not known, because they depend on the images it was trained "
            "on and on the weights it started from; state them, as an identifier such as "
            "cc-by-nc-4.0 or in words",
            "license",
        )
    if given.lower() in LICENSES:
        return CardLicense(given.lower())
    return CardLicense("other", given)


def _demo(demo: str | Path) -> Path | Literal["auto", "none"]:
    match demo:
        case "auto" | "none":
            return demo
        case _:
            return _existing(demo, "demo") or Path(demo)


def _existing(path: str | Path | None, parameter: str) -> Path | None:
    if path is None:
        return None
    if not expand_user(path).is_file():
        raise InputError(f"{path}: no such file; give an existing one", parameter)
    return expand_user(path)


@contextmanager
def _folder(out: str | Path | None) -> Generator[Path]:
    """Give the folder that was asked for, which must be empty, or a temporary one."""
    if out is None:
        with TemporaryDirectory() as temporary:
            yield Path(temporary)
        return
    folder = expand_user(out)
    require_empty_folder(folder, "out")
    create_folder(folder, "out")
    yield folder


def _check_access(api: "HfApi", repo: str, *, public: bool, callback: Callback) -> None:
    """Refuse before the export what the Hub would refuse, or show to everyone.

    Raises:
        InputError: If there is no valid token, or the repository is public and should not be.
    """
    from huggingface_hub.errors import RepositoryNotFoundError

    with hub_errors(repo):
        access = api.whoami().get("auth", {}).get("accessToken", {})
        if access.get("role") == "read":
            raise InputError(
                f"{repo}: found an access token that only reads; log in with `hf auth login`, or "
                "set HF_TOKEN, with one that writes"
            )
        try:
            is_private = api.model_info(repo).private
        except RepositoryNotFoundError:
            return
    if not is_private and not public:
        raise InputError(
            f"{repo}: everyone can see this repository, and would see the model; allow it, or "
            "choose another repository",
            "public",
        )
    if is_private and public:
        callback(Message(f"{repo} is private and stays so; its settings on the Hub change that"))


def _upload(
    api: "HfApi", repo: str, folder: Path, sizes: dict[str, int], *, public: bool
) -> Pushed:
    """Create the repository if it does not exist, and add all files in one commit."""
    with hub_errors(repo):
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        url = api.create_repo(repo, private=not public, exist_ok=True)
        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            CommitOperationAdd(name, folder / name) for name in sizes
        ]
        # An example or demo of an earlier upload shows another model.
        present = {file.rfilename for file in api.model_info(repo).siblings or ()}
        old = present & {PREVIEW_FILE, DEMO_FILE} - sizes.keys()
        operations += [CommitOperationDelete(name) for name in sorted(old)]
        commit = api.create_commit(repo, operations, commit_message="Upload the model")
    return Pushed(sizes, url=str(url), address=str(HubAddress(repo, commit.oid)))
