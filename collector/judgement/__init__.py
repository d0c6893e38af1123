"""From what is seen to a verdict: health, diagnosis, outages, ledger. Pure throughout.

    reports, silences, probes of the centre -> evidence -> state -> diagnosis -> outages -> ledger

`evidence` and `observe` say what the judge may see; `quality` and `state` say how an office and
its lines are now; `diagnosis` names a cause and what it rests on; `outages` reads what was
down, from when to when; `common` finds what several offices share; `ledger` keeps it. Nothing
here asks a clock, a socket or a disk: `now_ms` is an argument.
"""
