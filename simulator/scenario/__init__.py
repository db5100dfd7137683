"""A question as data: one file per kind of question."""
