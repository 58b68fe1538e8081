"""The course that the zoo re-does: its systems as data, their trainings, and what these come to.

systems.py     what was built, how it was trained, what it reached, what was wrong
exercises.py   what the homeworks ask, with the right answers
training.py    trains them, one after the other
results.py     what is finished, and where each system stands
report.py      the page and its pictures
"""
