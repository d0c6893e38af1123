"""`python -m tabuah`, the same as the console script `tabuah`."""

import sys

from tabuah.main import main

sys.exit(main())
