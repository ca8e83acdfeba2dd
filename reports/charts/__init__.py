"""Control charts as mathematics: baselines, statistics, rules. Arrays in, arrays out; no database, no clock, no drawing.

    baseline.estimate (a person chose the points) -> statistics (individuals, EWMA, CUSUM) -> judge.evaluate (signals, alarms)

A *signal* is what a chart says by the book: look at it. An *alarm* is a signal that repeats: somebody is told.
Formulas and published run lengths: Montgomery, Introduction to Statistical Quality Control, chapters 6 and 9; Western Electric,
Statistical Quality Control Handbook (1956); Champ and Woodall, Technometrics 29 (1987) 393.
"""
