"""Another reference: Django's admin on the same patients. Runs in a virtual environment of its own (bench/requirements.lock).

`python bench/djangoadmin.py prepare` makes Django's own tables and prints a session cookie; gunicorn serves `djangoadmin:application`.
"""

import os
import sys
from urllib.parse import urlsplit

import pymysql

pymysql.install_as_MySQLdb()

import django  # noqa: E402
from django.conf import settings  # noqa: E402

address = urlsplit(os.environ["DATABASE_URL"])
settings.configure(
    SECRET_KEY="b" * 50,
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF="djangoadmin",
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.mysql",
            "HOST": address.hostname,
            "PORT": address.port,
            "USER": address.username,
            "PASSWORD": address.password or "",
            "NAME": address.path.strip("/"),
            "CONN_MAX_AGE": 600,
        }
    },
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    STATIC_URL="/static/",
)
django.setup()

from django.contrib import admin  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import models  # noqa: E402
from django.urls import path  # noqa: E402


class Patient(models.Model):
    code = models.CharField(max_length=20)
    name = models.CharField(max_length=200)
    sort_name = models.CharField(max_length=200)
    birth_date = models.DateField()
    sex = models.CharField(max_length=32)
    phone = models.CharField(max_length=40)

    class Meta:
        app_label = "admin"
        db_table = "patient"
        managed = False
        ordering = ("sort_name", "id")


@admin.register(Patient)
class PatientAdmin(admin.ModelAdmin):
    list_display = ("name", "code", "birth_date", "sex", "phone")
    list_per_page = 50
    search_fields = ("sort_name__startswith",)


urlpatterns = [path("admin/", admin.site.urls)]
application = get_wsgi_application()

if __name__ == "__main__" and sys.argv[1:] == ["prepare"]:
    from django.contrib.auth.models import User
    from django.test import Client

    call_command("migrate", verbosity=0)
    user, _ = User.objects.get_or_create(username="bench", is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(user)
    print(client.cookies["sessionid"].value)
