"""The client of the Hugging Face Hub, and what its errors mean."""

import logging
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any

from sceneparse.errors import InputError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"


def hub_api(token: str | None = None) -> "HfApi":
    """Return a client of the Hub.

    Args:
        token: An access token; none for the one of the environment or of `hf auth login`.

    Raises:
        InputError: If the package of the Hub is not installed.
    """
    if find_spec("huggingface_hub") is None:
        raise InputError(
            "the Hugging Face Hub needs huggingface_hub, which is not installed: "
            '`pip install "sceneparse[hub]"`'
        )
    from huggingface_hub import HfApi

    return HfApi(token=token, library_name="sceneparse")


@contextmanager
def hub_errors(address: str) -> Generator[None]:
    """Explain the errors of the Hub, and keep its progress bars and warnings from the terminal.

    Args:
        address: What is accessed, for messages.

    Raises:
        InputError: In place of an error of the connection or of the Hub.
    """
    hub_api()  # says that the package is missing
    try:
        with _quiet():
            yield
    except InputError:
        raise
    except Exception as error:
        message = _message(error)
        if message is None:
            raise
        raise InputError(f"{address}: {message}") from None


@contextmanager
def _quiet() -> Generator[None]:
    from huggingface_hub.utils import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    logger = logging.getLogger("huggingface_hub")
    level, was_disabled = logger.level, are_progress_bars_disabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        disable_progress_bars()
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)
            if not was_disabled:
                enable_progress_bars()


def is_unreachable(error: Exception) -> bool:
    """Return whether the Hub did not answer, or not as it should, through no fault of the user."""
    from huggingface_hub import errors

    if isinstance(error, errors.HfHubHTTPError):
        return error.response.status_code >= 500
    # The HTTP library changed its name between versions of huggingface_hub.
    offline: tuple[Any, ...] = (ConnectionError, TimeoutError, *errors.HfHubHTTPError.__bases__[:1])
    return isinstance(error, (*offline, errors.LocalEntryNotFoundError))


def _message(error: Exception) -> str | None:
    """Say what an error of the Hub means, and what to do; none for other errors."""
    from huggingface_hub import errors

    if isinstance(error, RuntimeError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # of an upload
    if isinstance(error, errors.HfHubHTTPError):
        return _answer(error)
    for kind, message in {
        errors.LocalTokenNotFoundError: f"found no access token; {_LOG_IN}",
        errors.HFValidationError: f"no valid name of a repository ({error}); correct it",
        errors.OfflineModeIsEnabled: "not in the cache, and HF_HUB_OFFLINE is set; unset it, or "
        "load the model once before",
    }.items():
        if isinstance(error, kind):
            return message
    if is_unreachable(error):
        return "the Hub cannot be reached, and the cache does not hold what is needed; try again"
    if isinstance(error, JSONDecodeError | KeyError | errors.FileMetadataError):
        return "the answer is not one of the Hub; check the connection, its proxy and HF_ENDPOINT"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be kept ({error.strerror}: {error.filename}); set HF_HOME to another folder"
    return None


def _answer(error: Any) -> str:
    """Say what an answer of the Hub means."""
    from huggingface_hub import errors

    match error:
        case errors.GatedRepoError():
            return (
                f"access is granted on request; ask for it on the page of the model, and {_LOG_IN}"
            )
        case errors.RepositoryNotFoundError():
            return (
                f"no such repository, or it is private; correct the name, or {_LOG_IN} with access"
            )
        case errors.RevisionNotFoundError():
            return "no such revision; give a branch, a tag or a commit of the repository"
        case errors.EntryNotFoundError():
            return "no such file in the repository; look at its page"
        case _:
            said = f" ({error.server_message})" if error.server_message else ""
            return _STATUS.get(
                error.response.status_code,
                f"the Hub answered with status {error.response.status_code}{said}; try again later",
            )


_STATUS = {
    401: f"the Hub does not know this access token; {_LOG_IN} with a valid one",
    403: f"this access token does not permit it; {_LOG_IN} with one that may write to it",
    429: "the Hub refuses more requests for now; wait a few minutes",
}
