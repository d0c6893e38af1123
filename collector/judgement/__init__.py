"""From what is seen to a verdict: health, diagnosis, outages, ledger. Pure throughout.

One report's way to a verdict, module by module; each leaves the rest to the next:

    evidence    what may be seen, and the words of a verdict
    observe     a report as evidence: probes by role, the gateway's port, the UPS
    court       everything in one place: takes what is seen, gives new versions (`rule`)

 how things stand: people are told                  what was: the ledger is written
    scene       every office, line and service         judge     what may still change, read again
    state       the table of states; flapping          plain     what the next report tells of it
    quality     good enough, or slow?                  faces     how one cycle of one line looks
    clock       is its clock right?                    runs      cycles cut into stretches and gaps
    troubles    what is wrong now                      outages   each with its case and verdict
    tracking    a trouble as an incident               common    those that several offices share
    resuming    the scene after a start                ledger    versions, chained, none overwritten

    case        what a verdict is asked for
    diagnosis   why: the ordered rules, asked by both sides
    planned     announced work that people entered
    record      the ledger read: outages, incidents, what people said
    rest        offices that are well, and need no judge

Nothing here asks a clock, a socket or a disk: `now_ms` is an argument.
"""
