"""Every error a caller can meet: what was being done, why it failed, what to do, retryable.

The doors (`api/`) translate these and nothing else; an exception of any other type is a bug
and is answered as an internal error.
"""

from __future__ import annotations


class LingtingError(Exception):
    """Base of all errors shown to callers.

    Args:
        doing: what was being done, e.g. "decode WAV header".
        cause: why it failed, in words of the caller's world.
        hint: what the caller can do about it; may be empty.
        param: the request field at fault, if one is (OpenAI errors carry it).
    """

    retryable = False
    code = "internal"  # stable, lower_snake; the doors map it to gRPC and HTTP statuses

    def __init__(self, doing: str, cause: str, hint: str = "", *, param: str | None = None) -> None:
        self.doing, self.cause, self.hint, self.param = doing, cause, hint, param
        super().__init__(f"{doing}: {cause}" + (f" ({hint})" if hint else ""))


class InvalidRequest(LingtingError):
    """The request can never succeed as it is."""

    code = "invalid_request"


class InvalidAudio(InvalidRequest):
    """The bytes are not the audio they claim to be, or not audio we take."""

    code = "invalid_audio"


class NotFound(LingtingError):
    """An unknown model, call or other named thing."""

    code = "not_found"


class Unsupported(LingtingError):
    """Well-formed, but the loaded model or this box cannot do it."""

    code = "unsupported"


class TooLarge(InvalidRequest):
    """Over a limit on bytes, duration or count."""

    code = "too_large"


class Overloaded(LingtingError):
    """Refused because the box is full; `retry_after_s` says when to come back."""

    retryable = True
    code = "overloaded"

    def __init__(
        self, doing: str, cause: str, hint: str = "", *, retry_after_s: float = 1.0
    ) -> None:
        super().__init__(doing, cause, hint)
        self.retry_after_s = retry_after_s


class IdleTimeout(LingtingError):
    """The caller sent nothing for too long."""

    retryable = True
    code = "idle_timeout"


class CallerGone(IdleTimeout):
    """The connection broke: there may have been more."""


class EngineUnavailable(LingtingError):
    """An engine did not answer, or not in time; another engine may."""

    retryable = True
    code = "engine_unavailable"


class Draining(EngineUnavailable):
    """The box is going down: it takes nothing new, and ends what runs."""

    code = "draining"
    retry_after_s = 5.0  # about what a restart takes


class EngineTimeout(EngineUnavailable):
    """An engine was too slow for one window; that alone does not mean it is gone."""


class NoEngine(EngineUnavailable):
    """A call refused before it began: nothing could answer it."""


class BundleError(LingtingError):
    """A model folder is missing, incomplete or altered; names the file."""

    code = "bundle"


class SettingsError(LingtingError):
    """The configuration file or environment is wrong."""

    code = "settings"


class StoreUnavailable(LingtingError):
    """The database or the disk does not take or give what it should."""

    retryable = True
    code = "store_unavailable"


class OutcomeUnknown(StoreUnavailable):
    """The database went away while it was asked to commit: it may have."""


class StoreDamaged(LingtingError):
    """Something stored is not what was stored, or was cut off; another try will not help."""

    code = "store_damaged"


class Unauthenticated(LingtingError):
    """Nobody knows who is asking: no key, or one that is wrong, expired, revoked."""

    code = "unauthenticated"


class Forbidden(LingtingError):
    """It is known who is asking, and this is not theirs to do."""

    code = "forbidden"


class AuditUnavailable(LingtingError):
    """A privileged act could not be logged, so it was not done."""

    retryable = True
    code = "audit_unavailable"


class Conflict(LingtingError):
    """The thing is not in a state that allows this, or the same key was used for another thing."""

    code = "conflict"
