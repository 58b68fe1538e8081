"""Errors of the course."""

from zoo.errors import ZooError


class UnknownSystemError(ZooError, LookupError):
    """The name of a system that the course does not have."""


class CourseError(ZooError):
    """Stored course results with other settings or in an unsupported format."""


class UnavailableError(CourseError):
    """Systems whose data or weights could not be downloaded."""
