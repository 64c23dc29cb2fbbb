"""The application that gunicorn and `flask` load."""

import sys

from clinic import create_app
from clinic.config import Config, ConfigError

try:
    app = create_app(Config.from_env())
except ConfigError as error:
    sys.exit(f"Chairside does not start:\n{error}")
