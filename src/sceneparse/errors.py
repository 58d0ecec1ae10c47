"""The exception for mistakes that a user can correct."""


class InputError(Exception):
    """An input of the user is wrong.

    The message names the file, what was found, what was expected and the fix. The command line
    prints the message and exits with code 2; it shows no traceback.

    Attributes:
        parameters: Names of the function parameters that correct the mistake, such as `overwrite`;
            the command line appends the options of the same names.
    """

    def __init__(self, message: str, *parameters: str) -> None:
        """Take the message and the parameters that correct the mistake."""
        super().__init__(message)
        self.parameters = parameters

    def __reduce__(self) -> tuple[type["InputError"], tuple[object, ...]]:
        """Keep the parameters when the error is pickled, as between processes."""
        return type(self), (str(self), *self.parameters)


class ReportedByOtherRank(InputError):  # noqa: N818 - not an error of this process
    """The run ends because of an error that another of its processes reports."""
