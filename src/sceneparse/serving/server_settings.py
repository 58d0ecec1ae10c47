"""Settings of the server: what it accepts, and how long and how much at once."""

from dataclasses import fields

from sceneparse.errors import InputError
from sceneparse.system.settings import NonNegativeFloat, PositiveFloat, PositiveInt, settings


@settings
class ServerSettings:
    """Bounds of a server; the defaults suit a small machine of about 2 GB."""

    max_body_mb: PositiveFloat = 20
    """Largest body of a request, in 10⁶ bytes."""
    max_bodies_mb: PositiveFloat = 128
    """Most bytes of the bodies that are held at a time, in 10⁶."""
    max_megapixels: PositiveFloat = 25
    """Largest image, in 10⁶ pixels."""
    max_megapixels_together: PositiveFloat = 50
    """Most pixels of the images that are decoded and not answered yet, in 10⁶; an image and its
    prediction take up to 20 bytes a pixel."""
    queue_size: PositiveInt = 64
    """Most images that wait or are segmented; others are refused with status 429."""
    batch_size: PositiveInt = 4
    """Most images that are segmented together."""
    max_wait_ms: NonNegativeFloat = 10
    """How long an image waits for others that are being decoded, to be segmented with them."""
    max_connections: PositiveInt = 256
    """Most connections at a time; others are refused with status 429, and those beyond twice as
    many are closed without an answer."""
    max_header_kb: PositiveFloat = 32
    """Most bytes of the header of a request, in 10³."""
    header_timeout_s: PositiveFloat = 10
    """Longest time in which the header of a request arrives."""
    body_timeout_s: PositiveFloat = 30
    """Longest time in which the body of a request arrives."""
    answer_timeout_s: PositiveFloat = 60
    """Longest time from the body of a request to its answer, and for a client to read that."""
    keep_alive_timeout_s: PositiveInt = 15
    """How long a connection stays open for another request."""
    shutdown_timeout_s: PositiveInt = 20
    """How long a server that is stopped works on what it has accepted."""

    def __post_init__(self) -> None:
        """Refuse bounds that let nothing through.

        Raises:
            InputError: If one is not positive, or one contradicts another.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if not (value > 0 or (value == 0 and field.name == "max_wait_ms")):
                raise InputError(f"{field.name} {value}: expected more than 0", field.name)
        for one, together in (
            ("max_body_mb", "max_bodies_mb"),
            ("max_megapixels", "max_megapixels_together"),
        ):
            if getattr(self, one) > getattr(self, together):
                raise InputError(
                    f"{one} {getattr(self, one):g} is more than {together} "
                    f"{getattr(self, together):g}; lower the first, or raise the second",
                    one,
                )

    @property
    def max_body_bytes(self) -> int:
        """Largest body of a request, in bytes."""
        return int(self.max_body_mb * 1e6)

    @property
    def max_pixels(self) -> int:
        """Largest image, in pixels."""
        return int(self.max_megapixels * 1e6)
