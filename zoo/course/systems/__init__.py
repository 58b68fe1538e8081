"""The course's experiments as data: what was built, how it was trained, what it reached.

The figures are those of a student's published run of the homeworks of Deep Learning 2022/23 at the
University of Padova, https://github.com/TapusiDaniel/DEEP-LEARNING-2022-2023-SCP9087561-, one
run each. `SYSTEMS` builds and trains through the zoo; `zoo.course.experiments` does so for all:

    >>> import zoo
    >>> from zoo.course.systems import SYSTEMS
    >>> system = SYSTEMS["hw3.cnn_7"]
    >>> system.course, round(system.noise, 4)
    (0.7225, 0.0045)
    >>> system.training("taught").settings["filters"]
    '64-64-32'
"""

from zoo.course.definitions import System
from zoo.course.systems import hw1, hw2, hw3, hw4, hw5, hw6
from zoo.errors import UnknownSystemError, unknown_name_message


def get_system(name: str) -> System:
    """Gives a system of the course.

    Args:
        name: its id.

    Raises:
        UnknownSystemError: if there is none; names the near miss.
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
