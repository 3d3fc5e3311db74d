"""`python -m service.tracking`, which `service.tracking.process` starts."""

import sys

from service.tracking.follower import main

main(sys.argv[1:])
