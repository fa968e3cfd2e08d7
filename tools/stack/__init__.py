"""One televisit on one machine, on loopback: for a first look, for development, for tests.

The story of `stack up`: cli.py reads the command and opens the stack's directory (layout.py), which
keeps ports, secrets, data and logs from one run to the next. build.py makes sure that there is
something to start. run.py goes through the table in parts.py stage by stage: PostgreSQL, NATS and
LiveKit; the migrations; the four services. Each part is started (processes.py) and waited for by
its own sign of readiness. seed.py adds a demo clinic. In the foreground the logs are then followed
(follow.py) until Ctrl-C, or until a part dies; either way all parts are ended, in order, by pid.

Every fault that a person can mend is a tell.Fault: one line that names it and says what to do.
"""
