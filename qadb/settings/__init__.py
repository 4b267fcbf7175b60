"""Settings: option > environment > .env > file > default, with the origin of each value.

Owns the configuration from its sources to one frozen value. It loads neither SQLAlchemy nor a
driver, and opens nothing but configuration files. Logging's redaction is in ``qadb.settings.logs``.
"""

from __future__ import annotations

from qadb.settings.parsing import parse_database_url
from qadb.settings.resolve import Settings, SettingValue, load_settings
from qadb.settings.url import DatabaseUrl

__all__ = ["DatabaseUrl", "SettingValue", "Settings", "load_settings", "parse_database_url"]
