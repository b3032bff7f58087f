# SPDX-License-Identifier: MIT
"""What goes wrong, as exceptions: one class per status of the library, with its message. Each is also the built-in
exception that a caller who does not know fanin would expect."""


class FaninError(Exception):
    """Base of all errors that fanin raises on its own account. `status` is the library's word for it: "shape" ..."""

    status = "error"


class ArgumentError(FaninError, ValueError):
    """A parameter out of its range."""

    status = "argument"


class ShapeError(FaninError, ValueError):
    """A shape, stride or number of dimensions that the operation refuses."""

    status = "shape"


class DtypeError(FaninError, TypeError):
    """An operation that does not exist for this dtype."""

    status = "dtype"


class OutOfMemoryError(FaninError, MemoryError):
    """The allocator had nothing left; nothing was changed."""

    status = "memory"


class FileError(FaninError, OSError):
    """The operating system refused a file operation; the message carries its reason."""

    status = "io"


class FormatError(FaninError, ValueError):
    """A file or description that breaks its format; the message says where."""

    status = "format"


class OutputExistsError(FaninError, FileExistsError):
    """The output is there already and was not to be replaced."""

    status = "exists"


class UnsupportedError(FaninError, NotImplementedError):
    """Well formed, but not something this version, or this kind of array, can do."""

    status = "unsupported"


class MismatchError(FaninError):
    """Verification found other bytes than expected."""

    status = "mismatch"


class CancelledError(FaninError):
    """A progress function asked to stop."""

    status = "cancelled"


class ArrayError(FaninError, TypeError):
    """An object that is no writable array in this process's memory: read-only, on a device, or of no known protocol."""

    status = "array"


# By the values of fanin_status, 1 to 10.
BY_STATUS = (None, ArgumentError, ShapeError, DtypeError, OutOfMemoryError, FileError, FormatError, OutputExistsError,
             UnsupportedError, MismatchError, CancelledError)
