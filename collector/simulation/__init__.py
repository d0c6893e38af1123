"""Offices that are not there: what `tabuah simulate` sends, and how it is paced and counted."""
