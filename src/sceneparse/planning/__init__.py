"""From the time that a user has to a config: functions of facts alone, nothing is measured here."""
