"""The quick check before every training, plan and evaluation: a few samples of each split."""

from collections.abc import Mapping

from sceneparse.data.checks.check_facts import CheckFacts, Finding, SampleFacts, gather
from sceneparse.data.checks.rules import findings_of
from sceneparse.data.dataset import PairedFiles
from sceneparse.data.datasets.file_data import FileData
from sceneparse.errors import InputError

# Samples of each split that are read.
SAMPLES = 16
# What a few masks may show by chance is looked up in all of them.
_NEED_ALL = ("one_class", "nothing_labelled")


def quick_check(data: FileData, splits: Mapping[str, PairedFiles]) -> list[Finding]:
    """Read a few samples of each split, and return what only you can judge.

    Args:
        data: Settings of the data set.
        splits: The splits to check, by name.

    Raises:
        InputError: If a run on these data would learn or score something wrong.
    """
    samples = {
        name: list(gather(files.subsample(SAMPLES), data.root)) for name, files in splits.items()
    }
    findings = findings_of(data_facts(data, splits, samples, is_complete=False))
    if any(finding.kind in _NEED_ALL for finding in findings):
        samples["training"] = list(gather(splits["training"], data.root))
        findings = findings_of(data_facts(data, splits, samples, is_complete=False))
    errors = [str(finding) for finding in findings if finding.severity == "error"]
    if errors:
        raise InputError("\n".join(errors))
    return findings


def data_facts(
    data: FileData,
    splits: Mapping[str, PairedFiles],
    samples: Mapping[str, list[SampleFacts]],
    *,
    is_complete: bool,
) -> CheckFacts:
    """Gather what the rules need to know about a data set."""
    notes = dict.fromkeys(note for files in splits.values() for note in files.notes)
    labels = next(iter(splits.values())).labels
    return CheckFacts(data, labels, samples, tuple(notes), is_complete)
