"""The systems of the course: settings, published results and flaws.

The results are those of a student's published solutions to the homeworks of Deep Learning 2022/23
at the University of Padova, https://github.com/TapusiDaniel/DEEP-LEARNING-2022-2023-SCP9087561-,
from a single run each. `zoo.course.experiments` trains the systems with the zoo.

Example:
    >>> from zoo.course.systems import SYSTEMS
    >>> system = SYSTEMS["hw3.cnn_7"]
    >>> system.course, round(system.standard_error, 4)
    (0.7225, 0.0045)
    >>> system.experiment("taught").settings["filters"]
    '64-64-32'
"""

from zoo.course.definitions import System
from zoo.course.errors import UnknownSystemError
from zoo.course.systems import hw1, hw2, hw3, hw4, hw5, hw6
from zoo.errors import unknown_name_message


def get_system(name: str) -> System:
    """Return a system of the course.

    Args:
        name: id of the system.

    Raises:
        UnknownSystemError: if there is no such system; the message suggests the closest id.
    """
    if name not in SYSTEMS:
        raise UnknownSystemError(unknown_name_message("system of the course", name, SYSTEMS))
    return SYSTEMS[name]


SYSTEMS = {
    system.id: system
    for homework in (
        hw1.SYSTEMS,
        hw2.SYSTEMS,
        hw3.SYSTEMS,
        hw4.SYSTEMS,
        hw5.SYSTEMS,
        hw6.SYSTEMS,
    )
    for system in homework
}
