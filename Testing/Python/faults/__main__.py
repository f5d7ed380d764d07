"""``python -m faults``, in the folder Testing/Python: see campaign.py."""

import sys

from faults.campaign import main

sys.exit(main(sys.argv[1:]))
