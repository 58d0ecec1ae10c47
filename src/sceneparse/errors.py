"""The one exception for what a user can mend."""


class InputError(Exception):
    """Something the user gave is wrong: the message names the file, what was found and the fix.

    The command line prints the message and exits with code 2; it never shows a traceback for it.
    """
