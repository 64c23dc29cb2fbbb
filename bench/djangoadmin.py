"""Another reference: Django's admin on the same patients. Runs in a virtual environment of its own (bench/requirements.lock).

`python bench/djangoadmin.py prepare` makes Django's own tables and prints a session cookie; gunicorn serves `djangoadmin:application`.
"""

import os
import sys

from django.contrib import admin
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import models
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "djangosettings")
application = get_wsgi_application()  # sets Django up, which models need


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

if __name__ == "__main__" and sys.argv[1:] == ["prepare"]:
    from django.contrib.auth.models import User
    from django.test import Client

    call_command("migrate", verbosity=0)
    user, _ = User.objects.get_or_create(username="bench", is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(user)
    print(client.cookies["sessionid"].value)
