"""The one exception for what a user can mend."""


class InputError(Exception):
    """Something the user gave is wrong: the message names the file, what was found and the fix.

    The command line prints the message and exits with code 2; it never shows a traceback for it.
    """


class ReportedByOtherRank(InputError):  # noqa: N818 - it is no error of this process's own
    """The run ends here because of something that another of its processes tells the user."""
