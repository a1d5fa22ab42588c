"""Read, validate and edit the configuration."""

import os

# The settings hold keys: no other package gets to see them through pydantic's plug-ins. Looking for those takes 5 ms.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
