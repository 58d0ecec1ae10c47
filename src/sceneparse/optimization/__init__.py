"""How weights move: parameter groups and learning-rate schedules."""
