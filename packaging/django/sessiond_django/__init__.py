"""Django sessions in sessiond: SESSION_ENGINE = 'sessiond_django.session_engine'.

This package is the session engine and its connection. It is not a cache backend for
settings.CACHES and holds no models.
"""
