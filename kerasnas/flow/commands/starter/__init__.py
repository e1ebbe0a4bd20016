"""The text of a starter experiment: settings that follow from a survey, and comments why."""
